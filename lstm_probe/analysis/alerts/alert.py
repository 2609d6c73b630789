"""`Alert`: what an alert says. `Thresholds`: the values beyond which a number is an alert."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from lstm_probe.analysis.alerts.cure_rates import said_of_cures
from lstm_probe.analysis.snapshot import Snapshot

__all__ = ["Alert", "State", "Thresholds", "alert_about"]

#: `noted`: seen, but the training has not begun, or it may pass. `standing`: it goes on; only now
#: somebody is warned. `cleared`: it stood, and is over.
State: TypeAlias = Literal["noted", "standing", "cleared"]


@dataclass(frozen=True)
class Alert:
    """A warning that something in a layer should be looked at.

    Attributes:
        rule: the name of the rule that applies.
        layer: the layer's name.
        step: the training step.
        what: what was found, in words, with the number and its threshold.
        value: the number that the rule looks at.
        threshold: the threshold that the number is beyond.
        advice: what to try.
        gate: the letter of the gate, if the alert is about one.
        unit: the index of the worst unit, if the alert is about units.
        timestep: the timestep of the probe, if the alert is about one.
        state: whether it is only noted, stands, or has cleared.
        tried: how often this advice has cured, in a sentence (`CURE_RATES`).

    Example:
        >>> alert = Alert("dead_units", "lstm", 100, "h is still in 30 % of the units; healthy is "
        ...               "at most 10 %", 0.3, 0.1, "a lower learning rate", unit=4)
        >>> print(alert)
        dead_units: layer 'lstm', unit 4, step 100: h is still in 30 % of the units; healthy is \
at most 10 %. Try: a lower learning rate.
    """

    rule: str
    layer: str
    step: int
    what: str
    value: float
    threshold: float
    advice: str
    gate: str | None = None
    unit: int | None = None
    timestep: int | None = None
    state: State = "standing"
    tried: str = ""

    def __str__(self) -> str:
        places = {"gate": self.gate, "unit": self.unit, "timestep": self.timestep}
        named = "".join(f", {name} {value}" for name, value in places.items() if value is not None)
        return (
            f"{self.rule}: layer {self.layer!r}{named}, step {self.step}: {self.what}. "
            f"Try: {self.advice}. {self.tried}"
        ).rstrip()

    def plain(self) -> dict[str, str | int | float | None]:
        """The attributes by name, and the whole sentence as `text`: for logs and scripts."""
        return {**vars(self), "text": str(self)}


@dataclass(frozen=True)
class Thresholds:
    """The values beyond which a number is an alert.

    Each was tried on networks that had learned their task, where no alert may be raised, and on
    networks that were made ill on purpose.

    Attributes:
        saturated: the fraction of units and steps at which a gate is below 0.1 or above 0.9; 0..1.
            A trained gate is often open or shut, but a gate that nearly always is passes no
            gradient. A forget or update gate counts only where it is shut, because an open one
            remembers. An input gate that is shut does not count where the forget gate is open.
        saturated_while_learning: the same while the loss falls; 0..1. A network that learns decides
            more and more sharply: an LSTM that predicts text does so at nine steps of ten.
        dead: the fraction of units whose `h` does not move; 0..1. With one in ten, the layer is
            larger than it needs to be.
        dead_while_learning: the same while the loss falls, and of relu always; 0..1. A unit of
            relu that is dead on the probe may live for other sequences.
        vanished: the fraction of the probe's steps whose gradient is lost; 0..1. It is lost where
            it is smaller than the largest one by more than float32 resolves (6e-8), so that nothing
            of it is left in a sum.
        exploded: how many times larger a gradient is, at any step, than at the last one. With
            1000, clipping at norm 1 would leave a thousandth of every other weight's update.
        update_ratio: `|dW| / |W|` of a kernel for each training step. About 1e-3 is usual. At 0.1
            a matrix is replaced within ten steps, in which its gradient does not stay the same.
        horizon: the horizon of the unit with the longest memory, as a fraction of the probe's
            length. After 17 horizons less is left than float32 resolves (exp(-17) = 4e-8). So
            below 0.03, even that unit holds nothing of the first half of the probe. A task may
            need no more than that: the alert is raised only while the loss stands still.
        min_steps: the number of steps of the shortest probe on which memory is judged.
        forgotten: a horizon, in steps, that is short whatever the loss does, or where the loss is
            not known. At 0.5 a step keeps an eighth. New layers lie above it: an LSTM of Keras at
            3.2 steps, one of PyTorch or a GRU at 1.4.
        patience: an alert stands when its rule has applied at so many captures in a row.
        improvement: a loss stands still if it has fallen by less than this part of itself since
            the training's second capture.

    Example:
        >>> Thresholds(dead=0.5).dead
        0.5
    """

    saturated: float = 0.9
    saturated_while_learning: float = 0.95
    dead: float = 0.1
    dead_while_learning: float = 0.5
    vanished: float = 0.5
    exploded: float = 1e3
    update_ratio: float = 0.1
    horizon: float = 0.03
    min_steps: int = 20
    forgotten: float = 0.5
    patience: int = 3
    improvement: float = 0.05

    @property
    def steady(self) -> float:
        """An update ratio that needs no lower learning rate: a tenth of the largest healthy one."""
        return self.update_ratio / 10


def alert_about(
    snapshot: Snapshot,
    rule: str,
    what: str,
    value: float,
    threshold: float,
    advice: str,
    **place: Any,
) -> Alert:
    """An alert about the layer of a snapshot.

    Args:
        snapshot: the layer at one training step.
        rule: the name of the rule.
        what: what was found, in words.
        value: the number that the rule looks at.
        threshold: the threshold that the number is beyond.
        advice: what to try.
        place: `gate`, `unit` and `timestep`, as far as the alert is about them.
    """
    place["tried"] = said_of_cures(rule, advice)
    return Alert(rule, snapshot.layer, snapshot.step, what, value, threshold, advice, **place)
