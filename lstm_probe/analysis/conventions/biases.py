"""Biases that the weights do not hold, inferred from the framework's output."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from lstm_probe.analysis.conventions.candidate import Candidate, change
from lstm_probe.analysis.conventions.evidence import first_steps, sequences
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
#: So many sequences and equations for each unit are used.
_SEQUENCES, _EQUATIONS = 4, 32
#: Where most units keep more than this part of the squares of their output, no biases explain it.
_HOPELESS = 1e-2


def inferred_biases(seen: Snapshot) -> Iterator[Candidate]:
    """The biases or the peepholes with which the steps fit best, by the Gauss-Newton method.

    Each step begins with the framework's own state, so that a unit's output depends on no biases
    but its own. These are a few unknowns, and each step gives one equation for them. They are
    found from the first steps of some sequences.

    Args:
        seen: what was captured, in reading order.

    Source:
        Nocedal & Wright 2006, "Numerical Optimization", section 10.3 (Gauss-Newton; the damping is
        that of Levenberg and Marquardt).
    """
    weights = seen.weights
    assert isinstance(weights, GateWeights)
    part = _first_steps(seen)
    if not _solvable(part):
        return
    equations = part.output.size // weights.units
    if part.mask is not None:
        equations = equations * int(part.mask.sum()) // part.mask.size
    cell: Any = seen.cell
    for unknowns in cell.unknown_biases(weights):
        if (equations - len(unknowns)) * weights.units < _REDUNDANT:
            continue
        fitted = len(unknowns) * weights.units
        name, does = "bias", "adds biases that the weights do not hold"
        if "peepholes" in unknowns[0][1]:
            name, does = "peephole", "has peepholes that the weights do not hold"
        for offsets in _solutions(part, unknowns):
            found = _with_offsets(weights, unknowns, offsets)
            yield change(name, does, fitted=fitted, weights=found)


def _solutions(seen: Snapshot, unknowns: UnknownBiases) -> Iterator[Array]:
    """Offsets `(unknowns, units)`, each better than the ones before, from several starts."""
    units = seen.weights.units
    offsets, left = np.zeros((len(unknowns), units)), np.full(units, np.inf)
    rng = np.random.default_rng(0)
    for _ in range(_STARTS):
        start = rng.normal(0, 0.5, offsets.shape) * np.isfinite(left)
        for number in range(_ROUNDS):
            start += _newton(seen, unknowns, start)
            if number == _ROUNDS // 3 and _is_hopeless(seen, _error(seen, unknowns, start)):
                break
        rest = np.square(_error(seen, unknowns, start)).sum(axis=0)
        better = rest < left
        offsets[:, better], left[better] = start[:, better], rest[better]
        yield offsets.copy()
        if _is_hopeless(seen, _error(seen, unknowns, offsets)):
            return  # another start helps single units, not most of them


def _is_hopeless(seen: Snapshot, error: Array) -> bool:
    """Whether most units are still far from fitting."""
    left = np.median(np.square(error).mean(axis=0))
    return bool(left > _HOPELESS * np.square(seen.output).mean())


def _first_steps(seen: Snapshot) -> Snapshot:
    """The first steps of some sequences: there are enough equations in them."""
    few = sequences(seen, np.arange(min(len(seen.x), _SEQUENCES)))
    return first_steps(few, max(1, -(-_EQUATIONS // len(few.x))))


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


def _with_offsets(weights: Any, unknowns: UnknownBiases, offsets: Array) -> GateWeights:
    """The weights with `(unknowns, units)` added to their biases."""
    arrays: dict[str, Any] = {}
    for name in {name: None for _, places in unknowns for name in places}:
        gates: Any = weights.peephole_gates if name == "peepholes" else weights.gates
        shape = (len(gates), weights.units)
        array = np.zeros(shape)
        if getattr(weights, name) is not None:
            array += getattr(weights, name)
        for (gate, places), offset in zip(unknowns, offsets, strict=True):
            if name in places:
                array[gate] += places[name] * offset
        arrays[name] = array
    return replace(weights, **arrays)
