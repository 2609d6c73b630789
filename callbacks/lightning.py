"""`ProbeCallback`: the probe for Lightning's `Trainer`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from os import PathLike
from typing import TYPE_CHECKING, Any

from lstm_probe.analysis.alerts.board import OnAlert
from lstm_probe.analysis.analysis import Analysis
from lstm_probe.callbacks.recording.options import Options
from lstm_probe.callbacks.schedule import Every, as_schedule
from lstm_probe.callbacks.torch_run import TorchRun, detached
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.core.switch import is_switched_on
from lstm_probe.logs.detail import MAX_BYTES, Detail
from lstm_probe.logs.report import Report
from lstm_probe.models.decoding import Decode
from lstm_probe.models.given_labels import GivenLabels
from lstm_probe.models.torch.modules import inner_model
from lstm_probe.models.torch.probes import TorchInput
from lstm_probe.models.torch.reader import At, Forward

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


class ProbeCallback(Callback):
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
        enabled: False turns the callback into nothing.

    Raises:
        LstmProbeError: on construction or when training begins, before the first step, if
            something does not fit. Later nothing is raised.
    """

    def __init__(
        self,
        probe: TorchInput,
        log_dir: str | PathLike[str] | None = None,
        *,
        every: Every = 100,
        layers: Sequence[str] | None = None,
        forward: Forward | None = None,
        at: At = "model",
        detail: Detail = "gates",
        on_alert: OnAlert = "log",
        max_overhead: float | None = 0.01,
        background: bool = False,
        labels: GivenLabels | None = None,
        names: Sequence[str] | None = None,
        decode: Decode | None = None,
        max_log_bytes: int | None = MAX_BYTES,
        targets: Any = None,
        log_data: bool = True,
        enabled: bool = True,
    ) -> None:
        super().__init__()
        self._run: TorchRun | None = None
        self._is_watching = False
        self._is_on = is_switched_on(enabled)
        if not self._is_on:
            return
        as_schedule(every)
        self._probe, self._log_dir = probe, log_dir
        self._options = Options(
            detail=detail,
            on_alert=on_alert,
            max_overhead=max_overhead,
            background=background,
            max_log_bytes=max_log_bytes,
            log_data=log_data,
        )
        self._where: dict[str, Any] = {
            "every": every,
            "layers": layers,
            "forward": forward,
            "at": at,
            "labels": labels,
            "names": names,
            "decode": decode,
            "targets": targets,
        }

    @property
    def analyses(self) -> dict[str, Analysis]:
        """What the latest capture showed, by the name of the layer."""
        return {} if self._run is None else self._run.recorder.analyses

    @property
    def report(self) -> Report:
        """What has been captured so far; printed, it is a table."""
        return Report() if self._run is None else self._run.recorder.report

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
        if self._run is None:
            self._begin(trainer, pl_module, log_dir)
        else:
            guard = self._run.recorder.guard
            guard.run("beginning another fit", lambda: self._begin(trainer, pl_module, log_dir))

    def on_train_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Any, *args: Any, **kwargs: Any
    ) -> None:
        """Capture if the step has crossed a multiple of `every`."""
        if self._run is None or not self._is_watching:
            return
        if outputs is not None:
            loss = outputs.get("loss") if isinstance(outputs, dict) else outputs
            self._run.recorder.training.given(detached({"loss": loss}))
        self._run.trained(trainer.global_step, self._epochs_done(trainer))
        if self._run.recorder.asks_to_stop():
            trainer.should_stop = True

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        """Take note of what the validation has found, by names that begin with `val_`."""
        if self._run is not None and self._is_watching:
            self._run.recorder.training.validated(detached(trainer.callback_metrics))

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        """Capture the final weights, and close the log."""
        self._end()

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        """The training has failed: capture what there is, and close the log."""
        self._end()

    def __getstate__(self) -> dict[str, Any]:
        """A copy reads its own model."""
        return {**self.__dict__, "_run": None, "_is_watching": False}

    def _begin(self, trainer: Any, module: Any, log_dir: Any) -> None:
        if self._run is None or not self._run.reads(module):
            precision = trainer.precision_plugin
            probe = precision.convert_input(self._probe)
            self._run = TorchRun(
                module,
                probe,
                log_dir,
                self._options,
                context=precision.forward_context,
                **self._where,
            )
        self._run.begin(trainer.global_step, self._epochs_done(trainer))
        self._is_watching = True

    def _end(self) -> None:
        if self._run is not None and self._is_watching:
            self._is_watching = False
            self._run.close()

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
