"""`ProbeCallback`: the probe for the `Trainer` of Hugging Face's transformers."""

from __future__ import annotations

import os
from collections.abc import Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any

from lstm_probe.analysis.alerts.board import OnAlert
from lstm_probe.analysis.analysis import Analysis
from lstm_probe.callbacks.recording.options import Options
from lstm_probe.callbacks.schedule import Every, as_schedule
from lstm_probe.callbacks.torch_run import TorchRun
from lstm_probe.core.switch import is_switched_on
from lstm_probe.logs.detail import MAX_BYTES, Detail
from lstm_probe.logs.report import Report
from lstm_probe.models.decoding import Decode
from lstm_probe.models.given_labels import GivenLabels
from lstm_probe.models.torch.modules import inner_model
from lstm_probe.models.torch.probes import TorchInput
from lstm_probe.models.torch.reader import At, Forward

if TYPE_CHECKING:
    TrainerCallback: Any = object
else:
    from transformers import TrainerCallback

__all__ = ["ProbeCallback"]


class ProbeCallback(TrainerCallback):
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

    def on_train_begin(
        self, args: Any, state: Any, control: Any, model: Any = None, **kwargs: Any
    ) -> None:
        """Check everything, and capture before the first step."""
        if not self._is_on:
            return
        inner_model(model)  # in every process: what cannot be probed is refused in all
        if not state.is_world_process_zero:
            return
        if self._run is None:
            self._begin(args, state, model)
        else:
            guard = self._run.recorder.guard
            guard.run("beginning another training", lambda: self._begin(args, state, model))

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Capture if the step has crossed a multiple of `every`."""
        if self._run is None or not self._is_watching:
            return
        self._run.trained(state.global_step, state.epoch)
        if self._run.recorder.asks_to_stop():
            control.should_training_stop = True

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
        """Take note of loss and metrics: what an evaluation has found is called `val_...` here."""
        if self._run is None or not self._is_watching or not logs:
            return
        found = {f"val_{k.removeprefix('eval_')}": v for k, v in logs.items() if k[:5] == "eval_"}
        if found:
            self._run.recorder.training.validated(found)
        else:
            self._run.recorder.training.given(logs)

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Capture the final weights, and close the log."""
        if self._run is not None and self._is_watching:
            self._is_watching = False
            self._run.close()

    def __getstate__(self) -> dict[str, Any]:
        """A copy reads its own model."""
        return {**self.__dict__, "_run": None, "_is_watching": False}

    def _begin(self, args: Any, state: Any, model: Any) -> None:
        if self._run is None or not self._run.reads(model):
            log_dir = self._log_dir or _directory(args)
            self._run = TorchRun(model, self._probe, log_dir, self._options, **self._where)
        self._run.begin(state.global_step, state.epoch)
        self._is_watching = True


def _directory(args: Any) -> str:
    """Where the trainer's own logs are."""
    given = os.environ.get("TENSORBOARD_LOGGING_DIR") or getattr(args, "logging_dir", None)
    return str(given or os.path.join(args.output_dir, "runs"))
