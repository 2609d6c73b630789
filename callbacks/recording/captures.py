"""`Captures`: from what was taken of a model to the log."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace

from lstm_probe.analysis.alerts.board import AlertBoard, AlertRules
from lstm_probe.analysis.analysis import Analysis, analyse
from lstm_probe.analysis.explained import Explained
from lstm_probe.callbacks.recording.budget import Budget
from lstm_probe.callbacks.recording.cost import CaptureCost
from lstm_probe.callbacks.recording.guard import Guard
from lstm_probe.callbacks.recording.options import Options
from lstm_probe.callbacks.recording.reactions import Reactions
from lstm_probe.callbacks.recording.source import Source, Taken, outputs_of, remarks_of, rests_of
from lstm_probe.callbacks.recording.tally import Tally
from lstm_probe.callbacks.recording.training_logs import TrainingValues
from lstm_probe.core.arrays import Array
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.core.stopwatch import Stopwatch
from lstm_probe.core.warn import tell
from lstm_probe.logs.report import Report
from lstm_probe.logs.run_log import RunLog

__all__ = ["Captures"]

_log = logging.getLogger(__name__)


class Captures:
    """Analyses what was taken of a model, logs it, reacts to alerts, and counts.

    Args:
        options: how captures are taken and logged.
        guard: runs what may fail without the capture being lost.

    Raises:
        LstmProbeError: an option is not valid.

    Attributes:
        analyses: what the latest capture showed, by layer.
        report: what has been captured so far.
        tally: which captures that were due have been taken, were lost, or were left out.
        budget: how much of the training's time captures may take.
        reactions: what alerts have asked for.
        target: what the model is to give for the probe, where that is one array.
        explained: what the layers compute, by name, if that has been asked for.
    """

    def __init__(self, options: Options, guard: Guard) -> None:
        given = options.on_alert
        rules = given if isinstance(given, AlertRules) else AlertRules(given)
        self._board = AlertBoard(rules.thresholds, rules=rules.rules)
        self._guard = guard
        self._labels, self._names = options.labels, options.analyses
        self.target: Array | None = None
        self.explained: Mapping[str, Explained] = {}
        self.analyses: dict[str, Analysis] = {}
        self.report = Report()
        self.tally = Tally(self.report)
        self.budget = Budget(options.max_overhead)
        self.reactions = Reactions(rules.then, guard)

    def analyse_first(
        self, step: int, source: Source, cost: CaptureCost
    ) -> tuple[list[Analysis], Mapping[str, Array]]:
        """Take and analyse the first capture of a training.

        Returns:
            The analyses, and what the model itself gave, as `outputs_of` tells it.

        Raises:
            LstmProbeError: it fails, and so would every other.
        """
        try:
            taken = source.take(step)
            cost.watch.lap("read")
            analyses = self._analyse(taken, cost.watch)
            if self._labels is not None:
                self._labels.check(analysis.trace for analysis in analyses)
            return analyses, outputs_of(taken)
        except LstmProbeError:
            raise
        except Exception as error:
            raise LstmProbeError(
                f"The first capture failed. Received: {type(error).__name__}: {error}. "
                "Expected: a model that computes the probe."
            ) from error

    def log_first(
        self,
        log: RunLog,
        analyses: list[Analysis],
        outputs: Mapping[str, Array],
        step: int,
        cost: CaptureCost,
    ) -> None:
        """Log the first capture. It comes before the training, and is not charged to the budget.

        Raises:
            LstmProbeError: it cannot be written.
        """
        self.tally.begin()
        try:
            self._write(log, analyses, outputs, step, cost, TrainingValues(), charged=False)
        except Exception as error:
            log.close()
            raise LstmProbeError(
                f"The first capture could not be logged. Received: {type(error).__name__}: "
                f"{error}. Expected: room and rights to write in {log.directory}."
            ) from error

    def finish(
        self, taken: Taken, log: RunLog, cost: CaptureCost, training: TrainingValues
    ) -> bool:
        """Do all of a capture but taking hold of the weights, on any thread; True when it is done.

        Args:
            taken: what was taken of the model.
            log: the run's log.
            cost: measures the capture.
            training: the loss and the metrics of the training.

        Raises:
            Exception: whatever goes wrong; nothing of the capture is in the log then.
        """
        cost.begin_work()
        analyses = self._analyse(taken, cost.watch)
        # Where other workers train too, the step may have gone on before the weights were read.
        step = analyses[0].snapshot.step
        self._write(log, analyses, outputs_of(taken), step, cost, training)
        return True

    def explain(self, log: RunLog, source: Source) -> None:
        """Say what the layers compute at the latest capture, and log it.

        Args:
            log: the run's log.
            source: the model, as it was captured.
        """
        from lstm_probe.models.explaining import explain_analyses  # few trainings ask for it

        snapshots = [each.snapshot for each in self.analyses.values()]
        asked = "running the model after its layers"
        rests, why = self._guard.run(asked, lambda: rests_of(source, snapshots)) or ({}, "")
        self.explained = explain_analyses(
            self.analyses,
            target=self.target,
            analyses=self._names,
            rests=rests,
            notes=[why] if why else [],
        )
        log.write_explained(self.explained, step=snapshots[0].step)

    def _analyse(self, taken: Taken, watch: Stopwatch) -> list[Analysis]:
        snapshots = taken.snapshots()
        watch.lap("framework")
        remarks, told = remarks_of(taken), self.report.remarks
        tell(_log, {layer: what for layer, what in remarks.items() if layer not in told})
        self.report.remarks = {**remarks, **told}
        analyses = [analyse(s, watch=watch, previous=self.analyses.get(s.layer)) for s in snapshots]
        labels = self._labels
        if labels is None:
            return analyses
        return [replace(each, trace=labels.on(each.trace)) for each in analyses]

    def _write(
        self,
        log: RunLog,
        analyses: list[Analysis],
        outputs: Mapping[str, Array],
        step: int,
        cost: CaptureCost,
        training: TrainingValues,
        *,
        charged: bool = True,
    ) -> None:
        board = self._board
        alerts = board.update(analyses, training.mean_loss)
        cost.watch.lap("analyse")
        try:
            log.write(
                analyses,
                step=step,
                dynamics=board.dynamics,
                alerts=alerts,
                others=[*board.noted, *board.cleared],
                training=training.latest,
                remarks=self.report.remarks,
                outputs=outputs,
                watch=cost.watch,
            )
            self.tally.captured = step
            self.analyses = {analysis.snapshot.layer: analysis for analysis in analyses}
            self.report.add(analyses, 1e3 * cost.stall, log.answers)
            if charged:
                self.budget.spend(cost.charged)
            self._guard.run("logging the cost", lambda: self._write_cost(log, cost, step))
        finally:  # the board raises an alert once: not even a full disk may swallow it
            self.reactions.to(alerts, hopeless=board.asks_to_stop)

    def _write_cost(self, log: RunLog, cost: CaptureCost, step: int) -> None:
        log.write_cost(cost.stall, cost.watch.seconds, self.budget.fraction, step=step)
