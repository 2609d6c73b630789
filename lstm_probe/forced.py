"""One step at a time from the framework's own states: where two sequences part, and nothing else.

A recurrence that is chaotic carries a rounding error of the first step to order one within about a
hundred, so the difference of two whole sequences says little about who computes what. Here each
step is recomputed from the hidden state that the framework itself had reached. What is left is the
*defect* of the framework's sequence: how far it is, at each step, from obeying the equations.

Source:
    Corless 1994, "What good are numerical simulations of chaotic dynamical systems?" (the defect
    as backward error of a chaotic sequence); Williams & Zipser 1989 (teacher forcing).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from lstm_probe.activations import get_activation
from lstm_probe.arrays import Array, BoolArray
from lstm_probe.cells import Cell, ConvLstmCell, GruCell, LstmCell, SimpleRnnCell
from lstm_probe.cells.lstm_variants import is_variant
from lstm_probe.masks import emitted
from lstm_probe.snapshot import Snapshot
from lstm_probe.weights import GateWeights, LstmWeights

__all__ = ["Forced", "force", "in_reading_order"]


@dataclass(frozen=True, eq=False)
class Forced:
    """Every step of a layer, each from the framework's own hidden state.

    Attributes:
        arrays: `(batch, time, units)` by letter, as in a trace.
        before: by letter of the states: what the step started from.
        output: `(batch, time, units)`, what the layer should have shown.
    """

    arrays: dict[str, Array]
    before: dict[str, Array]
    output: Array


def in_reading_order(snapshot: Snapshot) -> Snapshot:
    """The same snapshot as a layer sees it that reads forwards."""
    if not snapshot.reverse:
        return snapshot
    return replace(
        snapshot,
        x=snapshot.x[:, ::-1],
        output=snapshot.output[:, ::-1],
        mask=None if snapshot.mask is None else snapshot.mask[:, ::-1],
        reverse=False,
    )


def force(
    snapshot: Snapshot,
    *,
    dtype: npt.DTypeLike = np.float64,
    operands: Callable[[Array], Array] | None = None,
) -> Forced | None:
    """Recompute each step of a layer from the framework's own hidden state.

    The cell state of an LSTM is not known from outside: it is carried along, and is contracted by
    the forget gate, so that errors fade in it.

    Args:
        snapshot: in reading order.
        dtype: float32 or float64.
        operands: what happens to the operands of the matrix products, such as rounding.

    Returns:
        The steps; None for a cell whose states are not known.

    Example:
        >>> from lstm_probe import GruCell, Snapshot, gru, weights
        >>> rng = np.random.default_rng(0)
        >>> w = weights.from_keras(rng.normal(size=(3, 6)), rng.normal(size=(2, 6)))
        >>> x = rng.normal(size=(1, 5, 3))
        >>> forced = force(Snapshot(0, "gru", GruCell(), w, x=x, output=gru(x, w).h))
        >>> bool(np.abs(forced.output - gru(x, w).h).max() < 1e-15)
        True
    """
    cell, weights = snapshot.cell, snapshot.weights
    if cell is None or not isinstance(weights, GateWeights):
        return None
    x, output = snapshot.x.astype(dtype), snapshot.output.astype(dtype)
    initial = cell._initial_state(snapshot.initial_state, len(x), weights.astype(dtype))
    before = {"h": _states_before(output, snapshot.mask, initial[0])}
    if operands is not None:
        x, before["h"] = operands(x), operands(before["h"])
        weights = replace(
            weights,
            kernel=operands(weights.kernel.astype(dtype)),
            recurrent_kernel=operands(weights.recurrent_kernel.astype(dtype)),
        )
    with np.errstate(all="ignore"):
        if isinstance(cell, LstmCell) and isinstance(weights, LstmWeights):
            if is_variant(cell, weights):
                _step_by_step(cell, weights, x, before, initial[1], snapshot.mask, arrays := {})
            else:
                arrays = _with_cell_state(cell, weights, x, before, initial[1], snapshot.mask)
        elif isinstance(cell, ConvLstmCell):
            arrays = _with_cell_state(cell, weights, x, before, initial[1], snapshot.mask)
        elif isinstance(cell, GruCell | SimpleRnnCell):
            arrays = _all_at_once(cell, weights, x, [before["h"]])
        else:
            return None
    output = emitted(
        arrays["h"] if snapshot.mask is None else _carried(arrays["h"], snapshot.mask, initial[0]),
        snapshot.mask,
        zero_output_for_mask=snapshot.zero_output_for_mask,
    )
    return Forced(arrays, before, output)


def _last_valid(mask: BoolArray) -> npt.NDArray[np.intp]:
    """`(batch, time)`: the number of the last valid step up to each step, counted from 1."""
    numbers = np.where(mask, np.arange(1, mask.shape[1] + 1), 0)
    return np.maximum.accumulate(numbers, axis=1)


def _states_before(output: Array, mask: BoolArray | None, initial: Array) -> Array:
    states = np.concatenate([initial[:, None], output], axis=1)
    if mask is None:
        return states[:, :-1]
    last = np.pad(_last_valid(mask)[:, :-1], ((0, 0), (1, 0)))
    return states[np.arange(len(states))[:, None], last]


def _carried(h: Array, mask: BoolArray, initial: Array) -> Array:
    states = np.concatenate([initial[:, None], h], axis=1)
    return states[np.arange(len(states))[:, None], _last_valid(mask)]


def _all_at_once(
    cell: Cell[Any], weights: GateWeights, x: Array, states: list[Array]
) -> dict[str, Array]:
    """One step of many sequences: time is part of the batch."""
    shape = x.shape[:2]
    trace = cell.run(
        x.reshape(-1, 1, x.shape[-1]),
        weights,
        initial_state=[state.reshape(-1, state.shape[-1]) for state in states],
        dtype=x.dtype,
    )
    return {letter: trace[letter].reshape(*shape, -1) for letter in trace.letters}


def _with_cell_state(
    cell: LstmCell | ConvLstmCell,
    weights: GateWeights,
    x: Array,
    before: dict[str, Array],
    c: Array,
    mask: BoolArray | None,
) -> dict[str, Array]:
    """The gates do not look at the cell state: they come first, all at once."""
    h = before["h"]
    arrays = _all_at_once(cell, weights, x, [h, np.zeros_like(h)])
    written = arrays["i"] * arrays["g"]
    cells = np.empty((*h.shape[:2], c.shape[-1]), x.dtype)
    befores = np.empty_like(cells)
    for t in range(x.shape[1]):
        befores[:, t] = c
        c_next = arrays["f"][:, t] * c + written[:, t]
        c = c_next if mask is None else np.where(mask[:, t, None], c_next, c)
        cells[:, t] = c
    before["c"] = befores
    if isinstance(cell, ConvLstmCell):  # flat arrays hide from an activation what the units are
        return {**_all_at_once(cell, weights, x, [h, befores]), "c": cells}
    return {**arrays, "c": cells, "h": arrays["o"] * get_activation(cell.activation)(cells)}


def _step_by_step(
    cell: LstmCell,
    weights: GateWeights,
    x: Array,
    before: dict[str, Array],
    c: Array,
    mask: BoolArray | None,
    arrays: dict[str, Array],
) -> None:
    """A gate that looks at the cell state waits for it."""
    steps, befores = [], []
    for t in range(x.shape[1]):
        befores.append(c)
        state = [before["h"][:, t], c]
        trace = cell.run(x[:, t : t + 1], weights, initial_state=state, dtype=x.dtype)
        c = trace.c[:, 0] if mask is None else np.where(mask[:, t, None], trace.c[:, 0], c)
        steps.append(trace)
    before["c"] = np.stack(befores, axis=1)
    for letter in steps[0].letters:
        arrays[letter] = np.concatenate([step[letter] for step in steps], axis=1)
