"""One step at a time from the framework's own states: teacher forcing.

A chaotic recurrence amplifies a rounding error of the first step to order one within about a
hundred steps. The difference of two whole sequences then does not tell whether both computed the
same. So each step is recomputed from the hidden state that the framework itself had reached. The
error of a step is then the *defect* of the framework's sequence: how far it is, at that step, from
obeying the equations.

Source:
    Corless 1994, "What good are numerical simulations of chaotic dynamical systems?" (the defect
    as backward error of a chaotic sequence); Williams & Zipser 1989, "A learning algorithm for
    continually running fully recurrent neural networks" (teacher forcing).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from lstm_probe.analysis.snapshot import Snapshot
from lstm_probe.core.arrays import Array, BoolArray
from lstm_probe.core.masks import carried, emitted, last_valid
from lstm_probe.core.trace import GateTrace

__all__ = ["ForcedSteps", "follow", "in_reading_order", "teacher_force"]


@dataclass(frozen=True, eq=False)
class ForcedSteps:
    """Every step of a layer, each recomputed from the framework's own hidden state.

    Attributes:
        weights: the weights with which the cell computed.
        arrays: by letter, as in a trace: `(batch, time, units)`, what each step computes.
        before: by letter of the states: `(batch, time, units)`, the states before each step.
        output: `(batch, time, units)`, what the layer should have shown.
    """

    weights: Any
    arrays: dict[str, Array]
    before: dict[str, Array]
    output: Array


def in_reading_order(snapshot: Snapshot) -> Snapshot:
    """The snapshot of a layer that reads forwards: one that reads backwards is turned round.

    Args:
        snapshot: what was captured.

    Returns:
        The snapshot with `reverse=False`, its arrays in the order in which the layer reads.
    """
    if not snapshot.reverse:
        return snapshot
    return replace(
        snapshot,
        x=snapshot.x[:, ::-1],
        output=snapshot.output[:, ::-1],
        mask=None if snapshot.mask is None else snapshot.mask[:, ::-1],
        reverse=False,
    )


def teacher_force(
    snapshot: Snapshot,
    *,
    dtype: npt.DTypeLike = np.float64,
    operands: Callable[[Array], Array] | None = None,
    keeps_exactly: bool = False,
) -> ForcedSteps | None:
    """Recompute each step of a layer from the framework's own hidden state.

    The framework does not show the cell state of an LSTM, so it is carried from step to step. An
    error in it fades, because the forget gate multiplies it by less than 1.

    Args:
        snapshot: what was captured, in reading order.
        dtype: float32 or float64.
        operands: is applied to the operands of the matrix products, such as a rounding.
        keeps_exactly: the hidden state is an operand of the products alone, and the gate that keeps
            the old state, as in a GRU, multiplies it as it is.

    Returns:
        The steps; None for a cell whose states are not known.

    Example:
        >>> from lstm_probe import GruCell, Snapshot, gru, weights
        >>> rng = np.random.default_rng(0)
        >>> w = weights.from_keras(rng.normal(size=(3, 6)), rng.normal(size=(2, 6)))
        >>> x = rng.normal(size=(1, 5, 3))
        >>> steps = teacher_force(Snapshot(0, "gru", GruCell(), w, x=x, output=gru(x, w).h))
        >>> bool(np.abs(steps.output - gru(x, w).h).max() < 1e-15)
        True
    """
    cell, mask = snapshot.cell, snapshot.mask
    if cell is None:
        return None
    x, output = snapshot.x.astype(dtype), snapshot.output.astype(dtype)
    weights = cell.prepared(snapshot.weights, dtype)
    initial = cell.initial_states(snapshot.initial_state, len(x), weights, dtype)
    h = _states_before(output, mask, initial.get("h", output[:, 0]))
    exact = h
    if operands is not None:
        x, h = operands(x), operands(h)
        weights = weights.with_kernels(operands)
    with np.errstate(all="ignore"):
        steps = cell.steps(
            x.swapaxes(0, 1), h.swapaxes(0, 1), initial, weights, None if mask is None else mask.T
        )
    if steps is None:
        return None
    arrays, before = ({k: v.swapaxes(0, 1) for k, v in each.items()} for each in steps)
    if keeps_exactly and cell.keeper is not None and cell.states == ("h",):
        arrays["h"] = arrays["h"] + arrays[cell.keeper] * (exact - h)
    hidden = arrays["h"] if mask is None else carried(arrays["h"], mask, initial["h"])
    shown = emitted(
        hidden,
        mask,
        zero_output_for_mask=snapshot.zero_output_for_mask,
        initial_output_for_mask=snapshot.initial_output_for_mask,
    )
    return ForcedSteps(weights, arrays, before, shown)


def follow(snapshot: Snapshot, trace: GateTrace) -> GateTrace:
    """A trace that stays with the framework: each step from the framework's own hidden state.

    Args:
        snapshot: what was captured; the framework computes its cell's equations.
        trace: NumPy's own sequence, which rounding has led away from the framework's.

    Returns:
        A trace with the same letters; `trace` itself for a cell whose states are not known, or
        where the framework's output is not finite.

    Example:
        >>> from lstm_probe import GruCell, Snapshot, gru, weights
        >>> rng = np.random.default_rng(0)
        >>> w = weights.from_keras(rng.normal(size=(3, 6)), rng.normal(size=(2, 6)))
        >>> trace = gru(rng.normal(size=(1, 5, 3)), w)
        >>> x = rng.normal(size=(1, 5, 3))
        >>> seen = Snapshot(0, "gru", GruCell(), w, x=x, output=gru(x, w).h)
        >>> bool(np.abs(follow(seen, trace).h - seen.output).max() < 1e-15)
        True
    """
    seen = in_reading_order(snapshot)
    steps = teacher_force(seen)
    if steps is None or not np.isfinite(snapshot.output).all():
        return trace
    arrays = {letter: steps.arrays[letter] for letter in trace.letters}
    if seen.mask is not None:
        assert seen.cell is not None
        states = seen.cell.initial_states(
            seen.initial_state, len(seen.x), steps.weights, np.float64
        )
        arrays["h"] = carried(arrays["h"], seen.mask, states["h"])
    if snapshot.reverse:
        arrays = {letter: array[:, ::-1] for letter, array in arrays.items()}
    return replace(trace, arrays=arrays)


def _states_before(output: Array, mask: BoolArray | None, initial: Array) -> Array:
    """The hidden state before each step: the output of the last valid step before it."""
    states = np.concatenate([initial[:, None], output], axis=1)
    if mask is None:
        return states[:, :-1]
    last = np.pad(last_valid(mask)[:, :-1], ((0, 0), (1, 0)))
    return states[np.arange(len(states))[:, None], last]
