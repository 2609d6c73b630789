"""The convolutional LSTM (Shi et al. 2015) in one, two or three dimensions of space."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from lstm_probe.cells.backward import Back, Run
from lstm_probe.cells.base import Reading, UnknownBiases, Values
from lstm_probe.cells.conv_lstm.convolution import convolve, output_space
from lstm_probe.cells.conv_lstm.convolution_backward import convolve_back
from lstm_probe.cells.lstm.backward import lstm_back
from lstm_probe.cells.lstm.equations import LstmEquations
from lstm_probe.cells.lstm.inference import forget_bias_readings, unseen_cell_state
from lstm_probe.cells.lstm.rounding import lstm_rounding
from lstm_probe.cells.shared.slopes import has_slopes
from lstm_probe.core.activations import ActivationLike, get_activation, value_range
from lstm_probe.core.arrays import Array, BoolArray
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.core.trace import GateTrace, Interval
from lstm_probe.weights.gates import GateWeights
from lstm_probe.weights.kinds import ConvLstmWeights
from lstm_probe.weights.named import CellWeights

__all__ = ["ConvLstmCell", "conv_lstm"]


@dataclass(frozen=True)
class ConvLstmCell(LstmEquations[ConvLstmWeights]):
    """The options of a convolutional LSTM cell, and its equations.

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

    # The mathematics: that of every LSTM, with convolutions for products.

    def prepared(self, weights: CellWeights, dtype: npt.DTypeLike) -> ConvLstmWeights:
        own = super().prepared(weights, dtype)
        return own if own.bias is not None else replace(own, bias=np.zeros((4, own.units), dtype))

    def inputs(self, x: Array, weights: ConvLstmWeights) -> Array:
        images = self._channels_last(x.reshape(-1, *self.input_shape))
        result = convolve(images, _fused(weights.kernel), **self._options)
        return result.reshape(*x.shape[:-1], *result.shape[1:-1], 4, weights.units) + weights.bias

    def recurrent(self, h: Array, weights: ConvLstmWeights) -> Array:
        images = h.reshape(-1, *self._output_space(weights), weights.units)
        result = convolve(images, _fused(weights.recurrent_kernel))
        return result.reshape(*h.shape[:-1], 4, weights.units)

    def recurrent_back(self, changes: Array, weights: ConvLstmWeights) -> Array:
        space = self._output_space(weights)
        images = changes.reshape(-1, *space, 4 * weights.units)
        result = convolve_back(images, _fused(weights.recurrent_kernel), space)
        return result.reshape(*changes.shape[:-2], weights.units)

    def inputs_back(self, changes: Array, weights: ConvLstmWeights) -> Array:
        space = self._output_space(weights)
        first = self.data_format == "channels_first"
        result = convolve_back(
            changes.reshape(-1, *space, 4 * weights.units),
            _fused(weights.kernel),
            self.input_shape[1:] if first else self.input_shape[:-1],
            **self._options,
        )
        lead = changes.shape[: changes.ndim - len(space) - 2]
        return self._flat(result.reshape(*lead, *result.shape[1:]))

    def back(self, run: Run) -> Back | None:
        known = has_slopes(self.activation, self.recurrent_activation)
        return lstm_back(self, run) if known else None

    def rounding(
        self, x: Array, before: Values, values: Values, weights: ConvLstmWeights,
        mask: BoolArray | None, u: float,
    ) -> Array:  # fmt: skip
        return lstm_rounding(self, x, before, values, weights, mask, u)

    def readings(self, weights: ConvLstmWeights) -> Iterator[Reading]:
        yield from forget_bias_readings(self, weights, 0.0)
        axes = tuple(range(weights.kernel.ndim - 3))
        flipped = replace(
            weights,
            kernel=np.flip(weights.kernel, axes),
            recurrent_kernel=np.flip(weights.recurrent_kernel, axes),
        )
        does = "mirrors its kernels in space, or pads even ones at the start"
        yield Reading("mirrored", does, self, flipped)

    def unknown_biases(self, weights: ConvLstmWeights) -> list[UnknownBiases]:
        # A unit's bias is inferred from the values in its place, which are the last axis.
        if self.data_format != "channels_last":
            return []
        return [[(k, {"bias": 1.0}) for k in range(4)]]

    def unseen_states(
        self, values: Values, shown: Array, mask: BoolArray, weights: ConvLstmWeights
    ) -> list[Array] | None:
        if not has_slopes(self.activation):
            return None
        return [unseen_cell_state(self.activation, values, shown, mask)]

    @property
    def _options(self) -> dict[str, Any]:
        return {"padding": self.padding, "strides": self.strides, "dilation": self.dilation}

    def _channels_last(self, images: Array) -> Array:
        """`(batch, ...)` in the cell's data format to `(batch, *space, channels)`."""
        return np.moveaxis(images, 1, -1) if self.data_format == "channels_first" else images

    def _inside(self, array: Array, weights: ConvLstmWeights) -> Array:
        """`(..., size)` in the cell's data format to `(..., *space, filters)`."""
        images = self._channels_last(array.reshape(-1, *self.output_shape(weights)))
        return images.reshape(*array.shape[:-1], *images.shape[1:])

    def _flat(self, array: Array) -> Array:
        """`(..., *space, channels)` to `(..., size)` in the cell's data format."""
        lead = array.ndim - len(self.input_shape)
        if self.data_format == "channels_first":
            array = np.moveaxis(array, -1, lead)
        return array.reshape(*array.shape[:lead], -1)


def _fused(kernel: Array) -> Array:
    """The kernels of all gates as one, `(*size, channels, gates * filters)`."""
    return kernel.reshape(*kernel.shape[:-2], -1)


def conv_lstm(
    x: npt.ArrayLike,
    weights: GateWeights,
    *,
    cell: ConvLstmCell | None = None,
    initial_state: Sequence[npt.ArrayLike] | None = None,
    mask: npt.ArrayLike | None = None,
    dtype: npt.DTypeLike | None = None,
    reverse: bool = False,
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
        reverse: read from the last timestep to the first; the trace is in the order of the input.

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
    return cell.run(flat, weights, initial_state=state, mask=mask, dtype=dtype, reverse=reverse)
