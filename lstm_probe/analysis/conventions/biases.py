"""Biases that the weights do not hold, inferred from the framework's output."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from lstm_probe.analysis.conventions.weights import Candidate, change
from lstm_probe.analysis.parity.teacher_forcing import teacher_force
from lstm_probe.analysis.snapshot import Snapshot
from lstm_probe.cells.base import UnknownBiases
from lstm_probe.cells.shared.slopes import has_slopes
from lstm_probe.core.arrays import Array
from lstm_probe.weights import GateWeights

__all__ = ["inferred_biases"]

_ROUNDS = 12
#: The first start is at zero. Random ones follow, for units whose activations are flat there.
_STARTS = 4
#: The step of the finite differences.
_STEP = 1e-5
#: There must be this many more equations than unknowns, over all units: biases that fit them all do
#: not do so by chance.
_REDUNDANT = 4


def inferred_biases(seen: Snapshot) -> Iterator[Candidate]:
    """The biases with which the steps fit best, by the Gauss-Newton method.

    Each step begins with the framework's own state, so that a unit's output depends on no biases
    but its own. These are a few unknowns, and each step gives one equation for them.

    Args:
        seen: what was captured, in reading order.

    Source:
        Nocedal & Wright 2006, "Numerical Optimization", section 10.3 (Gauss-Newton; the damping is
        that of Levenberg and Marquardt).
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
    """Whether the output is finite and the activations have slopes, as the method needs."""
    cell: Any = seen.cell
    names = (cell.activation, getattr(cell, "recurrent_activation", "sigmoid"))
    return has_slopes(*names) and bool(np.isfinite(seen.output).all())


def _newton(seen: Snapshot, unknowns: UnknownBiases, offsets: Array) -> Array:
    """One step towards the biases that explain the output, `(unknowns, units)`."""
    error = _error(seen, unknowns, offsets)
    slopes = []
    for index in range(len(offsets)):
        moved = offsets.copy()
        moved[index] += _STEP
        slopes.append((_error(seen, unknowns, moved) - error) / _STEP)
    jacobian = np.stack(slopes, axis=-1)  # (steps, units, unknowns)
    squares = np.einsum("suk,sul->ukl", jacobian, jacobian)
    # Without damping, the equations of a unit with saturated gates have no unique solution.
    squares += (
        1e-9 * (1 + np.trace(squares, axis1=1, axis2=2))[:, None, None] * np.eye(len(offsets))
    )
    slope = np.einsum("suk,su->uk", jacobian, error)
    step = -np.linalg.solve(squares, slope[:, :, None])[:, :, 0].T
    return np.clip(step, -1, 1)


def _error(seen: Snapshot, unknowns: UnknownBiases, offsets: Array) -> Array:
    """`(steps, units)`, the error of each step with the offsets added to the biases."""
    weights = seen.weights
    assert isinstance(weights, GateWeights)
    steps = teacher_force(replace(seen, weights=_with_offsets(weights, unknowns, offsets)))
    assert steps is not None
    return np.asarray((steps.output - seen.output).reshape(-1, weights.units))


def _with_offsets(weights: GateWeights, unknowns: UnknownBiases, offsets: Array) -> GateWeights:
    """The weights with `(unknowns, units)` added to their biases."""
    arrays: dict[str, Any] = {}
    for name in ("bias", "recurrent_bias") if hasattr(weights, "recurrent_bias") else ("bias",):
        array = np.zeros((len(weights.gates), weights.units))
        if getattr(weights, name) is not None:
            array += getattr(weights, name)
        for (gate, places), offset in zip(unknowns, offsets, strict=True):
            array[gate] += places.get(name, 0.0) * offset
        arrays[name] = array
    return replace(weights, **arrays)
