"""`Recorder`: what all callbacks and hooks have in common."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Mapping
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any, Final

from lstm_probe.analysis.analysis import Analysis
from lstm_probe.analysis.explained import Explained
from lstm_probe.callbacks.recording.captures import Captures
from lstm_probe.callbacks.recording.cost import CaptureCost
from lstm_probe.callbacks.recording.guard import Guard
from lstm_probe.callbacks.recording.options import Options
from lstm_probe.callbacks.recording.source import Source
from lstm_probe.callbacks.recording.tally import COSTLY, FAILING, QUEUED, UNANALYSED
from lstm_probe.callbacks.recording.training_logs import TrainingLogs
from lstm_probe.callbacks.recording.worker import Worker
from lstm_probe.core.errstate import own_errstate
from lstm_probe.core.warn import warn
from lstm_probe.logs.report import Report
from lstm_probe.logs.run_log import RunLog, check_log_dir
from lstm_probe.logs.trackers import announce
from lstm_probe.models.probe_data import ProbeData

__all__ = ["Recorder"]

_log = logging.getLogger(__name__)

#: After so many failures in a row only the last capture of a training is tried.
GIVEN_UP_AFTER: Final = 10


class Recorder:
    """Decides which captures are taken, on which thread, and opens and closes the log.

    A training may consist of several fits. They share one log, and only the first may refuse.

    Args:
        log_dir: where the training's logs are.
        options: how.

    Raises:
        LstmProbeError: an option is not valid.

    Attributes:
        report: what has been captured so far.
        guard: runs whatever else the probe does during training.
        training: what the training says of itself: loss and metrics.
    """

    def __init__(self, log_dir: str | PathLike[str], options: Options) -> None:
        check_log_dir(log_dir)
        self._log_dir, self._options = log_dir, options
        self.guard = Guard()
        self.training = TrainingLogs()
        self._captures = Captures(options, self.guard)
        self._budget, self._tally = self._captures.budget, self._captures.tally
        self._worker: Worker | None = None
        self._run_log: RunLog | None = None
        self._fits = 0
        self._is_fitting = False
        self._explained: int | None = None
        self._explaining = 0.0  # seconds that it took the last time
        self._since_explained = 0
        self._process = os.getpid()
        self.report: Report = self._captures.report

    @property
    def log_dir(self) -> Path:
        """Where the training's logs are."""
        return Path(self._log_dir)

    @property
    def analyses(self) -> dict[str, Analysis]:
        """What the latest capture showed, by layer."""
        return self._captures.analyses

    @property
    def explained(self) -> Mapping[str, Explained]:
        """What the layers compute, by name, if that has been asked for."""
        return self._captures.explained

    def __getstate__(self) -> dict[str, Any]:
        """A copy of a recorder opens a log of its own."""
        return {
            **self.__dict__,
            "_run_log": None,
            "_worker": None,
            "_fits": 0,
            "_is_fitting": False,
        }

    @property
    def has_begun(self) -> bool:
        """Whether there has been a fit: from then on nothing of ours is raised."""
        return self._fits > 0

    def asks_to_stop(self) -> bool:
        """Whether an alert has asked for the end of the training.

        Raises:
            SystemExit, KeyboardInterrupt: what `on_alert` has raised on the background thread.
        """
        if self._worker is not None and self._worker.leaving is not None:
            self.close()  # raises it; nobody will come to say that the fit has ended
        return self._captures.reactions.stop_training

    def start(self, step: int, source: Source, data: ProbeData | None = None) -> None:
        """Begin a fit: the first of a training, or one that goes on from where another has ended.

        The first one opens the log and captures what there is before training goes on. A later one
        goes on in the same log, unless it begins at an earlier step, as another training does.

        Args:
            step: how many steps the model has been trained.
            source: the model.
            data: the probe's inputs and targets, which a log holds once.

        Raises:
            LstmProbeError: anything that would fail later fails now.
        """
        self.close()
        self._process = os.getpid()
        self._tally.in_a_row = 0
        self._captures.reactions.stop_training = False
        begins = self._run_log is None or step < self._tally.latest
        if begins:
            with own_errstate():
                self._begin(step, source, data)
        if self._options.background:
            self._worker = Worker()
        self._fits += 1
        self._is_fitting = True
        self._budget.start()
        if begins and self._options.analyses_every is not None:
            self._since_explained = 0
            self._explain(source)

    def capture(self, step: int, source: Source, *, last: bool = False) -> None:
        """Capture at this step; a failure is counted and warned of, and training goes on.

        Args:
            step: the training step.
            source: the model.
            last: the fit ends here. That of the first fit is captured whatever it costs, those of
                later ones as the budget allows: there may be hundreds.
        """
        if self._is_fitting and os.getpid() == self._process and step != self._tally.captured:
            self.guard.run("deciding on a capture", lambda: self._capture(step, source, last))
        if last:
            self._explain_last(source)

    def finish(self, step: int, source: Source) -> None:
        """Capture the last weights of all, if that has not been done, and close the log.

        Args:
            step: the training step.
            source: the model.
        """
        if self._run_log is not None and os.getpid() == self._process:
            self._is_fitting = True
            self.guard.run("deciding on a capture", lambda: self._capture_last(step, source))
            self._explain_last(source)
            self.close()

    def close(self) -> None:
        """End a fit: finish what is under way, close the log's file, and say what was missed.

        Raises:
            SystemExit, KeyboardInterrupt: what `on_alert` has raised on the background thread.
        """
        if not self._is_fitting or os.getpid() != self._process:
            return
        self._is_fitting = False
        worker = self._worker
        self._drain()
        self._budget.stop()
        self.guard.run("closing the log", self._close_log)
        if self._tally.has_news_of_failures():
            warn(
                _log,
                "lstm_probe: %d of %d captures failed, %d were left out.",
                self.report.failed,
                self.report.due,
                self.report.skipped,
            )
        if worker is not None and worker.leaving is not None:
            raise worker.leaving

    def _begin(self, step: int, source: Source, data: ProbeData | None) -> None:
        """Open a log, and capture before the training goes on."""
        cost, options = CaptureCost(), self._options
        targets = [] if data is None else list(data.targets.values())
        self._captures.target = targets[0] if len(targets) == 1 else None
        analyses, outputs = self._captures.analyse_first(step, source, cost)
        log = RunLog(
            self._log_dir,
            first_step=step,
            detail=options.detail,
            pictures=options.pictures,
            max_bytes=options.max_log_bytes,
            data=data if options.data else None,
        )
        self.guard.run("telling trackers of the log", lambda: announce(log.directory))
        self._captures.log_first(log, analyses, outputs, step, cost)
        self._run_log, self.report.directory = log, log.directory

    def _close_log(self) -> None:
        if self._run_log is None:
            return
        try:
            if self._tally.has_news():
                report = self.report
                self._run_log.write_counts(
                    report.captured, report.failed, report.skipped, step=self._tally.latest
                )
        finally:
            self._run_log.close()

    def _explain_last(self, source: Source) -> None:
        """Say what the layers compute, at the end of a training: once, and of later fits of one as
        the budget allows."""
        if not self._options.analyses or not self._is_fitting or os.getpid() != self._process:
            return
        if self._fits == 1 or self._budget.allows_end(of_fit=self._fits):
            self._drain()
            self._explain(source)

    def _explain_if_due(self, step: int, source: Source) -> None:
        """Say it during the training, at every so many captures.

        The analyses run the model on the weights that were captured, so that the training waits for
        them, also where another thread does the captures.
        """
        self._since_explained += 1
        every = self._options.analyses_every
        if every is None or self._since_explained < every:
            return
        if not self._budget.allows_more(self._explaining):
            self._since_explained = 0
            self._tally.say_once(UNANALYSED, self._explaining, self._options.max_overhead)
            return
        if self._worker is not None:
            self._worker.drain()
        if self._tally.captured == step:  # else the capture has failed, or has been left out
            self._since_explained = 0
            self._explain(source)

    def _explain(self, source: Source) -> None:
        log, latest = self._run_log, self._tally.captured
        if log is None or latest == self._explained:
            return
        self._explained = latest
        began = time.perf_counter()
        self.guard.run("explaining the layers", lambda: self._captures.explain(log, source))
        self._explaining = time.perf_counter() - began
        self._budget.spent += self._explaining

    def _drain(self) -> None:
        if self._worker is not None:
            self.guard.run("finishing the captures", self._worker.drain)
        self._worker = None

    def _capture(self, step: int, source: Source, last: bool) -> None:
        tally, budget = self._tally, self._budget
        if last:
            if self._fits == 1 or budget.allows_end(of_fit=self._fits):
                self._capture_last(step, source)
        elif tally.in_a_row >= GIVEN_UP_AFTER:
            tally.skip(step, FAILING, GIVEN_UP_AFTER)
        elif not budget.allows():
            overhead = self._options.max_overhead
            tally.skip(
                step, COSTLY, 1e3 * budget.usual, 1e2 * budget.fraction, overhead, budget.stretch
            )
        else:
            self._attempt(step, lambda: self._take(step, source))
            self._explain_if_due(step, source)

    def _capture_last(self, step: int, source: Source) -> None:
        self._drain()
        if step != self._tally.captured:
            self._tally.take_after_all(step)
            self._attempt(step, lambda: self._take(step, source))

    def _attempt(self, step: int, capture: Callable[[], bool]) -> None:
        done = self.guard.run(f"capturing at step {step}", capture)
        if done:
            self._tally.succeed(step)
        elif done is None:
            self._tally.fail(step)

    def _take(self, step: int, source: Source) -> bool:
        assert self._run_log is not None
        cost = CaptureCost()
        taken = source.take(step)
        cost.watch.lap("read")
        rest = partial(self._captures.finish, taken, self._run_log, cost, self.training.take())
        if self._worker is None:
            return rest()
        cost.leave_training_thread()
        if not self._worker.offer(partial(self._attempt, step, rest)):
            self._tally.skip(step, QUEUED)
        return False  # not yet: the worker says how it went, and may have done so already
