"""How fast a gradient fades on its way back, in two numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lstm_probe.core.arrays import Array, BoolArray

__all__ = ["decay", "reach", "steps_back"]


def steps_back(norms: Array, mask: BoolArray | None, *, reverse: bool) -> list[Array]:
    """For each sequence: the norms at its valid steps, the last step that is read first.

    Args:
        norms: `(batch, time)`, in the order of the input's time.
        mask: the same shape; None if all steps count.
        reverse: the layer reads from the last timestep to the first.

    Example:
        >>> [row.tolist() for row in steps_back(np.array([[1.0, 2.0]]), None, reverse=False)]
        [[2.0, 1.0]]
    """
    flip = slice(None, None, 1 if reverse else -1)
    if mask is None:
        return list(norms[:, flip])
    return [row[valid] for row, valid in zip(norms[:, flip], mask[:, flip], strict=True)]


def decay(rows: Sequence[Array]) -> float:
    """The geometric mean of the factors from step to step; NaN where there are none.

    Args:
        rows: for each sequence its norms, the last step first.

    Example:
        >>> decay([np.array([1.0, 0.5, 0.25])])
        0.5
    """
    # A norm of 0 has left the range of float64; the steps before tell how fast.
    lived = [row if row.all() else row[: max(2, int(row.argmin()))] for row in rows]
    ends = [(row[0], row[-1], len(row) - 1) for row in lived if len(row) > 1]
    steps = sum(count for _, _, count in ends)
    if not steps:
        return float("nan")
    logarithms = sum(float(np.log(last) - np.log(first)) for first, last, _ in ends)
    return float(np.exp(logarithms / steps))


def reach(rows: Sequence[Array]) -> float:
    """How many steps back the norms stay above 1 % of their largest, the median of the sequences;
    NaN where no norm is a positive number.

    Args:
        rows: for each sequence its norms, the last step first.

    Example:
        >>> reach([np.array([1.0, 0.5, 1e-3, 1e-6])])
        1.0
    """
    largest = [float(np.fmax.reduce(row, initial=0.0)) for row in rows]
    reaches = [
        int(np.flatnonzero(row >= 0.01 * most)[-1])
        for row, most in zip(rows, largest, strict=True)
        if 0 < most < np.inf
    ]
    middle = sorted(reaches)[(len(reaches) - 1) // 2 : len(reaches) // 2 + 1]
    return sum(middle) / len(middle) if middle else float("nan")
