"""`TrainerProbe`: what the callbacks of Lightning's and of Hugging Face's `Trainer` share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from os import PathLike
from typing import Any

from lstm_probe.analysis.alerts.board import OnAlert
from lstm_probe.callbacks.recording.options import Options
from lstm_probe.callbacks.recording.shown import ShownInNotebooks
from lstm_probe.callbacks.schedule import Every, as_schedule
from lstm_probe.callbacks.torch_run import SeenRun, TorchRun
from lstm_probe.core.switch import is_switched_on
from lstm_probe.logs.detail import MAX_BYTES, Detail
from lstm_probe.models.decoding import Decode
from lstm_probe.models.given_labels import GivenLabels
from lstm_probe.models.torch.modules import Module
from lstm_probe.models.torch.probes import TorchInput
from lstm_probe.models.torch.reader import At, Forward

__all__ = ["TrainerProbe"]


class TrainerProbe(SeenRun, ShownInNotebooks):
    """Holds the options until a trainer begins, and the run while it trains.

    A callback inherits from this and from its trainer's own base class. It calls `_begin` before
    the first step, asks `_watched` for the run at each event, and calls `_end` at the last.

    Args:
        probe: as the callback takes it, and so are all options after it.
        log_dir: None for the trainer's own.
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
        analyses: Sequence[str] = (),
        analyses_every: int | None = None,
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
            analyses=analyses,
            analyses_every=analyses_every,
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

    def __getstate__(self) -> dict[str, Any]:
        """A copy reads its own model."""
        return {**self.__dict__, "_run": None, "_is_watching": False}

    @property
    def _watched(self) -> TorchRun | None:
        """The run of the training that is under way; None in other processes, and between two."""
        return self._run if self._is_watching else None

    def _begin(
        self,
        model: Module,
        step: int,
        epoch: float | None,
        make_run: Callable[[TorchInput, Options, dict[str, Any]], TorchRun],
    ) -> None:
        """Capture before the first step; what does not fit the first training is raised.

        Args:
            model: what the trainer trains.
            step: how many steps it has been trained before.
            epoch: how many epochs.
            make_run: makes the run of a model that has none, from the probe and the options.
        """

        def begin() -> None:
            if self._run is None or not self._run.reads(model):
                self._run = make_run(self._probe, self._options, self._where)
            self._run.begin(step, epoch)
            self._is_watching = True

        if self._run is None:
            begin()
        else:
            self._run.recorder.guard.run("beginning another training", begin)

    def _end(self) -> None:
        """Capture the final weights, and close the log."""
        if self._run is not None and self._is_watching:
            self._is_watching = False
            self._run.close()
