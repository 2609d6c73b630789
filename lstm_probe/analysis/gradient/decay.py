"""Two numbers that say how fast the norm of a gradient changes on its way back through time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lstm_probe.core.arrays import Array, BoolArray

__all__ = ["decay", "reach", "steps_back"]

#: A norm below this part of the largest one is out of reach.
_OUT_OF_REACH = 0.01


def steps_back(norms: Array, mask: BoolArray | None, *, reverse: bool) -> list[Array]:
    """Put the norms of each sequence in the order of backpropagation, without masked steps.

    Args:
        norms: `(batch, time)`, float, in the order of the input's time.
        mask: `(batch, time)`, False at steps that do not count; None if all count.
        reverse: the layer reads from the last timestep to the first.

    Returns:
        One array of norms for each sequence; its first entry belongs to the step that the layer
        computes last.

    Example:
        >>> [row.tolist() for row in steps_back(np.array([[1.0, 2.0]]), None, reverse=False)]
        [[2.0, 1.0]]
    """
    flip = slice(None, None, 1 if reverse else -1)
    if mask is None:
        return list(norms[:, flip])
    return [row[valid] for row, valid in zip(norms[:, flip], mask[:, flip], strict=True)]


def decay(rows: Sequence[Array]) -> float:
    """The factor by which a norm changes with each step back: a geometric mean over all steps.

    Args:
        rows: the norms of each sequence, as `steps_back` returns them; 0 or more.

    Returns:
        0 or more: below 1 the gradient vanishes, above 1 it explodes. NaN if no sequence has two
        steps.

    Example:
        >>> decay([np.array([1.0, 0.5, 0.25])])
        0.5
    """
    # A norm of 0 is below the range of float64. The steps up to there tell how fast it shrinks.
    within_range = [row if row.all() else row[: max(2, int(row.argmin()))] for row in rows]
    ends = [(row[0], row[-1], len(row) - 1) for row in within_range if len(row) > 1]
    steps = sum(count for _, _, count in ends)
    if not steps:
        return float("nan")
    logarithms = sum(float(np.log(last) - np.log(first)) for first, last, _ in ends)
    return float(np.exp(logarithms / steps))


def reach(rows: Sequence[Array]) -> float:
    """How many steps back a norm stays above 1 % of its largest value.

    Args:
        rows: the norms of each sequence, as `steps_back` returns them; 0 or more.

    Returns:
        The median over the sequences; NaN if no sequence has a norm that is positive and finite.

    Example:
        >>> reach([np.array([1.0, 0.5, 1e-3, 1e-6])])
        1.0
    """
    largest = [float(np.fmax.reduce(row, initial=0.0)) for row in rows]
    reaches = [
        int(np.flatnonzero(row >= _OUT_OF_REACH * most)[-1])
        for row, most in zip(rows, largest, strict=True)
        if 0 < most < np.inf
    ]
    return float(np.median(reaches)) if reaches else float("nan")
