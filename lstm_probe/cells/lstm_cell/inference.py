"""What the output of an LSTM tells about what a framework does not show."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from lstm_probe.cells.base import Cell, Reading, Values
from lstm_probe.core.activations import SIGMOIDS, ActivationLike, applied
from lstm_probe.core.arrays import Array, BoolArray

__all__ = ["coupled_readings", "forget_bias_readings", "lstm_changes", "unseen_cell_state"]

_GUESSES = np.linspace(-4, 4, 33)
_ROUNDS = 12
_STEP = 1e-6


def lstm_changes(before: Values, values: Values, shown: Array, unit: int) -> dict[str, Array]:
    """For each gate, the change of its pre-activation that would explain a unit's output.

    phi must be `tanh` and sigma the sigmoid.

    Args:
        before: The states before each step, by letter, `(time, batch, size)`.
        values: What each step computes, by letter, `(time, batch, size)`.
        shown: The hidden state of the unit in the framework, `(time, batch)`.
        unit: The index of the unit.

    Returns:
        The changes by gate, `(time, batch)`.
    """
    i, f, g, o, c, h = (values[letter][..., unit] for letter in "ifgoch")
    # The cell state that the framework must have had if its output gate is right.
    cells = np.arctanh(shown / o)
    earlier = np.concatenate([before["c"][:1, :, unit], cells[:-1]])
    error = cells - (f * earlier + i * g)
    return {
        "i": error / g / (i * (1 - i)),
        "f": error / earlier / (f * (1 - f)),
        "g": error / i / (1 - np.square(g)),
        "o": (shown - h) / np.tanh(c) / (o * (1 - o)),
    }


def unseen_cell_state(
    activation: ActivationLike, values: Values, shown: Array, mask: BoolArray
) -> Array:
    """Infer the cell state with which a sequence began, by the Gauss-Newton method.

    The cell state of each step is linear in the first one, so each unit has one unknown.

    Args:
        activation: phi.
        values: What each step computes from the framework's own `h` and from a cell state of
            zeros, by letter, `(time, batch, size)`.
        shown: The framework's own hidden states, `(time, batch, size)`.
        mask: `(time, batch)`. It is True where a step counts.

    Returns:
        `(batch, size)`.
    """
    valid = mask[..., None]
    o, c = values["o"], values["c"]
    factors = np.cumprod(np.where(valid, values["f"], 1), axis=0)

    def error(first: Array) -> Array:
        return np.where(valid, o * applied(activation, c + factors * first) - shown, 0)

    with np.errstate(all="ignore"):
        shape = o.shape[1:]
        tried = [np.square(error(np.full(shape, guess))).sum(axis=0) for guess in _GUESSES]
        first = _GUESSES[np.argmin(tried, axis=0)]
        for _ in range(_ROUNDS):
            rest = error(first)
            slope = (error(first + _STEP) - error(first - _STEP)) / (2 * _STEP)
            curvature = np.square(slope).sum(axis=0) + 1e-30
            first = first - np.clip((slope * rest).sum(axis=0) / curvature, -1, 1)
    return np.asarray(first)


def coupled_readings(cell: Any, weights: Any) -> Iterator[Reading]:
    """The input and the forget gate coupled, so that the weights of one of them are not used.

    A sigmoid has `1 - s(a) = s(-a)`, so that a coupled gate has the weights of the other, negated.

    Args:
        cell: The options of an LSTM cell.
        weights: The weights of the cell.
    """
    symmetrical = cell.recurrent_activation in SIGMOIDS
    if "i" not in weights.gates or weights.norm_scale is not None or not symmetrical:
        return
    for used, unused in (("f", "i"), ("i", "f")):
        arrays = {}
        for name in ("kernel", "recurrent_kernel", "bias", "peepholes"):
            array = getattr(weights, name)
            if array is not None:
                arrays[name] = array.copy()
                arrays[name][..., "if".index(unused), :] = -array[..., "if".index(used), :]
        if cell.forget_bias:
            bias = arrays.get("bias", np.zeros((len(weights.gates), weights.units)))
            arrays["bias"] = bias
            bias["if".index(unused)] -= cell.forget_bias
        does = f"couples the gates: the gate {unused} is 1 - {used}"
        yield Reading("coupled", does, cell, replace(weights, **arrays))


def forget_bias_readings(cell: Cell[Any], weights: Any, current: float) -> Iterator[Reading]:
    """The biases that TF1 may add to the forget gate while it runs.

    Args:
        cell: The options of the cell.
        weights: The weights of the cell.
        current: The bias that `cell` adds already.
    """
    for value in (0.0, 1.0, -1.0):
        if value == current:
            continue
        does = f"adds {value} to the forget gate" if value else "adds nothing to the forget gate"
        bias = np.zeros((len(weights.gates), weights.units))
        if weights.bias is not None:
            bias += weights.bias
        bias[weights.gates.index("f")] += value - current
        yield Reading("forget_bias", does, cell, replace(weights, bias=bias))
