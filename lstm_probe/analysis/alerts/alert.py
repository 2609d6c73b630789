"""What an alert says, and from where on a number is one."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Alert", "Thresholds"]


@dataclass(frozen=True)
class Alert:
    """Something that should be looked at.

    Attributes:
        rule: the name of the rule.
        layer: the layer's name.
        step: the training step.
        what: what was seen, in words.
        value: the number that set it off.
        threshold: what that number was compared with.
        advice: what to try.
        gate: the gate, if it is about one.
        unit: the unit that is worst, if it is about units.
        timestep: the timestep of the probe, if it is about one.

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
        """Its attributes by name, and `text`, what it prints: for logs and scripts."""
        return {**vars(self), "text": str(self)}


@dataclass(frozen=True)
class Thresholds:
    """From where on a number is a warning. Each was tried on networks that had learned their task
    (no alarm) and on ones made ill on purpose.

    Attributes:
        saturated: the part of all units and steps at which a gate is below 0.1 or above 0.9. A
            trained gate is often open or shut, but one that is nearly always so passes no
            gradient. A forget or update gate counts only when shut, for open is how it remembers;
            an input gate that is shut does not count as far as the forget gate is open.
        dead: the part of the units whose `h` does not move. One in ten is wasted size.
        vanished: the part of the probe's steps whose gradient is lost: smaller than the largest by
            more than float32 resolves (6e-8), so that nothing of it survives in a sum.
        exploded: how many times larger a gradient is anywhere than at the last step. Clipping at
            norm 1 would leave a thousandth of every other weight's update.
        update_ratio: `|dW| / |W|` per step, of kernels. About 1e-3 is usual; at 0.1 a matrix is
            replaced within ten steps, which no gradient foresees.
        horizon: the horizon of the unit that remembers longest, as a part of the probe. After 17
            horizons less is left than float32 resolves (exp(-17) = 4e-8), so below 0.03 even that
            unit knows nothing of the first half.
        min_steps: memory is judged only on probes with as many steps; shorter ones need none.

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
