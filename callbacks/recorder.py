"""What the Keras callback and the session hook have in common: from snapshots to the log."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from os import PathLike
from typing import TypeAlias

from lstm_probe.analysis import Analysis, analyse
from lstm_probe.callbacks.guard import Guard
from lstm_probe.errors import LstmProbeError
from lstm_probe.logging import RunLog
from lstm_probe.report import Report
from lstm_probe.snapshot import Snapshot

__all__ = ["Reader", "Recorder"]

_log = logging.getLogger(__name__)

#: Reads all probed layers at the current training step, which it is given.
Reader: TypeAlias = Callable[[int], Sequence[Snapshot]]


class Recorder:
    """Takes captures: reads, analyses, logs, counts, and measures what that costs.

    Args:
        log_dir: where the training's logs are.
        write_images: whether heatmaps are drawn.

    Attributes:
        analyses: what the latest capture showed, by layer.
        report: what has been captured so far.
        guard: runs whatever else the probe does during training.
    """

    def __init__(self, log_dir: str | PathLike[str], *, write_images: bool = True) -> None:
        self._log_dir = log_dir
        self._write_images = write_images
        self.guard = Guard()
        self._run_log: RunLog | None = None
        self._step: int | None = None
        self.analyses: dict[str, Analysis] = {}
        self.report = Report()

    def start(self, step: int, read: Reader) -> None:
        """Open the log and capture what there is before training goes on.

        Raises:
            LstmProbeError: anything that would fail later fails now.
        """
        self.close()
        began = time.perf_counter()
        try:
            analyses = [analyse(snapshot) for snapshot in read(step)]
        except LstmProbeError:
            raise
        except Exception as error:
            raise LstmProbeError(
                f"The first capture failed. Received: {type(error).__name__}: {error}. "
                "Expected: a model that computes the probe."
            ) from error
        self._run_log = RunLog(self._log_dir, first_step=step, write_images=self._write_images)
        self.report.directory = self._run_log.directory
        if step != self._step:  # a second fit goes on where the first one ended
            self._write(self._run_log, analyses, step, began)

    def capture(self, step: int, read: Reader) -> None:
        """Capture at this step; a failure is counted and warned of, and training goes on."""
        log = self._run_log
        if log is None or step == self._step:
            return
        if not self.guard.run(f"capturing at step {step}", lambda: self._capture(step, read, log)):
            self.report.failed += 1

    def close(self) -> None:
        """Close the log and say what was missed, if anything was."""
        if self._run_log is None:
            return
        self.guard.run("closing the log", self._run_log.close)
        self._run_log = None
        if self.report.failed:
            _log.warning(
                "lstm_probe: %d of %d captures failed.", self.report.failed, self.report.due
            )

    def _capture(self, step: int, read: Reader, log: RunLog) -> bool:
        began = time.perf_counter()
        analyses = [analyse(snapshot) for snapshot in read(step)]
        # Where other workers train too, the step may have gone on before the weights were read.
        self._write(log, analyses, analyses[0].snapshot.step, began)
        return True

    def _write(self, log: RunLog, analyses: list[Analysis], step: int, began: float) -> None:
        log.write(analyses, step=step)
        milliseconds = 1e3 * (time.perf_counter() - began)
        self._step = step
        self.analyses = {analysis.snapshot.layer: analysis for analysis in analyses}
        self.report.add(analyses, milliseconds)
        log.write_cost(milliseconds, step=step)
