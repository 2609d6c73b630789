"""The memory in which an LSTM's steps are computed.

The gates `i f o` are held doubled there, as `cells/lstm/cell.py` computes them.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from lstm_probe.core.arrays import Array

__all__ = ["LstmSteps", "constants"]


class LstmSteps:
    """A few steps, which are written to again and again, so that they stay in the processor's cache
    and NumPy makes views of them once.

    They lie in one line: `c i f g o c i f g o c ... c`. What is multiplied, `c` with `f` and `i`
    with `g`, is two places apart, so that one call serves both.

    Args:
        length: how many steps.
        c: the cell state before the first, `(batch, units)`.

    Attributes:
        views: for each step `c i`, `f g`, `o`, `i f g o`, `g`, and the next `c`.
        sums: where those of the gates belong, `(length, 4, batch * units)`.

    Example:
        >>> steps, out = LstmSteps(2, np.zeros((1, 3))), np.empty((1, 15))
        >>> steps.sums[:] = 2
        >>> steps.views[0][5][:] = 7
        >>> steps.hand_over(out)
        >>> out.reshape(5, 3)[:, 0].tolist(), steps.views[0][0].tolist()
        ([1.0, 1.0, 2.0, 1.0, 7.0], [7.0, 7.0, 7.0, 2.0, 2.0, 2.0])
    """

    def __init__(self, length: int, c: Array) -> None:
        size = c.size
        self._line = np.empty((5 * length + 1) * size, c.dtype)
        self._line[:size] = c.ravel()
        before = self._line[:-size].reshape(length, 5 * size)
        self._after = self._line[size:].reshape(length, 5 * size)
        gates = self._after[:, : 4 * size]
        self.views = list(
            zip(
                before[:, : 2 * size],
                before[:, 2 * size : 4 * size],
                before[:, 4 * size :],
                gates,
                gates[:, 2 * size : 3 * size],
                self._after[:, 4 * size :],
                strict=True,
            )
        )
        self.sums = self._after.reshape(length, 5, size)[:, :4]
        self._scales = _scales(size, c.dtype)

    def hand_over(self, out: Array) -> None:
        """Write `i f g o c` of the first steps to `(steps, 5 * batch * units)`, no longer doubled,
        and begin anew after the last of them."""
        after = self._after[: len(out)]
        np.multiply(after, self._scales, out)
        size = len(self._scales) // 5
        self._line[:size] = after[-1, 4 * size :]


@lru_cache(maxsize=8)
def _scales(size: int, dtype: np.dtype[Any]) -> Array:
    """What makes `i f g o c` of what `LstmSteps` holds; not to be written to."""
    return _read_only(np.repeat(np.array([0.5, 0.5, 1, 0.5, 1], dtype), size))


@lru_cache(maxsize=8)
def constants(size: int, dtype: np.dtype[Any]) -> tuple[Array, Array]:
    """What is added to `tanh` of the sums `i f g o`, and two halves; not to be written to.

    Args:
        size: how many values a gate has.
        dtype: of the arrays.

    Example:
        >>> [array.tolist() for array in constants(1, np.dtype("f4"))]
        [[1.0, 1.0, 0.0, 1.0], [0.5, 0.5]]
    """
    ones_and_zero = np.repeat(np.array([1, 1, 0, 1], dtype), size)
    return _read_only(ones_and_zero), _read_only(np.full(2, 0.5, dtype))


def _read_only(array: Array) -> Array:
    array.setflags(write=False)
    return array
