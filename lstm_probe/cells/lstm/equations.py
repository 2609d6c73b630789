"""The equations of the LSTM, forwards: those of the plain cell, and what variants add to them.

    a = x W + h U                           for each of the gates i f g o
    i = sigma(a_i + p_i c + b_i)            input gate; 1 - f where the two are coupled
    f = sigma(a_f + p_f c + b_f)            forget gate
    g = phi(a_g + b_g)                      candidate
    c' = f c + i g                          cell state; normalised, then clipped
    o = sigma(a_o + p_o c' + b_o)           output gate
    h' = o phi(c')                          hidden state; projected, then clipped

Peepholes `p` are what some cells have; layer normalisation takes what a gate is given, without its
bias, to mean 0 and variance 1 over the units, and multiplies it by a scale. A convolutional LSTM
convolves where others multiply, and has the same equations.

Source:
    Hochreiter & Schmidhuber 1997; Gers, Schmidhuber & Cummins 2000 (forget gate), 2002 (peepholes);
    Sak, Senior & Beaufays 2014 (projection); Greff et al. 2015 (coupled gates).
    keras/src/layers/rnn/lstm.py, `LSTMCell.call`; tf_keras/src/layers/rnn/legacy_cells.py,
    `LSTMCell.call`; TensorFlow Lite, kernels/lstm_eval.cc, `LstmStepFloat`; tf.contrib.rnn,
    `LayerNormBasicLSTMCell.call` (TensorFlow 1.15).
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar, TypeVar

import numpy as np

from lstm_probe.cells.base import Cell, Values
from lstm_probe.core.activations import ActivationLike, applied, of_gates
from lstm_probe.core.arrays import Array, BoolArray
from lstm_probe.weights.gates import GateWeights

__all__ = ["LstmEquations", "normalised"]

WeightsT = TypeVar("WeightsT", bound=GateWeights)


def normalised(a: Array, epsilon: float) -> tuple[Array, Array]:
    """`a` with mean 0 and variance 1 over its last axis, and what it was divided by.

    Example:
        >>> y, spread = normalised(np.array([[1.0, 3.0]]), 0.0)
        >>> y.tolist(), spread.tolist()
        ([[-1.0, 1.0]], [[1.0]])
    """
    centred = a - a.mean(axis=-1, keepdims=True)
    variance = np.square(centred).mean(axis=-1, keepdims=True)
    spread = np.sqrt(variance + a.dtype.type(epsilon))
    return centred / spread, spread


class LstmEquations(Cell[WeightsT]):
    """An LSTM, whatever makes its sums: `inputs`, and `recurrent` for the hidden state.

    `*space` below stands for what only a convolutional cell has.
    """

    #: phi and sigma, by name or as functions.
    activation: ActivationLike
    recurrent_activation: ActivationLike
    #: Bounds of `|c'|` and of a projected `|h'|`; None for no bound.
    cell_clip: float | None = None
    proj_clip: float | None = None
    #: What layer normalisation adds to the variance.
    norm_epsilon: float = 1e-8

    states: ClassVar[tuple[str, ...]] = ("h", "c")
    keeper: ClassVar[str | None] = "f"

    @abstractmethod
    def recurrent(self, h: Array, weights: WeightsT) -> Array:
        """What the recurrent kernel makes of hidden states, `(..., *space, gates, units)`."""

    @abstractmethod
    def recurrent_back(self, changes: Array, weights: WeightsT) -> Array:
        """From the gradient by `recurrent` to that by the hidden states."""

    def step(self, inputs: Array, before: Values, weights: WeightsT) -> dict[str, Array]:
        return self.gates(inputs + self.recurrent(before["h"], weights), before["c"], weights)

    def gates(self, a: Array, c: Array, weights: Any) -> dict[str, Array]:
        """The gates and the new states.

        Args:
            a: `(..., *space, gates, units)`, `x W + h U`, with the bias if nothing is normalised.
            c: `(..., *space, units)`, the cell state before.
            weights: with peepholes, normalisation and projection, if there are any.
        """
        sigma, phi = self.recurrent_activation, self.activation
        if weights.peepholes is not None:
            a[..., :-2, :] += weights.peepholes[:-1] * c[..., None, :]
        b = self.scaled(a, weights)
        gates = of_gates(sigma, b)
        f, g, o = gates[..., -3, :], applied(phi, b[..., -2, :]), gates[..., -1, :]
        i = gates[..., 0, :] if "i" in weights.gates else 1 - f
        c = self.kept(f * c + i * g, weights)
        if weights.peepholes is not None:  # this gate looks at the new cell state
            a[..., -1, :] += weights.peepholes[-1] * c
            o = applied(sigma, self.scaled(a[..., -1:, :], weights, -1)[..., 0, :])
        return {
            "i": i,
            "f": f,
            "g": g,
            "o": o,
            "c": c,
            "h": self.shown(o * applied(phi, c), weights),
        }

    def scaled(self, a: Array, weights: Any, first: int = 0) -> Array:
        """What layer normalisation makes of some of the gates, from the first of them on; the
        bias comes after it."""
        if weights.norm_scale is None:
            return a
        y, _ = normalised(a, self.norm_epsilon)
        return weights.norm_scale[first:] * y + weights.bias[first:]

    def kept(self, c: Array, weights: Any) -> Array:
        """What becomes of `f c + i g` before anything reads it."""
        if weights.state_norm is not None:
            scale, shift = weights.state_norm
            c = scale * normalised(c, self.norm_epsilon)[0] + shift
        return c if self.cell_clip is None else np.clip(c, -self.cell_clip, self.cell_clip)

    def shown(self, h: Array, weights: Any) -> Array:
        """What becomes of `o phi(c')` before it is the hidden state."""
        if weights.projection is None:
            return h
        h = self.projected(h, weights)
        return h if self.proj_clip is None else np.clip(h, -self.proj_clip, self.proj_clip)

    def projected(self, h: Array, weights: Any) -> Array:
        """`(..., output)`, from `(..., units)`."""
        h = h @ weights.projection
        return h if weights.projection_bias is None else h + weights.projection_bias

    def steps(
        self, x: Array, h: Array, initial: Values, weights: WeightsT, mask: BoolArray | None = None
    ) -> tuple[dict[str, Array], dict[str, Array]]:
        """As every cell's; the products of all steps are made at once, as only `c` is carried."""
        h = self._inside(h, weights)
        a = self.inputs(x, weights) + self.recurrent(h, weights)
        before = np.empty(h.shape[:-1] + a.shape[-1:], a.dtype)

        def step(t: int, carried: Values) -> dict[str, Array]:
            before[t] = carried["c"]
            return {**self.gates(a[t], carried["c"], weights), "h_before": h[t]}

        carried = {k: self._inside(initial[k], weights) for k in self.states}
        values = self._walk(step, len(x), carried, mask)
        return self._outside(values), self._outside({"h": values.pop("h_before"), "c": before})
