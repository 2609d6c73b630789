"""`Scale`: which value is shown by which colour, whatever the data."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from matplotlib.colors import FuncNorm, Normalize

from lstm_probe.core.arrays import Array, computing_dtype
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.core.trace import Interval

__all__ = ["OUTSIDE", "ROUNDING", "Scale"]

#: The position of a finite value that lies outside of the interval.
OUTSIDE: Final = math.inf
#: How far outside, as a part of the interval, a value still counts as rounded: the half of one of
#: the 201 colours of a picture.
ROUNDING: Final = 0.0025
#: Where a colour bar of unbounded values ends: tanh(10) is 1 to within 4e-9.
_FAR: Final = 10.0
_UNBOUNDED_TICKS: Final = (-3.0, -1.0, -0.5, 0.0, 0.5, 1.0, 3.0)


@dataclass(frozen=True)
class Scale:
    """From values to positions on the colour bar, 0 at its low end and 1 at its high end.

    It depends on the interval of an array and never on the data, so that the pictures of
    different steps, layers and runs compare. A bounded interval is spread evenly; values that are
    not bounded pass through `tanh`, with 0 in the middle.

    Attributes:
        interval: the closed interval of the values; None if they are not bounded.

    Raises:
        LstmProbeError: the ends of the interval are not finite and in order.

    Example:
        >>> Scale((0.0, 1.0)).positions(np.array([0.0, 0.25, 7.0, np.nan])).tolist()
        [0.0, 0.25, inf, nan]
        >>> Scale(None).positions(np.array([-100.0, 0.0, 100.0])).tolist()
        [0.0, 0.5, 1.0]
    """

    interval: Interval

    def __post_init__(self) -> None:
        if self.interval is None:
            return
        low, high = self.interval
        if not (math.isfinite(low) and math.isfinite(high) and low < high):
            raise LstmProbeError(
                f"A picture needs a scale. Received: the interval {self.interval}. "
                "Expected: (low, high), finite and low < high; None if the values are not bounded."
            )

    @property
    def limits(self) -> tuple[float, float]:
        """The values at the two ends of the colour bar."""
        return (-_FAR, _FAR) if self.interval is None else self.interval

    @property
    def ticks(self) -> tuple[float, ...]:
        """The values that the colour bar names.

        Example:
            >>> Scale((-1.0, 1.0)).ticks
            (-1.0, -0.5, 0.0, 0.5, 1.0)
        """
        if self.interval is None:
            return _UNBOUNDED_TICKS
        return tuple(np.linspace(*self.interval, 5).tolist())

    @property
    def tick_labels(self) -> tuple[str, ...]:
        """The ticks as text, with a true minus sign."""
        return tuple(f"{tick:.3g}".replace("-", "\N{MINUS SIGN}") for tick in self.ticks)

    @property
    def note(self) -> str:
        """What a label adds to the name of an array; empty if the scale is linear."""
        return ", tanh scale" if self.interval is None else ""

    def positions(self, array: Array) -> Array:
        """Where values lie on the colour bar.

        Args:
            array: values of any shape and real dtype.

        Returns:
            The same shape, float32 or float64: 0..1; `OUTSIDE` for finite values outside of the
            interval by more than `ROUNDING`; NaN for NaN and infinity.
        """
        values = np.asarray(array, computing_dtype(array.dtype))
        if self.interval is None:
            positions = np.asarray(np.tanh(values) * 0.5 + 0.5)
        else:
            low, high = self.interval
            span = high - low
            margin = ROUNDING * span
            positions = np.asarray((np.clip(values, low, high) - low) / span)
            positions[(values < low - margin) | (values > high + margin)] = OUTSIDE
        positions[~np.isfinite(values)] = np.nan
        return positions

    def norm(self) -> Normalize:
        """The same scale for matplotlib.

        Example:
            >>> float(Scale((-1.0, 1.0)).norm()(0.5))
            0.75
        """
        if self.interval is None:
            return FuncNorm((np.tanh, np.arctanh), *self.limits)
        return Normalize(*self.interval)
