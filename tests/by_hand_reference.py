"""Recurrent cells written down once more, one step at a time, to compare traces with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

Array = np.ndarray


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def lstm(x: Array, states: Sequence[Array], weights: Sequence[Array]) -> list[Array]:
    """Keras's LSTMCell: gates i, f, candidate, o."""
    kernel, recurrent, bias = weights
    h, c = states
    i, f, g, o = np.split(x @ kernel + h @ recurrent + bias, 4, axis=1)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return [sigmoid(o) * np.tanh(c), c]


def gru(x: Array, states: Sequence[Array], weights: Sequence[Array]) -> list[Array]:
    """Keras's GRUCell with reset_after: gates z, r, candidate."""
    kernel, recurrent, bias = weights
    (h,) = states
    z, r, g = np.split(x @ kernel + bias[0], 3, axis=1)
    hz, hr, hg = np.split(h @ recurrent + bias[1], 3, axis=1)
    z, r = sigmoid(z + hz), sigmoid(r + hr)
    return [z * h + (1 - z) * np.tanh(g + r * hg)]


def simple(x: Array, states: Sequence[Array], weights: Sequence[Array]) -> list[Array]:
    """Keras's SimpleRNNCell."""
    kernel, recurrent, bias = weights
    return [np.tanh(x @ kernel + states[0] @ recurrent + bias)]


CELLS: dict[str, Any] = {"LSTMCell": lstm, "GRUCell": gru, "SimpleRNNCell": simple}


def run(name: str, x: Array, states: Sequence[Array], weights: Sequence[Any]) -> Array:
    """The outputs `(batch, time, units)` of a cell for `(batch, time, features)`."""
    arrays = [np.asarray(each, "float64") for each in weights]
    states, outputs = [np.asarray(each) for each in states], []
    for t in range(x.shape[1]):
        states = CELLS[name](x[:, t], states, arrays)
        outputs.append(states[0])
    return np.stack(outputs, axis=1)
