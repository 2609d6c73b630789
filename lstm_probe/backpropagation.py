"""Backpropagation through time in NumPy: the recurrences of `lstm_probe.cells`, the other way.

Everything that does not depend on the gradient is multiplied together beforehand, for all timesteps
at once; what remains in the loop is one matrix product and a few multiplications. Everything is
time-major and in reading order. A masked step hands the gradients on as they are.

Source: Werbos 1990, "Backpropagation through time: what it does and how to do it"; the factors are
the derivatives of the equations in `cells/lstm.py`, `cells/gru.py` and `cells/simple_rnn.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from lstm_probe.activations import ActivationLike, get_activation
from lstm_probe.arrays import Array, BoolArray
from lstm_probe.cells import Cell, GruCell, LstmCell, SimpleRnnCell
from lstm_probe.cells.lstm_variants import is_variant
from lstm_probe.derivatives import COUPLED, derivative_of_argument, derivative_of_value
from lstm_probe.weights import GateWeights, GruWeights, LstmWeights

__all__ = ["Run", "Walk", "can_walk", "walk_back"]


@dataclass(frozen=True, eq=False)
class Run:
    """A sequence that was computed, time-major.

    Attributes:
        cell: its options.
        weights: in float64.
        x: `(time, batch, input)`.
        arrays: by letter, `(time, batch, units)`.
        initial: by letter of the states, `(batch, units)`.
        mask: `(time, batch)`, or None.
    """

    cell: Cell[Any]
    weights: GateWeights
    x: Array
    arrays: Mapping[str, Array]
    initial: Mapping[str, Array]
    mask: BoolArray | None

    def before(self, letter: str) -> Array:
        """The state that each step started from."""
        return np.concatenate([self.initial[letter][None], self.arrays[letter][:-1]])


@dataclass(frozen=True, eq=False)
class Walk:
    """Gradients of `K` targets with respect to everything on the way.

    Attributes:
        states: by letter, `(time, K, batch, units)`: by each step's states.
        inputs: `(time, K, batch, input)`.
    """

    states: Mapping[str, Array]
    inputs: Array


def can_walk(cell: Cell[Any] | None, weights: Any) -> bool:
    """Whether gradients through this cell are known: plain LSTM, GRU and SimpleRNN cells whose
    activations work on each unit by itself.

    Example:
        >>> can_walk(GruCell(), None), can_walk(GruCell("softmax"), None)
        (True, False)
    """
    if not isinstance(cell, LstmCell | GruCell | SimpleRnnCell):
        return False
    names = (cell.activation, getattr(cell, "recurrent_activation", "sigmoid"))
    if any(isinstance(name, str) and name in COUPLED for name in names):
        return False
    return not (isinstance(weights, LstmWeights) and is_variant(cell, weights))  # type: ignore[arg-type]


def walk_back(run: Run, seeds: Mapping[str, Array]) -> Walk:
    """Take gradients back through a sequence.

    Args:
        run: of a cell for which `can_walk` is true.
        seeds: by letter of the states, `(time, K, batch, units)`, or `(1, K, batch, units)` for
            the last step alone: the targets' gradients by what they read directly.
    """
    if isinstance(run.cell, LstmCell):
        return _lstm(run, run.cell, seeds)
    if isinstance(run.cell, GruCell):
        return _gru(run, run.cell, seeds["h"])
    assert isinstance(run.cell, SimpleRnnCell)
    return _simple_rnn(run, run.cell, seeds["h"])


def _lstm(run: Run, cell: LstmCell, seeds: Mapping[str, Array]) -> Walk:
    i, f, g, o, c = (run.arrays[letter] for letter in "ifgoc")
    slopes = _Slopes(run)
    if cell.activation == "tanh":
        shown = np.tanh(c)
        bend = 1 - np.square(shown)
    else:
        shown = get_activation(cell.activation)(c)
        bend = derivative_of_argument(cell.activation)(c)
    into_cell = _valid(o * bend, run.mask)
    from_hidden = _valid(shown * slopes("o", cell.recurrent_activation), run.mask)
    from_cell = np.stack(
        [
            g * slopes("i", cell.recurrent_activation),
            run.before("c") * slopes("f", cell.recurrent_activation),
            i * slopes("g", cell.activation),
        ],
        axis=2,
    )
    from_cell = _valid(from_cell, run.mask)
    kept, carried = f, None
    if run.mask is not None:
        carried = ~run.mask[:, :, None]
        kept = np.where(carried, 1.0, f)
    time, batch, units = f.shape
    hidden, cells = (_along(seeds[letter], time) for letter in "hc")
    targets = hidden.shape[1]
    changes = np.empty((time, targets, batch, 4, units))
    back = _transposed(run.weights)
    h_later: Array = np.zeros((targets, batch, units))
    c_later: Array = np.zeros((targets, batch, units))
    for t in reversed(range(time)):
        h_now = np.add(hidden[t], h_later, out=hidden[t])
        c_now = np.add(cells[t], c_later, out=cells[t])
        c_now += h_now * into_cell[t]
        np.multiply(c_now[:, :, None], from_cell[t], out=changes[t, :, :, :3])
        np.multiply(h_now, from_hidden[t], out=changes[t, :, :, 3])
        h_later = (changes[t].reshape(-1, 4 * units) @ back).reshape(h_now.shape)
        if carried is not None:
            h_later += h_now * carried[t]
        c_later = c_now * kept[t]
    return Walk({"h": hidden, "c": cells}, _by_inputs(changes, run.weights))


def _gru(run: Run, cell: GruCell, seeds: Array) -> Walk:
    weights = run.weights
    assert isinstance(weights, GruWeights)
    z, r, g = (run.arrays[letter] for letter in "zrg")
    before, slopes = run.before("h"), _Slopes(run)
    after = cell._resets_after(weights)
    from_z = (before - g) * slopes("z", cell.recurrent_activation)
    from_g = (1 - z) * slopes("g", cell.activation)
    slope_r = slopes("r", cell.recurrent_activation)
    kept = z if run.mask is None else np.where(run.mask[:, :, None], z, 1.0)
    hidden = _along(seeds, len(z))
    if after:
        product = before @ weights.recurrent_kernel[:, 2]
        if weights.recurrent_bias is not None:
            product += weights.recurrent_bias[2]
        from_r = from_g * product * slope_r
        factors = _valid(np.stack([from_z, from_r, from_g * r], axis=2), run.mask)
        _walk_plain(hidden, factors, kept, _transposed(weights))
        changes = hidden[:, :, :, None] * factors[:, None]
        changes[..., 2, :] = hidden * _valid(from_g, run.mask)[:, None]
    else:
        from_z, from_g = (_valid(a, run.mask) for a in (from_z, from_g))
        changes = _walk_reset_before(hidden, from_z, from_g, r, before * slope_r, kept, weights)
    return Walk({"h": hidden}, _by_inputs(changes, weights))


def _walk_plain(hidden: Array, factors: Array, kept: Array, back: Array) -> None:
    """In place: from seeds to gradients, where each step is one product with given factors."""
    targets, batch, units = hidden.shape[1:]
    h: Array = np.zeros((targets, batch, units))
    for t in reversed(range(len(hidden))):
        h = np.add(hidden[t], h, out=hidden[t])
        changes = h[:, :, None] * factors[t]
        h = (changes.reshape(targets * batch, -1) @ back).reshape(h.shape) + h * kept[t]


def _walk_reset_before(
    hidden: Array,
    from_z: Array,
    from_g: Array,
    r: Array,
    from_r: Array,
    kept: Array,
    weights: GruWeights,
) -> Array:
    time, targets, batch, units = hidden.shape
    changes = np.empty((time, targets, batch, 3, units))
    gates = weights.recurrent_kernel[:, :2].reshape(units, -1).T
    candidate = weights.recurrent_kernel[:, 2].T
    h: Array = np.zeros((targets, batch, units))
    for t in reversed(range(time)):
        h = np.add(hidden[t], h, out=hidden[t])
        change = changes[t]
        np.multiply(h, from_z[t], out=change[:, :, 0])
        np.multiply(h, from_g[t], out=change[:, :, 2])
        reset = change[:, :, 2] @ candidate
        np.multiply(reset, from_r[t], out=change[:, :, 1])
        through = (change[:, :, :2].reshape(-1, 2 * units) @ gates).reshape(h.shape)
        h = through + reset * r[t] + h * kept[t]
    return changes


def _simple_rnn(run: Run, cell: SimpleRnnCell, seeds: Array) -> Walk:
    factors = _valid(_Slopes(run)("h", cell.activation), run.mask)[:, :, None]
    hidden = _along(seeds, len(run.x))
    kept: Array = np.zeros((len(run.x), 1, 1))
    if run.mask is not None:
        kept = ~run.mask[:, :, None] * 1.0
    _walk_plain(hidden, factors, kept, _transposed(run.weights))
    return Walk({"h": hidden}, _by_inputs(hidden[:, :, :, None] * factors[:, None], run.weights))


class _Slopes:
    """The slopes of the gates' activations; pre-activations are computed only if a slope needs
    them."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def __call__(self, letter: str, activation: ActivationLike) -> Array:
        of_value: Callable[[Array], Array] | None = derivative_of_value(activation)
        if of_value is not None:
            return of_value(self._run.arrays[letter])
        return derivative_of_argument(activation)(self._argument(letter))

    def _argument(self, letter: str) -> Array:
        run = self._run
        kernel, recurrent_kernel, bias = run.weights.gate(letter)
        inputs, h = run.x @ kernel, run.before("h")
        if bias is not None:
            inputs += bias
        if isinstance(run.cell, LstmCell) and letter == "f":
            inputs += run.cell.forget_bias
        second = getattr(run.weights, "recurrent_bias", None)
        second = 0.0 if second is None else second[run.weights.gates.index(letter)]
        if not isinstance(run.cell, GruCell) or letter != "g":
            return np.asarray(inputs + h @ recurrent_kernel + second)
        r = run.arrays["r"]
        if run.cell._resets_after(run.weights):  # type: ignore[arg-type]
            return np.asarray(inputs + r * (h @ recurrent_kernel + second))
        return np.asarray(inputs + (r * h) @ recurrent_kernel + second)


def _valid(factors: Array, mask: BoolArray | None) -> Array:
    """`factors (time, batch, ...)`, zero at masked steps."""
    if mask is None:
        return factors
    return np.where(mask.reshape(*mask.shape, *[1] * (factors.ndim - 2)), factors, 0.0)


def _along(seeds: Array, time: int) -> Array:
    """Seeds of all timesteps, in an array that may be written to."""
    result = np.zeros((time, *seeds.shape[1:]))
    result[-len(seeds) :] = seeds
    return result


def _transposed(weights: GateWeights) -> Array:
    # A view: BLAS reads it as it lies, and a copy would cost as much as ten steps.
    return weights.recurrent_kernel.reshape(weights.output_size, -1).T


def _by_inputs(changes: Array, weights: GateWeights) -> Array:
    kernel = weights.kernel.reshape(weights.input_size, -1)
    return np.asarray(changes.reshape(*changes.shape[:3], -1) @ kernel.T)
