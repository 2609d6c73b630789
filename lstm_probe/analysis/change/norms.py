"""Euclidean norms of weights and of their changes, gate by gate, in one pass over the memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields

import numpy as np

from lstm_probe.core.arrays import Array
from lstm_probe.weights import CellWeights, GateWeights

__all__ = ["norms_and_changes", "norms_by_name"]

#: A sum of squares below may have lost squares that float32 cannot hold.
_SMALLEST_SQUARE = 1e-30
#: So many values at a time stay in a processor's nearest caches.
_BLOCK = 2**15


def norms_by_name(
    after: CellWeights, before: CellWeights
) -> Iterator[tuple[str, tuple[float, float]]]:
    """`|W|` after and `|dW|` of all arrays of a layer, by their names in logs.

    Args:
        after: weights of one layer.
        before: the same layer's, of the same shapes.

    Example:
        >>> from lstm_probe import weights
        >>> zeros = weights.from_keras(np.zeros((3, 2)), np.zeros((2, 2)))
        >>> ones = weights.from_keras(np.ones((3, 2)), np.zeros((2, 2)))
        >>> {name: round(change, 3) for name, (_, change) in norms_by_name(ones, zeros)}
        {'kernel/1_h': 2.449, 'recurrent_kernel/1_h': 0.0}
    """
    names = [name for name, _ in after.named()]
    found: list[tuple[float, float]] = []
    for new, old, gates in _arrays(after, before):
        pairs = (each.tolist() for each in norms_and_changes(new, old, gates))
        found += zip(*pairs, strict=True)
    return zip(names, found, strict=True)


def norms_and_changes(after: Array, before: Array, gates: int = 1) -> tuple[Array, Array]:
    """`|W|` after and `|dW|`, `(gates,)` each.

    Float32 is summed in float32, in blocks: seven digits are plenty, and half the time.

    Args:
        after: `(..., units)`, or `(..., gates, units)`.
        before: the same shape.
        gates: how many parts there are along the last axis but one.

    Example:
        >>> norm, change = norms_and_changes(np.full((1, 1, 4), 2.0), np.ones((1, 1, 4)))
        >>> norm.tolist(), change.tolist()
        ([4.0], [2.0])
    """
    after, before = (a.reshape(-1, gates, a.shape[-1] if a.ndim else 1) for a in (after, before))
    with np.errstate(all="ignore"):
        squares = _squares(after, before)
        if _has_lost(squares, after, before):
            squares = _squares(after.astype(np.float64), before.astype(np.float64))
        norm, change = np.sqrt(squares)
    return norm, change


def _arrays(after: CellWeights, before: CellWeights) -> Iterator[tuple[Array, Array, int]]:
    """Each array in the order of its names, and how many gates it holds."""
    if not isinstance(after, GateWeights):
        for (_, new), (_, old) in zip(after.named(), before.named(), strict=True):
            yield new, old, 1
        return
    for field in fields(after):
        new, old = getattr(after, field.name), getattr(before, field.name)
        if new is not None:
            by_gate = new.shape[-2:] == (len(after.gates), after.units)
            yield new, old, len(after.gates) if by_gate else 1


def _squares(after: Array, before: Array) -> Array:
    """`(2, gates)`, the sums of the squares of what is there now and of what has changed."""
    total = np.zeros((2, after.shape[1]))
    rows = max(1, _BLOCK // max(1, after[0].size))
    for start in range(0, len(after), rows):
        new = after[start : start + rows]
        change = new - before[start : start + rows]
        total += np.einsum("rgu,rgu->g", new, new), np.einsum("rgu,rgu->g", change, change)
    return total


def _has_lost(squares: Array, after: Array, before: Array) -> bool:
    """Whether there were squares that are too small or too large for a narrow type."""
    if after.dtype == before.dtype == np.float64:
        return False
    norm, change = squares
    usual = (norm > _SMALLEST_SQUARE) & (norm < np.inf)
    # A change whose squares all vanish beside such weights is less than float32 resolves.
    usual &= (change == 0) | ((change > _SMALLEST_SQUARE) & (change < np.inf))
    rest = np.flatnonzero(~usual)
    return bool(rest.size and (after[:, rest].any() or before[:, rest].any()))
