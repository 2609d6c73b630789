"""Back through the equations in `cells/lstm/variants.py`: peepholes, projection, clips, coupled
gates and layer normalisation.

All states are known beforehand, so what the steps computed on the way is worked out for all of
them at once; the loop only multiplies.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np

from lstm_probe.cells import LstmCell
from lstm_probe.cells.shared.run import Run, Walk, along, by_kernel, transposed
from lstm_probe.cells.single_steps import sums
from lstm_probe.core.activations import get_activation
from lstm_probe.core.arrays import Array
from lstm_probe.core.derivatives import derivative_of_argument
from lstm_probe.weights import LstmWeights

__all__ = ["walk_lstm_variant"]


class _Normalised:
    """Values of mean 0 and variance 1 over the units, and the way back."""

    def __init__(self, a: Array, epsilon: float) -> None:
        centred = a - a.mean(axis=-1, keepdims=True)
        variance = np.square(centred).mean(axis=-1, keepdims=True)
        self._inverse = 1 / np.sqrt(variance + epsilon)
        self.values = centred * self._inverse

    def back(self, t: int, change: Array) -> Array:
        """From the gradient by the values of one step to that by what was normalised."""
        y = self.values[t]
        along_y = y * (change * y).mean(axis=-1, keepdims=True)
        return (change - change.mean(axis=-1, keepdims=True) - along_y) * self._inverse[t]


class _Gate:
    """One gate at all steps: `change` goes back to what the kernels gave and to the cell state."""

    def __init__(self, run: Run, letter: str, a: Array, seen: Array) -> None:
        cell, weights = run.cell, run.weights
        assert isinstance(cell, LstmCell)
        assert isinstance(weights, LstmWeights)
        index = weights.gates.index(letter)
        self.peephole = self.norm = self.scale = None
        if weights.peepholes is not None and letter in weights.peephole_gates:
            self.peephole = weights.peepholes[weights.peephole_gates.index(letter)]
            a = a + self.peephole * seen
        if weights.norm_scale is not None:
            self.scale = weights.norm_scale[index]
            self.norm = _Normalised(a, cell.norm_epsilon)
            a = self.scale * self.norm.values
        if weights.bias is not None:
            a = a + weights.bias[index]
        a = a + (cell.forget_bias if letter == "f" else 0)
        activation = cell.activation if letter == "g" else cell.recurrent_activation
        self.slope = derivative_of_argument(activation)(a)

    def back(self, t: int, change: Array) -> tuple[Array, Array | float]:
        change = change * self.slope[t]
        if self.norm is not None:
            change = self.norm.back(t, change * self.scale)
        return change, 0.0 if self.peephole is None else change * self.peephole


class _Made:
    """What becomes of `f * c + i * g` before anything reads it."""

    def __init__(self, cell: LstmCell, weights: LstmWeights, c: Array) -> None:
        self._norm = self._scale = self._inside = None
        if weights.state_norm is not None:
            self._scale, shift = weights.state_norm
            self._norm = _Normalised(c, cell.norm_epsilon)
            c = self._scale * self._norm.values + shift
        if cell.cell_clip is not None:
            self._inside = np.abs(c) <= cell.cell_clip

    def back(self, t: int, change: Array) -> Array:
        if self._inside is not None:
            change = change * self._inside[t]
        return change if self._norm is None else self._norm.back(t, change * self._scale)


class _Out:
    """What becomes of `o * phi(c)` before it is the hidden state."""

    def __init__(self, cell: LstmCell, weights: LstmWeights, h: Array) -> None:
        self._projection, self._inside = weights.projection, None
        if weights.projection is None or cell.proj_clip is None:
            return
        h = h @ weights.projection
        if weights.projection_bias is not None:
            h = h + weights.projection_bias
        self._inside = np.abs(h) <= cell.proj_clip

    def back(self, t: int, change: Array) -> Array:
        if self._inside is not None:
            change = change * self._inside[t]
        return change if self._projection is None else change @ self._projection.T


def walk_lstm_variant(run: Run, cell: LstmCell, seeds: Mapping[str, Array]) -> Walk:
    """Take gradients back through an LSTM with more than the plain equations.

    Args:
        run: the sequence.
        cell: the cell of the run.
        seeds: by letter, as for `walk_back`.
    """
    weights = run.weights
    assert isinstance(weights, LstmWeights)
    i, f, g, o, c = (run.arrays[letter] for letter in "ifgoc")
    before = run.before("c")
    inputs, products = sums(cell, weights, run.x, run.before("h"))
    gates = {
        letter: _Gate(
            run, letter, inputs[:, :, k] + products[:, :, k], c if letter == "o" else before
        )
        for k, letter in enumerate(weights.gates)
    }
    made = _Made(cell, weights, f * before + i * g)
    shown = get_activation(cell.activation)(c)
    into_cell = o * derivative_of_argument(cell.activation)(c)
    out = _Out(cell, weights, o * shown)
    time = len(c)
    hidden, cells = (along(seeds[letter], time) for letter in "hc")
    changes = np.zeros((time, *cells.shape[1:3], len(weights.gates), weights.units))
    back = transposed(weights)
    for t in reversed(range(time)):
        valid = True if run.mask is None else run.mask[t, :, None]
        through = out.back(t, hidden[t])
        by_gate, peep = gates["o"].back(t, through * shown[t])
        cells[t] += np.where(valid, through * into_cell[t] + peep, 0.0)
        raw = made.back(t, cells[t])
        earlier = raw * f[t]
        to_gates = {"f": raw * before[t], "g": raw * i[t], "i": raw * g[t]}
        if "i" not in gates:  # i = 1 - f
            to_gates["f"] = to_gates["f"] - to_gates.pop("i")
        changes[t, :, :, weights.gates.index("o")] = by_gate
        for letter, each in to_gates.items():
            by_gate, peep = gates[letter].back(t, each)
            changes[t, :, :, weights.gates.index(letter)] = by_gate
            earlier = earlier + peep
        if run.mask is not None:
            changes[t] = np.where(run.mask[t, :, None, None], changes[t], 0.0)
        if t:
            flat = changes[t].reshape(*changes.shape[1:3], -1)
            hidden[t - 1] += flat @ back + np.where(valid, 0.0, hidden[t])
            cells[t - 1] += np.where(valid, earlier, cells[t])
    return Walk({"h": hidden, "c": cells}, partial(by_kernel, changes, weights))
