"""`ProbeCallback`: the probe for the `Trainer` of Hugging Face's transformers."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from lstm_probe.callbacks.recording.options import Options
from lstm_probe.callbacks.torch_run import TorchRun
from lstm_probe.callbacks.torch_trainer import TrainerProbe
from lstm_probe.models.torch.modules import inner_model
from lstm_probe.models.torch.probes import TorchInput

if TYPE_CHECKING:
    TrainerCallback: Any = object
else:
    from transformers import TrainerCallback

__all__ = ["ProbeCallback"]


class ProbeCallback(TrainerProbe, TrainerCallback):
    """Shows in TensorBoard, while a `Trainer` trains, every gate of a model's recurrent modules.

    It captures before the first step, whenever the trainer's `global_step` crosses a multiple of
    `every`, and at the end of `train`. Where several processes train together, that of rank zero
    captures. What the trainer logs stands beside the gates. Everything else is as `TorchProbe` does
    it.

    Args:
        probe: a fixed input of the model, such as a dict of tensors that are its keyword arguments.
        log_dir: the logs go to `<log_dir>/lstm_probe`; by default to where the trainer's own are,
            or the directory `runs` of its `output_dir`.
        every: as `TorchProbe` takes it, and so are the options after it.
        layers: which modules, by name.
        forward: is called with the model and the probe, in place of the model.
        at: `"layer"` for a probe that is the input of the recurrent module itself.
        detail: how much is logged.
        on_alert: `"stop"` asks the trainer to stop.
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

    def on_train_begin(
        self, args: Any, state: Any, control: Any, model: Any = None, **kwargs: Any
    ) -> None:
        """Check everything, and capture before the first step."""
        if not self._is_on:
            return
        inner_model(model)  # in every process: what cannot be probed is refused in all
        if not state.is_world_process_zero:
            return

        def make_run(probe: TorchInput, options: Options, where: dict[str, Any]) -> TorchRun:
            return TorchRun(model, probe, self._log_dir or _directory(args), options, **where)

        self._begin(model, state.global_step, state.epoch, make_run)

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Capture if the step has crossed a multiple of `every`."""
        run = self._watched
        if run is None:
            return
        run.trained(state.global_step, state.epoch)
        if run.recorder.asks_to_stop():
            control.should_training_stop = True

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
        """Take note of loss and metrics: what an evaluation has found is called `val_...` here."""
        if self._watched is None or not logs:
            return
        training = self._watched.recorder.training
        found = {f"val_{k.removeprefix('eval_')}": v for k, v in logs.items() if k[:5] == "eval_"}
        if found:
            training.validated(found)
        else:
            training.given(logs)

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Capture the final weights, and close the log."""
        self._end()


def _directory(args: Any) -> str:
    """Where the trainer's own logs are."""
    given = os.environ.get("TENSORBOARD_LOGGING_DIR") or getattr(args, "logging_dir", None)
    return str(given or os.path.join(args.output_dir, "runs"))
