"""`AlertBoard`: raises each alert once, and again only after it has cleared."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from lstm_probe.analysis.alerts.alert import Alert, Thresholds
from lstm_probe.analysis.alerts.rules import RULES
from lstm_probe.analysis.analysis import Analysis
from lstm_probe.analysis.change.dynamics import Dynamics, comparable, measure_dynamics
from lstm_probe.analysis.snapshot import Snapshot
from lstm_probe.core.errors import LstmProbeError

__all__ = ["RULES", "Alert", "AlertBoard", "AlertRules", "OnAlert", "Thresholds", "find_alerts"]

#: What happens when an alert is raised: a warning is logged, a warning is logged and the training
#: is stopped, or a function is called with the alert.
Reaction: TypeAlias = "Literal['log', 'stop'] | Callable[[Alert], object]"


@dataclass(frozen=True)
class AlertRules:
    """Which alerts are raised, with which thresholds, and what happens then.

    Attributes:
        then: `"log"` to log a warning, `"stop"` to log it and stop the training, or a function
            that is called with the alert.
        thresholds: the values beyond which a number is an alert.
        rules: the names of the rules to apply; all by default.

    Raises:
        LstmProbeError: `then` or the name of a rule is not known.

    Example:
        >>> rules = AlertRules("stop", Thresholds(dead=0.5), rules=["dead_units", "not_finite"])
        >>> rules.thresholds.dead
        0.5
    """

    then: Reaction = "log"
    thresholds: Thresholds = field(default_factory=Thresholds)
    rules: Collection[str] = tuple(RULES)

    def __post_init__(self) -> None:
        if self.then not in ("log", "stop") and not callable(self.then):
            raise LstmProbeError(
                f"What to do about alerts is not known. Received: on_alert={self.then!r}. "
                "Expected: 'log', 'stop', a function of an alert, or AlertRules with one of these."
            )
        unknown = [rule for rule in self.rules if rule not in RULES]
        if unknown:
            raise LstmProbeError(
                f"No such rule. Received: {', '.join(map(repr, unknown))}. Expected: some of "
                f"{', '.join(RULES)}."
            )


#: The values that `on_alert` of a callback or hook takes.
OnAlert: TypeAlias = "Reaction | AlertRules"


def find_alerts(
    analysis: Analysis,
    dynamics: Dynamics | None = None,
    *,
    thresholds: Thresholds | None = None,
    rules: Collection[str] = tuple(RULES),
) -> list[Alert]:
    """Find all alerts about one layer.

    Args:
        analysis: the layer at one capture.
        dynamics: what changed since the capture before; None if there is none.
        thresholds: the values beyond which a number is an alert; None for the defaults.
        rules: the names of the rules to apply; all by default.

    Returns:
        The alerts, the most serious first.

    Example:
        >>> import numpy as np
        >>> from lstm_probe import LstmCell, Snapshot, analyse, weights
        >>> cell = weights.from_keras(np.zeros((3, 8)), np.zeros((2, 8)))
        >>> x, h = np.zeros((1, 5, 3)), np.zeros((1, 5, 2))
        >>> analysis = analyse(Snapshot(0, "memory", LstmCell(), cell, x=x, output=h))
        >>> [alert.rule for alert in find_alerts(analysis)]
        ['dead_units']
    """
    limits = thresholds or Thresholds()
    # Where values are NaN, every rule would apply; the one that says so is enough.
    names = ("not_finite",) if analysis.health.not_finite is not None else tuple(RULES)
    chosen = [RULES[name] for name in names if name in rules]
    return [alert for rule in chosen for alert in rule(analysis, dynamics, limits)]


class AlertBoard:
    """Remembers, from capture to capture, which alerts stand.

    An alert is raised when its rule first applies to a layer, and is not raised again while the
    rule goes on applying. (`saturated_gates` is one alert for each gate.) When the rule no longer
    applies, the alert has cleared, and it may be raised anew.

    Args:
        thresholds: the values beyond which a number is an alert; None for the defaults.
        rules: the names of the rules to apply; None for all.

    Attributes:
        cleared: the alerts that stood at the capture before and no longer do.
        dynamics: what changed between the two latest captures, by the layer's name.

    Example:
        >>> import numpy as np
        >>> from lstm_probe import LstmCell, Snapshot, analyse, weights
        >>> cell = weights.from_keras(np.zeros((3, 8)), np.zeros((2, 8)))
        >>> x, h = np.zeros((1, 5, 3)), np.zeros((1, 5, 2))
        >>> analysis = analyse(Snapshot(0, "memory", LstmCell(), cell, x=x, output=h))
        >>> board = AlertBoard()
        >>> [alert.rule for alert in board.update([analysis])], board.update([analysis])
        (['dead_units'], [])
    """

    def __init__(
        self, thresholds: Thresholds | None = None, *, rules: Collection[str] | None = None
    ) -> None:
        self._thresholds = thresholds or Thresholds()
        self._rules = frozenset(RULES if rules is None else rules)
        self._standing: dict[tuple[str, str, str | None], Alert] = {}
        self._previous: dict[str, Snapshot] = {}
        self.cleared: list[Alert] = []
        self.dynamics: dict[str, Dynamics] = {}

    @property
    def standing(self) -> list[Alert]:
        """The alerts that stand at present."""
        return list(self._standing.values())

    def update(self, analyses: Sequence[Analysis]) -> list[Alert]:
        """Look at one capture of all layers.

        Args:
            analyses: all layers, in the order in which the model runs them.

        Returns:
            The alerts that are new, the most serious of each layer first.
        """
        found: dict[tuple[str, str, str | None], Alert] = {}
        self.dynamics = {}
        broken = False
        for analysis in analyses:
            dynamics = self._change(analysis.snapshot)
            not_finite = analysis.health.not_finite
            if broken and not_finite is not None and not_finite.source == "input":
                continue  # the NaN came from a layer before this one, which has its alert
            broken = broken or not_finite is not None
            for alert in self._find(analysis, dynamics):
                found.setdefault(_key(alert), alert)
        new = [alert for key, alert in found.items() if key not in self._standing]
        self.cleared = [alert for key, alert in self._standing.items() if key not in found]
        self._standing = found
        return new

    def _find(self, analysis: Analysis, dynamics: Dynamics | None) -> list[Alert]:
        rules, known = self._rules, []
        mismatch = self._standing.get(("parity_mismatch", analysis.snapshot.layer, None))
        if mismatch is not None and _mismatches(analysis):
            # A mismatch that goes on keeps its alert: the search for its cause takes long.
            known, rules = [mismatch], rules - {"parity_mismatch"}
        return known + find_alerts(analysis, dynamics, thresholds=self._thresholds, rules=rules)

    def _change(self, snapshot: Snapshot) -> Dynamics | None:
        previous = self._previous.get(snapshot.layer)
        if previous is not None and previous.step == snapshot.step:
            return None
        self._previous[snapshot.layer] = snapshot
        # The callback may have gone on to another model, with other layers of the same names.
        if previous is None or not comparable(previous, snapshot):
            return None
        dynamics = measure_dynamics(previous, snapshot)
        self.dynamics[snapshot.layer] = dynamics
        return dynamics


def _mismatches(analysis: Analysis) -> bool:
    verdict = None if analysis.parity is None else analysis.parity.verdict
    return verdict is not None and verdict.kind == "mismatch"


def _key(alert: Alert) -> tuple[str, str, str | None]:
    # A NaN may move to another gate, and another gate may become the worst: the alert is the same.
    by_gate = alert.rule == "saturated_gates"
    return alert.rule, alert.layer, alert.gate if by_gate else None
