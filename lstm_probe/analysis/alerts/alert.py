"""`Alert`: what an alert says. `Thresholds`: the values beyond which a number is an alert."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lstm_probe.analysis.snapshot import Snapshot

__all__ = ["Alert", "Thresholds", "alert_about"]


@dataclass(frozen=True)
class Alert:
    """A warning that something in a layer should be looked at.

    Attributes:
        rule: the name of the rule that applies.
        layer: the layer's name.
        step: the training step.
        what: what was found, in words.
        value: the number that the rule looks at.
        threshold: the threshold that the number is beyond.
        advice: what to try.
        gate: the letter of the gate, if the alert is about one.
        unit: the index of the worst unit, if the alert is about units.
        timestep: the timestep of the probe, if the alert is about one.

    Example:
        >>> alert = Alert("dead_units", "lstm", 100, "3 of 10 units do not move", 0.3, 0.1,
        ...               "lower the learning rate", unit=4)
        >>> print(alert)
        dead_units: layer 'lstm', unit 4, step 100: 3 of 10 units do not move (0.3, threshold \
0.1). Try: lower the learning rate.
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

    def __str__(self) -> str:
        places = {"gate": self.gate, "unit": self.unit, "timestep": self.timestep}
        named = "".join(f", {name} {value}" for name, value in places.items() if value is not None)
        return (
            f"{self.rule}: layer {self.layer!r}{named}, step {self.step}: {self.what} "
            f"({self.value:.3g}, threshold {self.threshold:.3g}). Try: {self.advice}."
        )

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
        dead: the fraction of units whose `h` does not move; 0..1. With one in ten, the layer is
            larger than it needs to be.
        vanished: the fraction of the probe's steps whose gradient is lost; 0..1. It is lost where
            it is smaller than the largest one by more than float32 resolves (6e-8), so that nothing
            of it is left in a sum.
        exploded: how many times larger a gradient is, at any step, than at the last one. With
            1000, clipping at norm 1 would leave a thousandth of every other weight's update.
        update_ratio: `|dW| / |W|` of a kernel for each training step. About 1e-3 is usual. At 0.1
            a matrix is replaced within ten steps, in which its gradient does not stay the same.
        horizon: the horizon of the unit with the longest memory, as a fraction of the probe's
            length. After 17 horizons less is left than float32 resolves (exp(-17) = 4e-8). So
            below 0.03, even that unit holds nothing of the first half of the probe.
        min_steps: the number of steps of the shortest probe on which memory is judged.

    Example:
        >>> Thresholds(dead=0.5).dead
        0.5
    """

    saturated: float = 0.9
    dead: float = 0.1
    vanished: float = 0.5
    exploded: float = 1e3
    update_ratio: float = 0.1
    horizon: float = 0.03
    min_steps: int = 20


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
    return Alert(rule, snapshot.layer, snapshot.step, what, value, threshold, advice, **place)
