"""The convolutional LSTM (Shi et al. 2015) in one, two or three dimensions of space."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import prod
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from lstm_probe.cells.backward import Back, Run
from lstm_probe.cells.base import Reading, UnknownBiases, Values
from lstm_probe.cells.conv_lstm_cell.convolution import convolve, output_space
from lstm_probe.cells.conv_lstm_cell.convolution_backward import convolve_back
from lstm_probe.cells.lstm_cell.backward import lstm_back
from lstm_probe.cells.lstm_cell.equations import LstmEquations
from lstm_probe.cells.lstm_cell.inference import forget_bias_readings, unseen_cell_state
from lstm_probe.cells.lstm_cell.rounding import lstm_rounding
from lstm_probe.cells.shared.slopes import has_slopes
from lstm_probe.core.activations import ActivationLike, get_activation, value_range
from lstm_probe.core.arrays import Array, BoolArray
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.core.trace import Interval
from lstm_probe.weights.gates import GateWeights
from lstm_probe.weights.kinds import ConvLstmWeights
from lstm_probe.weights.named import CellWeights

__all__ = ["ConvLstmCell"]


@dataclass(frozen=True)
class ConvLstmCell(LstmEquations[ConvLstmWeights]):
    """The options of a convolutional LSTM cell, and its equations.

        i = sigma(x * W_i + h * U_i + b_i)      input gate
        f = sigma(x * W_f + h * U_f + b_f)      forget gate
        g = phi(x * W_g + h * U_g + b_g)        candidate
        o = sigma(x * W_o + h * U_o + b_o)      output gate
        c' = f . c + i . g                      cell state
        h' = o . phi(c')                        hidden state

    Here `*` is a convolution and `.` multiplies elements. The convolution of the input has the
    options below. The convolution of the hidden state always has padding `same`, strides of 1 and
    no dilation. The arrays of a trace are flat: each is `(batch, time, size)`, where `size` is the
    product of `output_shape` and the elements are in its order.

    Attributes:
        input_shape: `(*space, channels)`, or `(channels, *space)` for `channels_first`.
        padding: `valid` or `same`.
        strides: One for each dimension of space. The default is ones.
        dilation: One for each dimension of space. The default is ones.
        data_format: `channels_last` or `channels_first`.
        activation: phi, by its Keras name or as a function.
        recurrent_activation: sigma, by its Keras name or as a function. The default of Keras 2 is
            `hard_sigmoid_keras2`.

    Raises:
        LstmProbeError: An option is not known.

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
        self._output_space(weights)  # raises if the input shape does not fit
        return prod(self.input_shape)

    def output_size(self, weights: ConvLstmWeights) -> int:
        return prod(self.output_shape(weights))

    def state_size(self, letter: str, weights: ConvLstmWeights) -> int:
        return self.output_size(weights)

    def output_shape(self, weights: ConvLstmWeights) -> tuple[int, ...]:
        """The shape of one hidden state, in the data format of the input.

        Raises:
            LstmProbeError: The input shape does not fit the weights.

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
        """The extent of the output in space. It raises an LstmProbeError if nothing fits."""
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

    # The equations of every LSTM, with convolutions in place of products.

    def prepared(self, weights: CellWeights, dtype: npt.DTypeLike) -> ConvLstmWeights:
        own = super().prepared(weights, dtype)
        return own if own.bias is not None else replace(own, bias=np.zeros((4, own.units), dtype))

    def input_products(self, x: Array, kernel: Array) -> Array:
        images = self._channels_last(x.reshape(-1, *self.input_shape))
        result = convolve(images, _fused(kernel), **self._options)
        return result.reshape(*x.shape[:-1], *result.shape[1:-1], *kernel.shape[-2:])

    def state_products(self, h: Array, kernel: Array) -> Array:
        result = convolve(_images(h, kernel), _fused(kernel))
        return result.reshape(*h.shape[:-1], *kernel.shape[-2:])

    def sums_in_half_precision(self, weights: ConvLstmWeights) -> bool:
        # TensorFlow's convolutions in three dimensions do so on the CPU:
        # tensorflow/core/kernels/conv_ops_3d.cc, `LaunchConvOp`, whose product is Eigen's.
        return weights.kernel.ndim - 3 == 3

    def states_back(self, changes: Array, kernel: Array) -> Array:
        images = _images(changes.reshape(*changes.shape[:-2], -1), kernel)
        result = convolve_back(images, _fused(kernel), images.shape[1:-1])
        return result.reshape(*changes.shape[:-2], -1)

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
        return self.flattened(result.reshape(*lead, *result.shape[1:]))

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
        # The biases are inferred along the last axis of the output, which must be the filters.
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
        """The options of the convolution of the input."""
        return {"padding": self.padding, "strides": self.strides, "dilation": self.dilation}

    def _channels_last(self, images: Array) -> Array:
        """`(batch, ...)` in the data format of the cell, as `(batch, *space, channels)`."""
        return np.moveaxis(images, 1, -1) if self.data_format == "channels_first" else images

    def unflattened(self, state: Array, weights: ConvLstmWeights) -> Array:
        images = self._channels_last(state.reshape(-1, *self.output_shape(weights)))
        return images.reshape(*state.shape[:-1], *images.shape[1:])

    def flattened(self, array: Array) -> Array:
        lead = array.ndim - len(self.input_shape)
        if self.data_format == "channels_first":
            array = np.moveaxis(array, -1, lead)
        return array.reshape(*array.shape[:lead], -1)


def _images(array: Array, kernel: Array) -> Array:
    """`(..., *space, channels)` as `(batch, *space, channels)`. The kernel tells the dimensions."""
    rank = kernel.ndim - 3
    return array.reshape(-1, *array.shape[-rank - 1 :])


def _fused(kernel: Array) -> Array:
    """The kernels of all gates as one, `(*size, channels, gates * filters)`."""
    return kernel.reshape(*kernel.shape[:-2], -1)
