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

import numpy as np
import numpy.typing as npt

from lstm_probe.analysis.snapshot import Snapshot
from lstm_probe.cells import ConvLstmCell, GruCell, LstmCell, SimpleRnnCell
from lstm_probe.cells.single_steps import Steps, gru_steps, lstm_steps, simple_rnn_steps
from lstm_probe.core.arrays import Array, BoolArray
from lstm_probe.core.masks import carried, emitted, last_valid
from lstm_probe.core.trace import GateTrace
from lstm_probe.weights import GateWeights, LstmWeights

__all__ = ["Forced", "follow", "force", "in_reading_order"]


@dataclass(frozen=True, eq=False)
class Forced:
    """Every step of a layer, each from the framework's own hidden state.

    Attributes:
        arrays: `(batch, time, units)` by letter, as in a trace.
        before: by letter of the states: what the step started from.
        output: `(batch, time, units)`, what the layer should have shown.
        steps: what the gates were made of; None for variants of the LSTM.
    """

    arrays: dict[str, Array]
    before: dict[str, Array]
    output: Array
    steps: Steps | None = None


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
    cell, weights, mask = snapshot.cell, snapshot.weights, snapshot.mask
    if cell is None or not isinstance(weights, GateWeights):
        return None
    x, output = snapshot.x.astype(dtype), snapshot.output.astype(dtype)
    weights = weights.astype(dtype)
    initial = cell._initial_state(snapshot.initial_state, len(x), weights, dtype)
    before = {"h": _states_before(output, mask, initial[0])}
    if operands is not None:
        x, before["h"] = operands(x), operands(before["h"])
        weights = replace(
            weights,
            kernel=operands(weights.kernel),
            recurrent_kernel=operands(weights.recurrent_kernel),
        )
    steps = None
    with np.errstate(all="ignore"):
        if isinstance(cell, LstmCell) and isinstance(weights, LstmWeights):
            if cell.is_variant(weights):
                arrays = _step_by_step(cell, weights, x, before, initial[1], mask)
            else:
                steps = lstm_steps(cell, weights, x, before["h"], initial[1], mask)
        elif isinstance(cell, ConvLstmCell):
            steps = lstm_steps(cell, weights, x, before["h"], initial[1], mask)
        elif isinstance(cell, GruCell):
            steps = gru_steps(cell, weights, x, before["h"])
        elif isinstance(cell, SimpleRnnCell):
            steps = simple_rnn_steps(cell, weights, x, before["h"])
        else:
            return None
    if steps is not None:
        arrays = {letter: steps.flat(array) for letter, array in steps.values.items()}
        if "c" in arrays:
            before["c"] = steps.flat(steps.cells_before)
    hidden = arrays["h"] if mask is None else carried(arrays["h"], mask, initial[0])
    shown = emitted(
        hidden,
        mask,
        zero_output_for_mask=snapshot.zero_output_for_mask,
        initial_output_for_mask=snapshot.initial_output_for_mask,
    )
    return Forced(arrays, before, shown, steps)


def follow(snapshot: Snapshot, trace: GateTrace) -> GateTrace:
    """A trace that stays with the framework: each step from the framework's own hidden state.

    Args:
        snapshot: one that matches its cell.
        trace: its own trajectory, which rounding has carried away from the framework's.

    Returns:
        The same letters; `trace` itself for a cell whose states are not known.

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
    forced = force(seen)
    if forced is None or not np.isfinite(snapshot.output).all():
        return trace
    arrays = {letter: forced.arrays[letter] for letter in trace.letters}
    if seen.mask is not None:
        assert seen.cell is not None
        states = seen.cell._initial_state(seen.initial_state, len(seen.x), seen.weights, np.float64)
        arrays["h"] = carried(arrays["h"], seen.mask, states[0])
    if snapshot.reverse:
        arrays = {letter: array[:, ::-1] for letter, array in arrays.items()}
    return replace(trace, arrays=arrays)


def _states_before(output: Array, mask: BoolArray | None, initial: Array) -> Array:
    states = np.concatenate([initial[:, None], output], axis=1)
    if mask is None:
        return states[:, :-1]
    last = np.pad(last_valid(mask)[:, :-1], ((0, 0), (1, 0)))
    return states[np.arange(len(states))[:, None], last]


def _step_by_step(
    cell: LstmCell,
    weights: GateWeights,
    x: Array,
    before: dict[str, Array],
    c: Array,
    mask: BoolArray | None,
) -> dict[str, Array]:
    """A gate that looks at the cell state waits for it."""
    steps, befores = [], []
    for t in range(x.shape[1]):
        befores.append(c)
        state = [before["h"][:, t], c]
        trace = cell.run(x[:, t : t + 1], weights, initial_state=state, dtype=x.dtype)
        c = trace.c[:, 0] if mask is None else np.where(mask[:, t, None], trace.c[:, 0], c)
        steps.append(trace)
    before["c"] = np.stack(befores, axis=1)
    return {
        letter: np.concatenate([step[letter] for step in steps], axis=1)
        for letter in steps[0].letters
    }
