"""The convolutional LSTM (Shi et al. 2015) in one, two or three dimensions of space."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from lstm_probe.cells.base import Cell
from lstm_probe.cells.conv_lstm.convolution import SameConvolution, convolve, output_space
from lstm_probe.cells.shared.in_place import activation_into, doubled
from lstm_probe.core.activations import ActivationLike, get_activation, value_range
from lstm_probe.core.arrays import Array, BoolArray
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.core.trace import GateTrace, Interval
from lstm_probe.weights.gates import GateWeights
from lstm_probe.weights.kinds import ConvLstmWeights

__all__ = ["ConvLstmCell", "conv_lstm"]

_WORKING_ORDER = "ifog"  # what has the same activation lies together
_HALF = np.array(0.5, np.float32)  # an array is read faster than a number
#: So many values at most are laid out for the inputs' convolution at a time.
_BLOCK = 2**18


@dataclass(frozen=True)
class ConvLstmCell(Cell[ConvLstmWeights]):
    """The options of a convolutional LSTM cell, and its recurrence.

        i = sigma(x * W_i + h * U_i + b_i)      input gate
        f = sigma(x * W_f + h * U_f + b_f)      forget gate
        g = phi(x * W_g + h * U_g + b_g)        candidate
        o = sigma(x * W_o + h * U_o + b_o)      output gate
        c' = f . c + i . g                      cell state
        h' = o . phi(c')                        hidden state

    where `*` is a convolution: that of the input has the options below, that of the hidden state
    is always `same`, with stride 1 and undilated. A trace is flat: each array is
    `(batch, time, size of the output)`, in the order of `output_shape`.

    Attributes:
        input_shape: `(*space, channels)`, or `(channels, *space)` for `channels_first`.
        padding: `valid` or `same`.
        strides: one for each dimension of space; ones by default.
        dilation: one for each dimension of space; ones by default.
        data_format: `channels_last` or `channels_first`.
        activation: phi, by its Keras name or as a function.
        recurrent_activation: sigma; Keras 2 has `hard_sigmoid_keras2` by default.

    Raises:
        LstmProbeError: an option is not known.

    Source:
        keras/src/layers/rnn/conv_lstm.py, `ConvLSTMCell.call`.

    Example:
        >>> cell = ConvLstmCell(input_shape=(8, 8, 3))
        >>> cell.ranges()["i"]
        (0.0, 1.0)
    """

    input_shape: tuple[int, ...] = ()
    padding: str = "valid"
    strides: tuple[int, ...] = ()
    dilation: tuple[int, ...] = ()
    data_format: str = "channels_last"
    activation: ActivationLike = "tanh"
    recurrent_activation: ActivationLike = "sigmoid"

    name: ClassVar[str] = "conv_lstm"
    states: ClassVar[tuple[str, ...]] = ("h", "c")
    weights_type: ClassVar[type[GateWeights]] = ConvLstmWeights

    def __post_init__(self) -> None:
        get_activation(self.activation)
        get_activation(self.recurrent_activation)
        known = {
            "padding": ("valid", "same"),
            "data_format": ("channels_last", "channels_first"),
        }
        for option, values in known.items():
            if getattr(self, option) not in values:
                raise LstmProbeError(
                    f"Unknown {option}. Received: {getattr(self, option)!r}. "
                    f"Expected: {' or '.join(values)}."
                )

    def ranges(self, weights: ConvLstmWeights | None = None) -> dict[str, Interval]:
        gate = value_range(self.recurrent_activation)
        candidate = value_range(self.activation)
        hidden = candidate if gate == (0.0, 1.0) else None
        return {"i": gate, "f": gate, "g": candidate, "o": gate, "c": None, "h": hidden}

    def input_size(self, weights: ConvLstmWeights) -> int:
        self._output_space(weights)  # raises where the input shape does not fit
        return prod(self.input_shape)

    def output_size(self, weights: ConvLstmWeights) -> int:
        return prod(self.output_shape(weights))

    def state_size(self, letter: str, weights: ConvLstmWeights) -> int:
        return self.output_size(weights)

    def output_shape(self, weights: ConvLstmWeights) -> tuple[int, ...]:
        """The shape of one hidden state, in the data format of the input.

        Raises:
            LstmProbeError: the input shape does not fit the weights.

        Example:
            >>> from lstm_probe import weights
            >>> rng = np.random.default_rng(0)
            >>> w = weights.from_keras(rng.normal(size=(3, 3, 1, 8)), rng.normal(size=(3, 3, 2, 8)))
            >>> ConvLstmCell(input_shape=(8, 6, 1)).output_shape(w)
            (6, 4, 2)
        """
        space = self._output_space(weights)
        if self.data_format == "channels_first":
            return (weights.units, *space)
        return (*space, weights.units)

    def _output_space(self, weights: ConvLstmWeights) -> tuple[int, ...]:
        size = weights.kernel.shape[:-3]
        first = self.data_format == "channels_first"
        space = self.input_shape[1:] if first else self.input_shape[:-1]
        channels = self.input_shape[:1] if first else self.input_shape[-1:]
        ranks = [len(option) for option in (self.strides, self.dilation) if option]
        if {len(space), *ranks} == {len(size)} and channels == (weights.input_size,):
            result = output_space(
                space, size, padding=self.padding, strides=self.strides, dilation=self.dilation
            )
            if min(result) > 0:
                return result
        raise LstmProbeError(
            f"The input does not fit the {self.name} cell. Received: input_shape "
            f"{self.input_shape}, strides {self.strides}, dilation {self.dilation}, "
            f"{self.data_format}, padding {self.padding}. Expected: {len(size)} dimensions of "
            f"space, at least as large as the kernel {size}, and {weights.input_size} channels."
        )

    def _recur(
        self, x: Array, weights: ConvLstmWeights, state: list[Array], mask: BoolArray | None
    ) -> dict[str, Array]:
        time, batch = x.shape[:2]
        space, filters = self._output_space(weights), weights.units
        images, rows = (batch, *space, filters), batch * prod(space)
        sigma = doubled(self.recurrent_activation, rows, filters)
        phi = activation_into(self.activation, rows, filters)
        slopes = np.array([sigma.slope] * 3 + [1], x.dtype)[:, None]
        offsets = np.array([sigma.offset] * 3 + [0], x.dtype)[:, None]
        order = [weights.gates.index(gate) for gate in _WORKING_ORDER]
        gates = np.empty((time, 4, rows, filters), x.dtype)
        self._multiply_inputs(x, weights, order, gates)
        bias = np.zeros((4, filters), x.dtype) if weights.bias is None else weights.bias[order]
        gates *= slopes[:, None]
        gates += (slopes * bias + offsets)[:, None]
        kernels = weights.recurrent_kernel[..., order, :] * slopes
        convolved = SameConvolution(images, np.moveaxis(kernels, -2, 0))
        shape = self.output_shape(weights)
        hidden, cells = np.empty((2, time + 1, *images), x.dtype)
        hidden[0], cells[0] = (self._channels_last(s.reshape(batch, *shape)) for s in state)
        written = np.empty_like(hidden[0])
        sigmas = gates.reshape(time, -1)[:, : 3 * rows * filters]
        i, f, o, g = np.moveaxis(gates.reshape(time, 4, *images), 1, 0)
        for t in range(time):
            gates[t] += convolved(hidden[t])  # x * W + h * U + b
            sigma.apply(sigmas[t])
            sigmas[t] *= _HALF
            phi(g[t], g[t])
            np.multiply(f[t], cells[t], cells[t + 1])  # c' = f . c + i . g
            np.multiply(i[t], g[t], written)
            cells[t + 1] += written
            phi(cells[t + 1], hidden[t + 1])  # h' = o . phi(c')
            hidden[t + 1] *= o[t]
            if mask is not None:
                for states in (cells, hidden):
                    states[t + 1][~mask[t]] = states[t][~mask[t]]
        arrays = {"i": i, "f": f, "g": g, "o": o, "c": cells[1:], "h": hidden[1:]}
        return {letter: self._flat(array) for letter, array in arrays.items()}

    def _multiply_inputs(
        self, x: Array, weights: ConvLstmWeights, order: Sequence[int], out: Array
    ) -> None:
        """Write `x * W` of all steps to `(time, gates, batch * space, filters)`."""
        kernel = weights.kernel.reshape(*weights.kernel.shape[:-2], -1)
        options = {"strides": self.strides, "dilation": self.dilation}
        _, gates, rows, filters = out.shape
        length = max(1, _BLOCK // (rows * prod(kernel.shape[:-1])))
        for start in range(0, len(x), length):
            images = self._channels_last(x[start : start + length].reshape(-1, *self.input_shape))
            sums = convolve(images, kernel, padding=self.padding, **options)
            by_gate = sums.reshape(-1, rows, gates, filters).swapaxes(1, 2)
            out[start : start + length] = by_gate[:, order]

    def _channels_last(self, images: Array) -> Array:
        """`(batch, ...)` in the cell's data format to `(batch, *space, channels)`."""
        return np.moveaxis(images, 1, -1) if self.data_format == "channels_first" else images

    def _flat(self, array: Array) -> Array:
        """`(time, batch, *space, filters)` to `(time, batch, size)` in the cell's data format."""
        if self.data_format == "channels_first":
            array = np.moveaxis(array, -1, 2)
        return array.reshape(*array.shape[:2], -1)


def conv_lstm(
    x: npt.ArrayLike,
    weights: GateWeights,
    *,
    cell: ConvLstmCell | None = None,
    initial_state: Sequence[npt.ArrayLike] | None = None,
    mask: npt.ArrayLike | None = None,
    dtype: npt.DTypeLike | None = None,
) -> GateTrace:
    """Run a convolutional LSTM over a batch of sequences of images and keep every gate.

    Args:
        x: `(batch, time, *space, channels)`, or `(batch, time, channels, *space)`.
        weights: as `lstm_probe.weights.from_keras` makes them.
        cell: the cell's options, whose `input_shape` is taken from `x`; by default those of a
            Keras ConvLSTM.
        initial_state: `(h, c)`, each `(batch, *space, filters)` in the data format of `x`.
        mask: `(batch, time)`, False where a step is skipped.
        dtype: float32 or float64; by default that of the weights.

    Returns:
        A trace with `i f g o c h`, each `(batch, time, size)`, where size is the product of
        `cell.output_shape(weights)`.

    Raises:
        LstmProbeError: the shapes do not fit, or the weights are those of another cell.

    Example:
        >>> from lstm_probe import weights
        >>> rng = np.random.default_rng(0)
        >>> cell = weights.from_keras(rng.normal(size=(3, 1, 8)), rng.normal(size=(3, 2, 8)))
        >>> conv_lstm(rng.normal(size=(1, 5, 10, 1)), cell).f.shape
        (1, 5, 16)
    """
    x = np.asarray(x)
    cell = replace(cell or ConvLstmCell(), input_shape=x.shape[2:])
    state = None
    if initial_state is not None:
        state = [np.reshape(s, (len(np.asarray(s)), -1)) for s in initial_state]
    flat = x.reshape(*x.shape[:2], prod(x.shape[2:]))
    return cell.run(flat, weights, initial_state=state, mask=mask, dtype=dtype)
