"""`AlertBoard`: which alerts are noted, which stand, and which have cleared."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal, TypeAlias

from lstm_probe.analysis.alerts.alert import Alert, Thresholds
from lstm_probe.analysis.alerts.loss import LossCourse, LossState
from lstm_probe.analysis.alerts.rules import RULES
from lstm_probe.analysis.alerts.training_state import TrainingState
from lstm_probe.analysis.analysis import Analysis
from lstm_probe.analysis.change.dynamics import Dynamics, comparable, measure_dynamics
from lstm_probe.analysis.snapshot import Snapshot
from lstm_probe.core.errors import LstmProbeError

__all__ = ["RULES", "Alert", "AlertBoard", "AlertRules", "OnAlert", "Thresholds", "find_alerts"]

#: A picture that is not true is no illness of the network, and is told at once.
_FALSE_PICTURE: Final = "parity_mismatch"
#: What cannot pass stands as soon as the training has begun.
_INCURABLE: Final = frozenset({"not_finite"})

_Key: TypeAlias = tuple[str, str, "str | None"]

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
    loss: LossState = "unknown",
    began_at_zero: frozenset[str] = frozenset(),
    thresholds: Thresholds | None = None,
    rules: Collection[str] = tuple(RULES),
) -> list[Alert]:
    """Find all alerts about one layer at one capture.

    One capture cannot tell what passes: `AlertBoard` follows a training.

    Args:
        analysis: the layer at one capture.
        dynamics: what changed since the capture before; None if there is none.
        loss: whether the loss of the training falls, stands still, or is not known.
        began_at_zero: the arrays that held nothing but zeros at the first capture.
        thresholds: the values beyond which a number is an alert; None for the defaults.
        rules: the names of the rules to apply; all by default.

    Returns:
        The alerts, as noted, the most serious first.

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
    training = TrainingState(dynamics, loss, began_at_zero)
    # Where values are NaN, every rule would apply; the one that says so is enough.
    names = ("not_finite",) if analysis.health.not_finite is not None else tuple(RULES)
    chosen = [RULES[name] for name in names if name in rules]
    return [
        replace(alert, state="noted")
        for rule in chosen
        for alert in rule(analysis, training, limits)
    ]


@dataclass
class _Seen:
    """An alert, and at how many captures in a row its rule has applied."""

    alert: Alert
    times: int

    @property
    def stands(self) -> bool:
        return self.alert.state == "standing"


class AlertBoard:
    """Follows a training from capture to capture, and tells which alerts stand.

    What is seen for the first time is noted, and no more: a network that has not been trained is
    not ill, and much passes. An alert stands when its rule has applied at `Thresholds.patience`
    captures in a row; a NaN as soon as training has begun; a false picture at once, since that is
    no illness of the network. It is raised when it begins to stand, and again only after it has
    cleared. (`saturated_gates` is one alert for each gate.)

    Args:
        thresholds: the values beyond which a number is an alert; None for the defaults.
        rules: the names of the rules to apply; None for all.

    Attributes:
        noted: the alerts that are noted at present and do not stand.
        cleared: the alerts that stood at the capture before and no longer do.
        dynamics: what changed between the two latest captures, by the layer's name.

    Example:
        >>> import numpy as np
        >>> from dataclasses import replace
        >>> from lstm_probe import LstmCell, Snapshot, analyse, weights
        >>> cell = weights.from_keras(np.zeros((3, 8)), np.zeros((2, 8)))
        >>> x, h = np.zeros((1, 5, 3)), np.zeros((1, 5, 2))
        >>> analysis = analyse(Snapshot(0, "memory", LstmCell(), cell, x=x, output=h))
        >>> board = AlertBoard(rules=["dead_units"])
        >>> board.update([analysis]), [alert.rule for alert in board.noted]
        ([], ['dead_units'])
        >>> [
        ...     len(board.update([replace(analysis, snapshot=replace(analysis.snapshot, step=k))]))
        ...     for k in (1, 2, 3)
        ... ]
        [0, 1, 0]
    """

    def __init__(
        self, thresholds: Thresholds | None = None, *, rules: Collection[str] | None = None
    ) -> None:
        self._thresholds = thresholds or Thresholds()
        self._rules = frozenset(RULES if rules is None else rules)
        self._seen: dict[_Key, _Seen] = {}
        self._loss = LossCourse(self._thresholds.improvement)
        self._first_step: int | None = None
        self._began_at_zero: dict[str, frozenset[str]] = {}
        self._previous: dict[str, Snapshot] = {}
        self.cleared: list[Alert] = []
        self.dynamics: dict[str, Dynamics] = {}

    @property
    def standing(self) -> list[Alert]:
        """The alerts that stand at present."""
        return [seen.alert for seen in self._seen.values() if seen.stands]

    @property
    def noted(self) -> list[Alert]:
        """The alerts that are noted at present and do not stand."""
        return [seen.alert for seen in self._seen.values() if not seen.stands]

    @property
    def asks_to_stop(self) -> bool:
        """Whether an illness stands and the loss, where it is known, stands still."""
        ill = any(alert.rule != _FALSE_PICTURE for alert in self.standing)
        return ill and self._loss.state != "falling"

    def update(self, analyses: Sequence[Analysis], loss: float | None = None) -> list[Alert]:
        """Look at one capture of all layers.

        Args:
            analyses: all layers, in the order in which the model runs them.
            loss: the mean loss of the training since the capture before; None if it is not known.

        Returns:
            The alerts that begin to stand, the most serious of each layer first.
        """
        self._loss.add(loss)
        found = self._find_all(analyses)
        seen = {
            key: self._judged(alert, self._seen[key].times if key in self._seen else 0)
            for key, alert in found.items()
        }
        before = {key: each.alert for key, each in self._seen.items() if each.stands}
        self._seen = seen
        self.cleared = [
            replace(alert, state="cleared") for key, alert in before.items() if key not in seen
        ]
        return [each.alert for key, each in seen.items() if each.stands and key not in before]

    def _judged(self, alert: Alert, times: int) -> _Seen:
        """Whether an alert that has been seen so many times before is noted or stands."""
        has_begun = self._first_step is not None and alert.step > self._first_step
        stands = alert.rule == _FALSE_PICTURE or (
            has_begun and (times + 1 >= self._thresholds.patience or alert.rule in _INCURABLE)
        )
        return _Seen(replace(alert, state="standing" if stands else "noted"), times + 1)

    def _find_all(self, analyses: Sequence[Analysis]) -> dict[_Key, Alert]:
        found: dict[_Key, Alert] = {}
        self.dynamics = {}
        broken = False
        for analysis in analyses:
            if self._first_step is None:
                self._first_step = analysis.snapshot.step
            dynamics = self._change(analysis.snapshot)
            not_finite = analysis.health.not_finite
            if broken and not_finite is not None and not_finite.source == "input":
                continue  # the NaN came from a layer before this one, which has its alert
            broken = broken or not_finite is not None
            for alert in self._find(analysis, dynamics):
                found.setdefault(_key(alert), alert)
        return found

    def _find(self, analysis: Analysis, dynamics: Dynamics | None) -> list[Alert]:
        rules, known = self._rules, []
        mismatch = self._seen.get((_FALSE_PICTURE, analysis.snapshot.layer, None))
        if mismatch is not None and _mismatches(analysis):
            # A mismatch that goes on keeps its alert: the search for its cause takes long.
            known, rules = [mismatch.alert], rules - {_FALSE_PICTURE}
        return known + find_alerts(
            analysis,
            dynamics,
            loss=self._loss.state,
            began_at_zero=self._began_at_zero[analysis.snapshot.layer],
            thresholds=self._thresholds,
            rules=rules,
        )

    def _change(self, snapshot: Snapshot) -> Dynamics | None:
        previous = self._previous.get(snapshot.layer)
        if previous is not None and previous.step == snapshot.step:
            return None
        self._previous[snapshot.layer] = snapshot
        # The callback may have gone on to another model, with other layers of the same names.
        if previous is None or not comparable(previous, snapshot):
            self._began_at_zero[snapshot.layer] = frozenset(
                name for name, array in snapshot.weights.named() if not array.any()
            )
            return None
        dynamics = measure_dynamics(previous, snapshot)
        self.dynamics[snapshot.layer] = dynamics
        return dynamics


def _mismatches(analysis: Analysis) -> bool:
    verdict = None if analysis.parity is None else analysis.parity.verdict
    return verdict is not None and verdict.kind == "mismatch"


def _key(alert: Alert) -> _Key:
    # A NaN may move to another gate, and another gate may become the worst: the alert is the same.
    by_gate = alert.rule == "saturated_gates"
    return alert.rule, alert.layer, alert.gate if by_gate else None
