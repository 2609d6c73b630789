"""Biases that the weights do not hold, inferred from the framework's output."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from lstm_probe.analysis.conventions.weights import Candidate, change
from lstm_probe.analysis.parity.teacher_forcing import force
from lstm_probe.analysis.snapshot import Snapshot
from lstm_probe.cells.base import UnknownBiases
from lstm_probe.cells.shared.slopes import has_slopes
from lstm_probe.core.arrays import Array
from lstm_probe.weights import GateWeights

__all__ = ["inferred_biases"]

_ROUNDS = 12
#: The first start is at zero; the others help units with flat activations.
_STARTS = 4
_STEP = 1e-5
#: So many more equations than unknowns, over all units, that no chance fits them.
_REDUNDANT = 4


def inferred_biases(seen: Snapshot) -> Iterator[Candidate]:
    """The biases with which every step fits best, by Gauss and Newton.

    Each step begins with the framework's own state, so a unit's output depends on no biases but
    its own: a handful of numbers, and as many equations as there are steps.

    Args:
        seen: in reading order.
    """
    weights = seen.weights
    assert isinstance(weights, GateWeights)
    if not _solvable(seen):
        return
    equations = seen.output.size // weights.units
    if seen.mask is not None:
        equations = equations * int(seen.mask.sum()) // seen.mask.size
    cell: Any = seen.cell
    for unknowns in cell.unknown_biases(weights):
        if (equations - len(unknowns)) * weights.units < _REDUNDANT:
            continue
        offsets = np.zeros((len(unknowns), weights.units))
        left = np.full(weights.units, np.inf)
        rng = np.random.default_rng(0)
        does = "adds biases that the weights do not hold"
        for _ in range(_STARTS):
            start = rng.normal(0, 0.5, offsets.shape) * np.isfinite(left)
            for _ in range(_ROUNDS):
                start += _newton(seen, unknowns, start)
            rest = np.square(_error(seen, unknowns, start)).sum(axis=0)
            better = rest < left
            offsets[:, better], left[better] = start[:, better], rest[better]
            yield change(seen, "bias", does, weights=_with_offsets(weights, unknowns, offsets))


def _solvable(seen: Snapshot) -> bool:
    cell: Any = seen.cell
    names = (cell.activation, getattr(cell, "recurrent_activation", "sigmoid"))
    return has_slopes(*names) and bool(np.isfinite(seen.output).all())


def _newton(seen: Snapshot, unknowns: UnknownBiases, offsets: Array) -> Array:
    """One step towards the offsets that explain the output, `(unknowns, units)`."""
    error = _error(seen, unknowns, offsets)
    slopes = []
    for index in range(len(offsets)):
        moved = offsets.copy()
        moved[index] += _STEP
        slopes.append((_error(seen, unknowns, moved) - error) / _STEP)
    jacobian = np.stack(slopes, axis=-1)  # (steps, units, unknowns)
    squares = np.einsum("suk,sul->ukl", jacobian, jacobian)
    # A little damping, for units whose gates are saturated.
    squares += (
        1e-9 * (1 + np.trace(squares, axis1=1, axis2=2))[:, None, None] * np.eye(len(offsets))
    )
    slope = np.einsum("suk,su->uk", jacobian, error)
    step = -np.linalg.solve(squares, slope[:, :, None])[:, :, 0].T
    return np.clip(step, -1, 1)


def _error(seen: Snapshot, unknowns: UnknownBiases, offsets: Array) -> Array:
    weights = seen.weights
    assert isinstance(weights, GateWeights)
    forced = force(replace(seen, weights=_with_offsets(weights, unknowns, offsets)))
    assert forced is not None
    return np.asarray((forced.output - seen.output).reshape(-1, weights.units))


def _with_offsets(weights: GateWeights, unknowns: UnknownBiases, offsets: Array) -> GateWeights:
    arrays: dict[str, Any] = {}
    for name in ("bias", "recurrent_bias") if hasattr(weights, "recurrent_bias") else ("bias",):
        array = np.zeros((len(weights.gates), weights.units))
        if getattr(weights, name) is not None:
            array += getattr(weights, name)
        for (gate, places), offset in zip(unknowns, offsets, strict=True):
            array[gate] += places.get(name, 0.0) * offset
        arrays[name] = array
    return replace(weights, **arrays)
