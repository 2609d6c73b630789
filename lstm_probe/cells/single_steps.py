"""The gates of all steps at once, where the hidden state before each step is known.

Time is then part of the batch: two matrix products serve all steps. Only an LSTM's cell state is
carried from step to step, and no gate of the plain cell looks at it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lstm_probe.cells import ConvLstmCell, GruCell, LstmCell, SimpleRnnCell
from lstm_probe.cells.conv_lstm.convolution import convolve
from lstm_probe.core.activations import get_activation
from lstm_probe.core.arrays import Array, BoolArray
from lstm_probe.weights import GateWeights, GruWeights

__all__ = ["Steps", "gru_steps", "lstm_steps", "scan", "simple_rnn_steps", "sums"]

#: What puts `(batch, time, *space, units)` into the layout of a trace, `(batch, time, size)`.
Flat = Callable[[Array], Array]


@dataclass(frozen=True, eq=False)
class Steps:
    """The steps of a cell. `*space` stands for what only convolutional cells have.

    Attributes:
        values: by letter, `(batch, time, *space, units)`.
        inputs: `(batch, time, gates, *space, units)`, what the kernel makes of the inputs.
        hidden: the same shape, what the recurrent kernel makes of the hidden states; of a GRU that
            resets before the product, the candidate's is that of the reset states.
        cells: `(time + 1, batch, *space, units)`, the cell state before each step and after the
            last; None for a cell without.
        shown: what the activation makes of the new cell state; None likewise.
        flat: to the layout of a trace.
    """

    values: dict[str, Array]
    inputs: Array
    hidden: Array
    cells: Array | None = None
    shown: Array | None = None
    flat: Flat = np.asarray

    @property
    def cells_before(self) -> Array:
        """`(batch, time, *space, units)`, the cell state before each step."""
        assert self.cells is not None
        return self.cells[:-1].swapaxes(0, 1)


def sums(
    cell: LstmCell | ConvLstmCell | GruCell | SimpleRnnCell,
    weights: GateWeights,
    x: Array,
    h: Array,
) -> tuple[Array, Array]:
    """What the kernels make of inputs and hidden states, `(batch, time, gates, *space, units)`.

    Args:
        cell: a convolutional one convolves.
        weights: of the dtype of `x`.
        x: `(batch, time, input)`.
        h: `(batch, time, output)`, the states before each step.
    """
    if isinstance(cell, ConvLstmCell):
        options = {"padding": cell.padding, "strides": cell.strides, "dilation": cell.dilation}
        inputs = _convolved(cell, x, cell.input_shape, weights.kernel, **options)
        shape = cell.output_shape(weights)  # type: ignore[arg-type]
        return inputs, _convolved(cell, h, shape, weights.recurrent_kernel)
    shape = (*x.shape[:2], len(weights.gates), weights.units)
    pairs = (x, weights.kernel), (h, weights.recurrent_kernel)
    first, second = (
        (a.reshape(-1, a.shape[2]) @ kernel.reshape(len(kernel), -1)).reshape(shape)
        for a, kernel in pairs
    )
    return first, second


def _convolved(
    cell: ConvLstmCell, flat: Array, shape: tuple[int, ...], kernel: Array, **options: object
) -> Array:
    images = cell._channels_last(flat.reshape(-1, *shape))
    result = convolve(images, kernel.reshape(*kernel.shape[:-2], -1), **options)  # type: ignore[arg-type]
    split = result.reshape(*flat.shape[:2], *result.shape[1:-1], *kernel.shape[-2:])
    return np.moveaxis(split, -2, 2)


def lstm_steps(
    cell: LstmCell | ConvLstmCell,
    weights: GateWeights,
    x: Array,
    h: Array,
    c: Array,
    mask: BoolArray | None,
) -> Steps:
    """The steps of a plain or convolutional LSTM.

    Args:
        cell: its options.
        weights: of the dtype of `x`.
        x: `(batch, time, input)`.
        h: `(batch, time, output)`, the states before each step.
        c: `(batch, output)`, the cell state before the first.
        mask: `(batch, time)`, or None.
    """
    sigma, phi = get_activation(cell.recurrent_activation), get_activation(cell.activation)
    inputs, hidden = sums(cell, weights, x, h)
    a = np.moveaxis(inputs + hidden, 2, 0)
    if weights.bias is not None:
        a += weights.bias.reshape(len(a), *[1] * (a.ndim - 2), -1)
    forget_bias = getattr(cell, "forget_bias", 0.0)
    if forget_bias:
        a[weights.gates.index("f")] += a.dtype.type(forget_bias)
    values = {
        letter: (phi if letter == "g" else sigma)(each)
        for letter, each in zip(weights.gates, a, strict=True)
    }
    flat: Flat = np.asarray
    if isinstance(cell, ConvLstmCell):
        flat = cell._flat
        c = cell._channels_last(c.reshape(-1, *cell.output_shape(weights)))  # type: ignore[arg-type]
    cells = scan(c, values["f"], values["i"] * values["g"], mask)
    values["c"] = cells[1:].swapaxes(0, 1)
    shown = phi(values["c"])
    values["h"] = values["o"] * shown
    return Steps(values, inputs, hidden, cells, shown, flat)


def scan(first: Array, factors: Array, terms: Array, mask: BoolArray | None) -> Array:
    """`s[t + 1] = factors[t] * s[t] + terms[t]`, or `s[t]` where a step is masked.

    Args:
        first: `(batch, ...)`.
        factors: `(batch, time, ...)`.
        terms: the same shape.
        mask: `(batch, time)`, or None.

    Returns:
        `(time + 1, batch, ...)`.
    """
    if mask is not None:
        valid = mask.reshape(*mask.shape, *[1] * (factors.ndim - 2))
        factors, terms = np.where(valid, factors, 1), np.where(valid, terms, 0)
    states = np.empty((factors.shape[1] + 1, *first.shape), terms.dtype)
    states[0] = first
    steps = zip(states, states[1:], factors.swapaxes(0, 1), terms.swapaxes(0, 1), strict=False)
    for before, after, factor, term in steps:
        np.multiply(before, factor, out=after)
        after += term
    return states


def gru_steps(cell: GruCell, weights: GateWeights, x: Array, h: Array) -> Steps:
    """The steps of a GRU; the arguments are those of `lstm_steps`."""
    assert isinstance(weights, GruWeights)
    sigma, phi = get_activation(cell.recurrent_activation), get_activation(cell.activation)
    inputs, hidden = sums(cell, weights, x, h)
    first = inputs if weights.bias is None else inputs + weights.bias
    second = np.zeros((3, weights.units), x.dtype)
    if weights.recurrent_bias is not None:
        second = weights.recurrent_bias
    z, r = (sigma(first[:, :, k] + hidden[:, :, k] + second[k]) for k in range(2))
    if cell._resets_after(weights):
        inner = r * (hidden[:, :, 2] + second[2])
    else:
        product = (r * h).reshape(-1, h.shape[2]) @ weights.recurrent_kernel[:, 2]
        hidden[:, :, 2] = product.reshape(h.shape)
        inner = hidden[:, :, 2] + second[2]
    g = phi(first[:, :, 2] + inner)
    return Steps({"z": z, "r": r, "g": g, "h": z * h + (1 - z) * g}, inputs, hidden)


def simple_rnn_steps(cell: SimpleRnnCell, weights: GateWeights, x: Array, h: Array) -> Steps:
    """The steps of a plain recurrent cell; the arguments are those of `lstm_steps`."""
    inputs, hidden = sums(cell, weights, x, h)
    a = (inputs + hidden)[:, :, 0]
    if weights.bias is not None:
        a += weights.bias
    return Steps({"h": get_activation(cell.activation)(a)}, inputs, hidden)
