"""Euclidean norms of the weights of a layer, and of their changes, gate by gate."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields

import numpy as np

from lstm_probe.core.arrays import Array
from lstm_probe.weights import CellWeights, GateWeights

__all__ = ["norms_and_changes", "norms_by_name"]


def norms_by_name(
    after: CellWeights, before: CellWeights
) -> Iterator[tuple[str, tuple[float, float]]]:
    """The norms `|W|` after and `|dW|` of all arrays of a layer, by their names in logs.

    Args:
        after: the weights of one layer.
        before: its weights at an earlier step, of the same shapes.

    Yields:
        For each array, of each gate where there are gates: its name, `|W|` and `|dW|`.

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
    """The norms `|W|` after and `|dW|` of one array, for each of its gates.

    Args:
        after: `(..., units)`, or `(..., gates, units)`, float.
        before: the same shape.
        gates: how many gates lie along the last axis but one.

    Returns:
        Two arrays `(gates,)` of float64, 0 or more. The squares are summed in float64.

    Example:
        >>> norm, change = norms_and_changes(np.full((1, 1, 4), 2.0), np.ones((1, 1, 4)))
        >>> norm.tolist(), change.tolist()
        ([4.0], [2.0])
    """
    after, before = (a.reshape(-1, gates, a.shape[-1] if a.ndim else 1) for a in (after, before))
    with np.errstate(all="ignore"):
        return _norms(after), _norms(np.subtract(after, before, dtype=np.float64))


def _norms(array: Array) -> Array:
    """From `(rows, gates, units)` to the norm of each gate."""
    squares = np.einsum("rgu,rgu->g", array, array, dtype=np.float64, casting="same_kind")
    return np.asarray(np.sqrt(squares))


def _arrays(after: CellWeights, before: CellWeights) -> Iterator[tuple[Array, Array, int]]:
    """Each array in the order of its names, after and before, and how many gates it holds."""
    if not isinstance(after, GateWeights):
        for (_, new), (_, old) in zip(after.named(), before.named(), strict=True):
            yield new, old, 1
        return
    for field in fields(after):
        new, old = getattr(after, field.name), getattr(before, field.name)
        if new is not None:
            by_gate = new.shape[-2:] == (len(after.gates), after.units)
            yield new, old, len(after.gates) if by_gate else 1
