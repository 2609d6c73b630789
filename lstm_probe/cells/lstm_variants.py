"""The LSTM with everything that was ever added to it: peepholes, projection, clips, coupled gates
and layer normalisation. It runs gate by gate and is slower than the plain cell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lstm_probe.activations import Activation, get_activation
from lstm_probe.arrays import Array, BoolArray
from lstm_probe.weights.kinds import LstmWeights

if TYPE_CHECKING:
    from lstm_probe.cells.lstm import LstmCell

__all__ = ["is_variant", "recur"]


def is_variant(cell: LstmCell, weights: LstmWeights) -> bool:
    """Whether the plain equations are not enough for this cell."""
    return bool(weights.extras) or "i" not in weights.gates or cell.cell_clip is not None


def recur(
    cell: LstmCell, x: Array, weights: LstmWeights, state: list[Array], mask: BoolArray | None
) -> dict[str, Array]:
    """Run the equations that stand in the docstring of `LstmCell`.

    Args:
        cell: the options.
        x: `(time, batch, input)`.
        weights: of the dtype of `x`.
        state: `h (batch, output)` and `c (batch, units)`.
        mask: `(time, batch)`, or None.

    Returns:
        `i f g o c (time, batch, units)` and `h (time, batch, output)`.

    Source:
        tf_keras/src/layers/rnn/legacy_cells.py, `LSTMCell.call`; TensorFlow Lite,
        kernels/lstm_eval.cc, `LstmStepFloat`; tf.contrib.rnn, `LayerNormBasicLSTMCell.call`
        (TensorFlow 1.15); coupled gates: Greff et al. 2015.
    """
    time, batch, width = *x.shape[:2], len(weights.gates) * weights.units
    inputs = x.reshape(time * batch, -1) @ weights.kernel.reshape(-1, width)
    inputs = inputs.reshape(time, batch, -1, weights.units)
    recurrent_kernel = weights.recurrent_kernel.reshape(-1, width)
    gates, phi = _gates(cell, weights), get_activation(cell.activation)
    steps: dict[str, list[Array]] = {letter: [] for letter in "ifgoch"}
    h, c = state
    for t in range(time):
        product = (h @ recurrent_kernel).reshape(inputs[t].shape)
        a = dict(zip(weights.gates, np.moveaxis(inputs[t] + product, 1, 0), strict=True))
        f = gates["f"](a["f"], c)
        i = gates["i"](a["i"], c) if "i" in gates else 1 - f
        g = gates["g"](a["g"], c)
        c_next = _cell_state(f * c + i * g, cell, weights)
        o = gates["o"](a["o"], c_next)
        h_next = _hidden_state(o * phi(c_next), cell, weights)
        if mask is not None:
            c_next = np.where(mask[t][:, None], c_next, c)
            h_next = np.where(mask[t][:, None], h_next, h)
        h, c = h_next, c_next
        for letter, value in zip("ifgoch", (i, f, g, o, c, h), strict=True):
            steps[letter].append(value)
    return {letter: np.stack(values) for letter, values in steps.items()}


@dataclass(frozen=True)
class _Gate:
    """One gate: what happens between its matrix products and its value."""

    activation: Activation
    bias: Array | float
    peephole: Array | None
    norm_scale: Array | None
    norm_epsilon: float

    def __call__(self, a: Array, c: Array) -> Array:
        if self.peephole is not None:
            a = a + self.peephole * c
        if self.norm_scale is not None:
            a = self.norm_scale * _normalised(a, self.norm_epsilon)
        return self.activation(a + self.bias)


def _gates(cell: LstmCell, weights: LstmWeights) -> Mapping[str, _Gate]:
    sigma, phi = get_activation(cell.recurrent_activation), get_activation(cell.activation)
    peepholes = {}
    if weights.peepholes is not None:
        peepholes = dict(zip(weights.peephole_gates, weights.peepholes, strict=True))

    def gate(index: int, letter: str) -> _Gate:
        bias = weights.kernel.dtype.type(cell.forget_bias if letter == "f" else 0)
        return _Gate(
            activation=phi if letter == "g" else sigma,
            bias=bias if weights.bias is None else weights.bias[index] + bias,
            peephole=peepholes.get(letter),
            norm_scale=None if weights.norm_scale is None else weights.norm_scale[index],
            norm_epsilon=cell.norm_epsilon,
        )

    return {letter: gate(index, letter) for index, letter in enumerate(weights.gates)}


def _cell_state(c: Array, cell: LstmCell, weights: LstmWeights) -> Array:
    if weights.state_norm is not None:
        scale, shift = weights.state_norm
        c = scale * _normalised(c, cell.norm_epsilon) + shift
    return c if cell.cell_clip is None else np.clip(c, -cell.cell_clip, cell.cell_clip)


def _hidden_state(h: Array, cell: LstmCell, weights: LstmWeights) -> Array:
    if weights.projection is None:
        return h
    h = h @ weights.projection
    if weights.projection_bias is not None:
        h = h + weights.projection_bias
    return h if cell.proj_clip is None else np.clip(h, -cell.proj_clip, cell.proj_clip)


def _normalised(a: Array, epsilon: float) -> Array:
    """Mean 0 and variance 1 over the units."""
    centred = a - a.mean(axis=-1, keepdims=True)
    variance = np.square(centred).mean(axis=-1, keepdims=True)
    return centred / np.sqrt(variance + a.dtype.type(epsilon))
