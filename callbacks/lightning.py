"""`ProbeCallback`: the probe for Lightning's `Trainer`."""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from lstm_probe.callbacks.recording.options import Options
from lstm_probe.callbacks.torch_run import TorchRun, detached
from lstm_probe.callbacks.torch_trainer import TrainerProbe
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.models.torch.modules import inner_model
from lstm_probe.models.torch.probes import TorchInput

__all__ = ["ProbeCallback"]

#: The packages that have a `Callback`, and what is installed with each of them.
_PACKAGES = {"lightning.pytorch": "lightning", "pytorch_lightning": "pytorch_lightning"}


def _callback_class() -> type:
    """`Callback` of Lightning, of all its packages that are in use.

    `lightning` and `pytorch_lightning` are the same code under two names, with a class each. Where
    neither has been imported yet, the first that is installed is.
    """
    used = [name for name in _PACKAGES if name in sys.modules]
    installed = [name for name, root in _PACKAGES.items() if find_spec(root) is not None]
    packages = used or installed[:1]
    if not packages:
        raise LstmProbeError(
            "Lightning is not installed. Received: neither lightning nor pytorch_lightning. "
            "Expected: one of them. Run pip install lightning."
        )
    bases = tuple(import_module(name).Callback for name in packages)
    return type("Callback", bases, {})


if TYPE_CHECKING:
    Callback: Any = object
else:
    Callback = _callback_class()


class ProbeCallback(TrainerProbe, Callback):
    """Shows in TensorBoard, while Lightning trains, every gate of a model's recurrent modules.

    It captures before the first step, whenever the trainer's `global_step` crosses a multiple of
    `every`, and at the end of `fit`, under the precision that the trainer uses. Where several
    processes train together, that of rank zero captures. The loss, and what the validation logs
    under names that begin with `val_`, stand beside the gates. Everything else is as `TorchProbe`
    does it.

    Args:
        probe: a fixed input of the module's `forward`.
        log_dir: the logs go to `<log_dir>/lstm_probe`; by default to where the trainer's logger has
            its own, or the trainer's `default_root_dir`.
        every: as `TorchProbe` takes it, and so are the options after it.
        layers: which modules, by name.
        forward: is called with the `LightningModule` and the probe, in place of the module.
        at: `"layer"` for a probe that is the input of the recurrent module itself.
        detail: how much is logged.
        on_alert: `"stop"` sets the trainer's `should_stop`.
        max_overhead: the part of the training's time that captures may take.
        background: whether another thread does what follows the model's pass on the probe.
        labels: a name for each timestep of the probe; one list for all sequences, or one for each.
        names: a name for each sequence of the probe.
        decode: makes the labels from the tokens of the probe.
        max_log_bytes: how large the log may grow.
        targets: what the model is to give for the probe, one for each sequence. `(x, y)` as the
            probe says the same where the model's forward takes one argument.
        log_data: False keeps the probe's inputs and targets, and what the model gives for it, out
            of the log.
        analyses: what to work out of the modules at the end of the training, such as `ablation`.
        analyses_every: at every how many captures they are made too, as `max_overhead` allows; by
            default at the end alone.
        enabled: False turns the callback into nothing.

    Raises:
        LstmProbeError: on construction or when training begins, before the first step, if
            something does not fit. Later nothing is raised.
    """

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Check everything, and capture before the first step."""
        if not self._is_on:
            return
        # In every process: the trainer's log_dir is told by one to all, and what cannot be probed
        # is refused in all.
        log_dir = self._directory(trainer)
        inner_model(trainer.model)
        inner_model(pl_module)
        if not trainer.is_global_zero:
            return
        precision = trainer.precision_plugin

        def make_run(probe: TorchInput, options: Options, where: dict[str, Any]) -> TorchRun:
            probe = precision.convert_input(probe)
            context = precision.forward_context
            return TorchRun(pl_module, probe, log_dir, options, context=context, **where)

        self._begin(pl_module, trainer.global_step, self._epochs_done(trainer), make_run)

    def on_train_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Any, *args: Any, **kwargs: Any
    ) -> None:
        """Capture if the step has crossed a multiple of `every`."""
        run = self._watched
        if run is None:
            return
        if outputs is not None:
            loss = outputs.get("loss") if isinstance(outputs, dict) else outputs
            run.recorder.training.given(detached({"loss": loss}))
        run.trained(trainer.global_step, self._epochs_done(trainer))
        if run.recorder.asks_to_stop():
            trainer.should_stop = True

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        """Take note of what the validation has found, by names that begin with `val_`."""
        if self._watched is not None:
            self._watched.recorder.training.validated(detached(trainer.callback_metrics))

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        """Capture the final weights, and close the log."""
        self._end()

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        """The training has failed: capture what there is, and close the log."""
        self._end()

    def _directory(self, trainer: Any) -> Any:
        found = trainer.log_dir
        if self._log_dir is not None:
            return self._log_dir
        return found if isinstance(found, str) else trainer.default_root_dir

    def _epochs_done(self, trainer: Any) -> float:
        """With the part of the epoch that is under way, where its length is known."""
        batches, done = trainer.num_training_batches, trainer.fit_loop.batch_idx + 1
        known = isinstance(batches, int) and batches > 0
        whole = float(trainer.current_epoch)
        return whole + min(done / batches, 1.0) if known and self._is_watching else whole
