"""What the values of each array of a trace are: their mean and their extremes."""

from __future__ import annotations

from dataclasses import dataclass
from math import nan

from lstm_probe.core.arrays import Array
from lstm_probe.core.trace import GateTrace

__all__ = ["ValueSummary", "summarise_values"]


@dataclass(frozen=True)
class ValueSummary:
    """The values of one array over all units and all valid steps; NaN if there are none.

    Attributes:
        mean: their mean.
        smallest: the smallest.
        largest: the largest.
        count: how many there are.
    """

    mean: float
    smallest: float
    largest: float
    count: int


def summarise_values(trace: GateTrace) -> dict[str, ValueSummary]:
    """Each array of a trace, by letter. This reads every value once, so no capture asks for it.

    Example:
        >>> import numpy as np
        >>> trace = GateTrace({"h": np.array([[[0.0], [1.0]]])}, {"h": None})
        >>> summarise_values(trace)["h"]
        ValueSummary(mean=0.5, smallest=0.0, largest=1.0, count=2)
    """
    return {letter: _of_values(trace.valid(letter)) for letter in trace.letters}


def _of_values(values: Array) -> ValueSummary:
    if not values.size:
        return ValueSummary(mean=nan, smallest=nan, largest=nan, count=0)
    return ValueSummary(float(values.mean()), float(values.min()), float(values.max()), values.size)
