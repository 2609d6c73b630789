"""What the Keras callback and the session hook have in common: from snapshots to the log."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Sequence
from functools import partial
from os import PathLike
from typing import Final, TypeAlias

from lstm_probe.analysis.alerts.board import AlertBoard, AlertRules
from lstm_probe.analysis.analysis import Analysis, analyse
from lstm_probe.analysis.snapshot import Snapshot
from lstm_probe.callbacks.recording.budget import Budget
from lstm_probe.callbacks.recording.guard import Guard
from lstm_probe.callbacks.recording.options import Options
from lstm_probe.callbacks.recording.reactions import Reactions
from lstm_probe.callbacks.recording.tally import COSTLY, FAILING, QUEUED, Tally
from lstm_probe.callbacks.recording.worker import Worker
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.core.stopwatch import Stopwatch
from lstm_probe.logs import RunLog
from lstm_probe.logs.report import Report
from lstm_probe.logs.trackers import announce

__all__ = ["Later", "Reader", "Recorder"]

_log = logging.getLogger(__name__)

#: After so many failures in a row only the last capture of a training is tried.
GIVEN_UP_AFTER: Final = 10
#: Computes the snapshots of all probed layers out of what was read, on any thread.
Later: TypeAlias = Callable[[], Sequence[Snapshot]]
#: Reads all probed layers at the current training step, which it is given.
Reader: TypeAlias = Callable[[int], Later]


class Recorder:
    """Takes captures: reads, analyses, logs, counts, and keeps what that costs to a budget.

    Args:
        log_dir: where the training's logs are.
        options: how.

    Raises:
        LstmProbeError: an option is not valid.

    Attributes:
        analyses: what the latest capture showed, by layer.
        report: what has been captured so far.
        guard: runs whatever else the probe does during training.
    """

    def __init__(self, log_dir: str | PathLike[str], options: Options) -> None:
        given = options.on_alert
        rules = given if isinstance(given, AlertRules) else AlertRules(given)
        self._board = AlertBoard(rules.thresholds, rules=rules.rules)
        self._log_dir, self._options = log_dir, options
        self._budget = Budget(options.max_overhead)
        self._worker: Worker | None = None
        self._run_log: RunLog | None = None
        self._process = os.getpid()
        self.guard = Guard()
        self._reactions = Reactions(rules.then, self.guard)
        self.analyses: dict[str, Analysis] = {}
        self.report = Report()
        self._tally = Tally(self.report)

    @property
    def stop_training(self) -> bool:
        """An alert has asked for it."""
        return self._reactions.stop_training

    def start(self, step: int, read: Reader) -> None:
        """Open the log and capture what there is before training goes on.

        Raises:
            LstmProbeError: anything that would fail later fails now.
        """
        self.close()
        self._process = os.getpid()
        self._tally.in_a_row = 0
        self._reactions.stop_training = False
        watch = Stopwatch()
        try:
            later = read(step)
            watch.lap("read")
            analyses = self._analyse(later, watch)
        except LstmProbeError:
            raise
        except Exception as error:
            raise LstmProbeError(
                f"The first capture failed. Received: {type(error).__name__}: {error}. "
                "Expected: a model that computes the probe."
            ) from error
        self._run_log = RunLog(
            self._log_dir,
            first_step=step,
            write_images=self._options.write_images,
            detail=self._options.detail,
            labels=self._options.labels,
            max_bytes=self._options.max_log_bytes,
        )
        self.report.directory = directory = self._run_log.directory
        self.guard.run("telling trackers of the log", lambda: announce(directory))
        if step != self._tally.captured:  # a second fit goes on where the first one ended
            self._write_first(self._run_log, analyses, step, watch)
        if self._options.background:
            self._worker = Worker()
        self._budget.start()

    def capture(self, step: int, read: Reader, *, last: bool = False) -> None:
        """Capture at this step; a failure is counted and warned of, and training goes on.

        Args:
            step: the training step.
            read: reads the layers.
            last: the training ends here: this is captured whatever it costs.
        """
        log, tally = self._run_log, self._tally
        if log is None or step == tally.captured or os.getpid() != self._process:
            return
        if last:
            self._drain()
            if step == tally.captured:
                return
            tally.take_after_all(step)
        elif tally.in_a_row >= GIVEN_UP_AFTER:
            tally.skip(step, FAILING, GIVEN_UP_AFTER)
            return
        elif not self._budget.allows():
            budget = self._budget
            overhead = self._options.max_overhead
            tally.skip(
                step, COSTLY, 1e3 * budget.usual, 1e2 * budget.fraction, overhead, budget.stretch
            )
            return
        self._attempt(step, lambda: self._take(step, read, log))

    def close(self) -> None:
        """Finish what is under way, close the log, and say what was missed, if anything was."""
        if self._run_log is None or os.getpid() != self._process:
            return
        self._drain()
        self._budget.stop()
        if self.report.failed or self.report.skipped:
            self.guard.run("counting the captures", self._write_counts)
        self.guard.run("closing the log", self._run_log.close)
        self._run_log = None
        if self.report.failed:
            _log.warning(
                "lstm_probe: %d of %d captures failed, %d were left out.",
                self.report.failed,
                self.report.due,
                self.report.skipped,
            )

    def _write_first(
        self, log: RunLog, analyses: list[Analysis], step: int, watch: Stopwatch
    ) -> None:
        try:
            self._write(log, analyses, step, watch)
        except Exception as error:
            log.close()
            self._run_log = None
            raise LstmProbeError(
                f"The first capture could not be logged. Received: {type(error).__name__}: "
                f"{error}. Expected: room and rights to write in {log.directory}."
            ) from error

    def _write_counts(self) -> None:
        report, log = self.report, self._run_log
        if log is not None:
            log.write_counts(
                report.captured, report.failed, report.skipped, step=self._tally.latest
            )

    def _drain(self) -> None:
        if self._worker is not None:
            self.guard.run("finishing the captures", self._worker.drain)
        self._worker = None

    def _attempt(self, step: int, capture: Callable[[], bool]) -> None:
        done = self.guard.run(f"capturing at step {step}", capture)
        if done:
            self._tally.succeed(step)
        elif done is None:
            self._tally.fail(step)

    def _take(self, step: int, read: Reader, log: RunLog) -> bool:
        watch = Stopwatch()
        later = read(step)
        watch.lap("read")
        if self._worker is None:
            return self._work_off(step, later, log, watch)
        stall = watch.total
        job = partial(self._work_off, step, later, log, watch, stall)
        if not self._worker.offer(lambda: self._attempt(step, job)):
            self._tally.skip(step, QUEUED)
        return False  # not yet: the worker says how it went, and may have done so already

    def _work_off(
        self, step: int, later: Later, log: RunLog, watch: Stopwatch, stall: float | None = None
    ) -> bool:
        """The rest of a capture; `stall` is what it took of the training thread if this is another
        one, whose processor time then counts."""
        began = time.thread_time()
        watch.resume()
        analyses = self._analyse(later, watch)

        def cost() -> float:
            return watch.total if stall is None else stall + time.thread_time() - began

        # Where other workers train too, the step may have gone on before the weights were read.
        self._write(log, analyses, analyses[0].snapshot.step, watch, cost, stall)
        return True

    def _analyse(self, later: Later, watch: Stopwatch) -> list[Analysis]:
        snapshots = later()
        watch.lap("framework")
        return [analyse(s, watch=watch, previous=self.analyses.get(s.layer)) for s in snapshots]

    def _write(
        self,
        log: RunLog,
        analyses: list[Analysis],
        step: int,
        watch: Stopwatch,
        cost: Callable[[], float] | None = None,
        stall: float | None = None,
    ) -> None:
        alerts = self._board.update(analyses)
        watch.lap("analyse")
        try:
            log.write(
                analyses, step=step, dynamics=self._board.dynamics, alerts=alerts, watch=watch
            )
            self._tally.captured = step
            self.analyses = {analysis.snapshot.layer: analysis for analysis in analyses}
            seconds = watch.total if stall is None else stall
            self.report.add(analyses, 1e3 * seconds)
            if cost is not None:  # the first capture, which comes before the training, is free
                self._budget.spend(cost())
            log.write_cost(seconds, watch.seconds, self._budget.fraction, step=step)
        finally:  # the board raises an alert once: not even a full disk may swallow it
            self._reactions.to(alerts)
