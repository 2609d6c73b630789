"""What the framework knows and the snapshot does not: inferred from the framework's output."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from lstm_probe.arrays import Array
from lstm_probe.cells import GruCell, LstmCell, SimpleRnnCell
from lstm_probe.cells.lstm_variants import is_variant
from lstm_probe.convention_weights import Candidate, change
from lstm_probe.forced import force, in_reading_order
from lstm_probe.snapshot import Snapshot
from lstm_probe.weights import GateWeights, GruWeights

__all__ = ["inferred"]

_ROUNDS = 10
_STEP = 1e-5


def inferred(snapshot: Snapshot) -> Iterator[Candidate]:
    """Masks, states and biases that would make a snapshot obey its equations.

    Args:
        snapshot: one that does not match.

    Yields:
        What was inferred, and the snapshot with it. Where it is right, the rest of the steps
        obeys the equations with it; that is for the caller to see.
    """
    seen = in_reading_order(snapshot)
    yield from _masks(seen)
    yield from _late(seen)
    yield from _states(seen)
    yield from _biases(seen)


def _masks(seen: Snapshot) -> Iterator[Candidate]:
    """A skipped step repeats the last output to the last bit, or shows zeros."""
    output = seen.output
    zero = (output == 0).all(axis=2)
    repeated = np.zeros_like(zero)
    repeated[:, 1:] = (output[:, 1:] == output[:, :-1]).all(axis=2)
    leading = np.logical_and.accumulate(zero, axis=1)
    for skipped, zeros in ((repeated | leading, False), (zero, True)):
        if skipped.any() and not skipped.all():
            does = (
                "skips other steps than the mask says" if seen.mask is not None else "skips steps"
            )
            yield change(seen, "mask", does, mask=~skipped, zero_output_for_mask=zeros)


def _late(seen: Snapshot) -> Iterator[Candidate]:
    if seen.timesteps > 2 and seen.mask is None:
        later = _cropped(seen, 1)
        early = replace(later, x=seen.x[:, :-1], final_output=None)
        does = "shows its output one step late"
        yield change(early, "shift", does, initial_state=seen.initial_state)


def _states(seen: Snapshot) -> Iterator[Candidate]:
    """Whatever a sequence began with, later steps begin with what was shown."""
    if seen.mask is not None and not seen.mask[:, :2].all():
        return
    cell, does = seen.cell, "begins with a state that the snapshot does not hold"
    if isinstance(cell, GruCell | SimpleRnnCell) and seen.timesteps > 1:
        state: tuple[Array, ...] = (seen.output[:, 0].astype(np.float64),)
        yield change(_cropped(seen, 1), "initial_state", does, initial_state=state)
    plain = isinstance(cell, LstmCell) and cell.activation == "tanh"
    if plain and seen.timesteps > 2 and not is_variant(cell, seen.weights):  # type: ignore[arg-type]
        forced = force(seen)
        assert forced is not None
        h = seen.output[:, 1].astype(np.float64)
        with np.errstate(all="ignore"):
            c = np.arctanh(h / forced.arrays["o"][:, 1])
        if np.isfinite(c).all():
            yield change(_cropped(seen, 2), "initial_state", does, initial_state=(h, c))


def _cropped(seen: Snapshot, start: int) -> Snapshot:
    return replace(
        seen,
        x=seen.x[:, start:],
        output=seen.output[:, start:],
        mask=None if seen.mask is None else seen.mask[:, start:],
        initial_state=None,
    )


def _biases(seen: Snapshot) -> Iterator[Candidate]:
    """The biases with which every step fits best, by Gauss and Newton.

    Each step begins with the framework's own state, so a unit's output depends on no biases but
    its own: a handful of numbers, and as many equations as there are steps.
    """
    cell, weights = seen.cell, seen.weights
    if not isinstance(cell, LstmCell | GruCell | SimpleRnnCell):
        return
    if is_variant(cell, weights) if isinstance(cell, LstmCell) else False:  # type: ignore[arg-type]
        return
    assert isinstance(weights, GateWeights)
    second = isinstance(cell, GruCell) and cell._resets_after(weights)  # type: ignore[arg-type]
    count = len(weights.gates) + second
    valid = seen.x.shape[0] * seen.timesteps if seen.mask is None else int(seen.mask.sum())
    if valid < 2 * count or not np.isfinite(seen.output).all():
        return
    offsets = np.zeros((count, weights.units))
    for _ in range(_ROUNDS):
        offsets += _newton(seen, offsets)
    does = "adds biases that the weights do not hold"
    yield change(seen, "bias", does, weights=_with_offsets(weights, offsets))


def _newton(seen: Snapshot, offsets: Array) -> Array:
    """One step towards the offsets that explain the output, `(count, units)`."""
    error = _error(seen, offsets)
    slopes = []
    for index in range(len(offsets)):
        moved = offsets.copy()
        moved[index] += _STEP
        slopes.append((_error(seen, moved) - error) / _STEP)
    jacobian = np.stack(slopes, axis=-1)  # (steps, units, count)
    squares = np.einsum("suk,sul->ukl", jacobian, jacobian)
    # A little damping, for units whose gates are saturated.
    squares += (
        1e-9 * (1 + np.trace(squares, axis1=1, axis2=2))[:, None, None] * np.eye(len(offsets))
    )
    slope = np.einsum("suk,su->uk", jacobian, error)
    step = -np.linalg.solve(squares, slope[:, :, None])[:, :, 0].T
    return np.clip(step, -1, 1)


def _error(seen: Snapshot, offsets: Array) -> Array:
    weights = seen.weights
    assert isinstance(weights, GateWeights)
    forced = force(replace(seen, weights=_with_offsets(weights, offsets)))
    assert forced is not None
    return np.asarray((forced.output - seen.output).reshape(-1, weights.units))


def _with_offsets(weights: GateWeights, offsets: Array) -> GateWeights:
    gates = len(weights.gates)
    arrays: dict[str, Any] = {
        "bias": offsets[:gates] + (0.0 if weights.bias is None else weights.bias)
    }
    if len(offsets) > gates and isinstance(weights, GruWeights):
        second = np.zeros((gates, weights.units))
        if weights.recurrent_bias is not None:
            second += weights.recurrent_bias
        second[2] += offsets[gates]
        arrays["recurrent_bias"] = second
    return replace(weights, **arrays)
