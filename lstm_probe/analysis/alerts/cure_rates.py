"""`CURE_RATES`: how often the advice of an alert cured, measured by `benchmarks/cures.py`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["CURE_RATES", "CureRate", "cure_rate", "said_of_cures"]


@dataclass(frozen=True)
class CureRate:
    """What became of ill trainings that were repeated as an advice says.

    The loss is that on held-out data. It is better where that of most seeds is more than 5 % lower
    than that of each ill one, and worse where its mean is higher by more than two standard
    deviations of the ill ones.

    Attributes:
        rule: the name of the alert.
        advice: the words that the advice begins with.
        cured: in so many trainings the alert was gone, and the loss was better.
        only_alert: the alert was gone, and the loss was the same.
        nothing: the alert was raised again.
        harmed: the loss was worse.

    Example:
        >>> CureRate("dead_units", "fewer units", cured=2, nothing=1).trainings
        3
    """

    rule: str
    advice: str
    cured: int = 0
    only_alert: int = 0
    nothing: int = 0
    harmed: int = 0

    @property
    def trainings(self) -> int:
        """How many trainings of the bench were ill of this, and repeated."""
        return self.cured + self.only_alert + self.nothing + self.harmed


#: All advice that was measured. The table in `docs/reading_the_gates.md` is the same.
CURE_RATES: Final = (
    CureRate("not_finite", "a lower learning rate", cured=1, nothing=1),
    CureRate(
        "exploding_gradient", "clipnorm=1.0 together with an orthogonal", cured=2, only_alert=1
    ),
    CureRate("vanishing_gradient", "biases of gate", cured=5, only_alert=1),
    CureRate("vanishing_gradient", "relu with an identity", cured=1, only_alert=1),
    CureRate("saturated_gates", "a lower learning rate", cured=2, harmed=1),
    CureRate("saturated_gates", "inputs of unit variance", cured=2),
    CureRate("dead_units", "tanh instead of relu", cured=3),
    CureRate("dead_units", "a lower learning rate", cured=1),
    CureRate("short_memory", "biases of gate", cured=5, only_alert=1),
    CureRate("unchanged_weights", "trainable=True", cured=2),
    CureRate("update_ratio", "a learning rate", cured=1),
)


def cure_rate(rule: str, advice: str) -> CureRate | None:
    """What was measured for an advice; None if it was not measured."""
    return next(
        (rate for rate in CURE_RATES if rate.rule == rule and advice.startswith(rate.advice)), None
    )


def said_of_cures(rule: str, advice: str) -> str:
    """How often an advice has cured, as a sentence; empty for what is no illness of a training.

    Example:
        >>> said_of_cures("not_finite", "prayers"), said_of_cures("parity_mismatch", "prayers")
        ('This was not tried on our bench.', '')
    """
    if not any(rate.rule == rule for rate in CURE_RATES):
        return ""
    rate = cure_rate(rule, advice)
    if rate is None:
        return "This was not tried on our bench."
    harmed = f" and harmed {rate.harmed}" if rate.harmed else ""
    return (
        f"On our bench this cured {rate.cured or 'none'} of {rate.trainings} such trainings"
        f"{harmed}."
    )
