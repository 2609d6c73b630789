"""Keras's layout: `kernel (input, 4 units)`, `recurrent_kernel (units, 4 units)`, `bias`."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from lstm_probe.arrays import Array
from lstm_probe.errors import LstmProbeError
from lstm_probe.weights.gates import LstmWeights, join_gates, split_gates

__all__ = ["KERAS_LSTM_ORDER", "from_keras", "to_keras"]

#: Input, forget, candidate, output: keras/src/layers/rnn/lstm.py, `LSTMCell.call`.
KERAS_LSTM_ORDER = ("i", "f", "g", "o")


def from_keras(
    kernel: npt.ArrayLike, recurrent_kernel: npt.ArrayLike, bias: npt.ArrayLike | None = None
) -> LstmWeights:
    """Cut the weights of a Keras LSTM into gates; `layer.get_weights()` is in this order.

    Args:
        kernel: `(input, 4 * units)`.
        recurrent_kernel: `(units, 4 * units)`.
        bias: `(4 * units,)`, or None for `use_bias=False`.

    Returns:
        The gates as views of the arrays that were passed: nothing is copied.

    Raises:
        LstmProbeError: the shapes are not those of a Keras LSTM.

    Source:
        keras/src/layers/rnn/lstm.py, `LSTMCell.build` and `LSTMCell.call`.

    Example:
        >>> weights = from_keras(np.zeros((3, 20)), np.zeros((5, 20)))
        >>> weights.input_size, weights.units
        (3, 5)
    """
    kernel, recurrent_kernel = np.asarray(kernel), np.asarray(recurrent_kernel)
    _check(kernel, recurrent_kernel, None if bias is None else np.asarray(bias))

    def cut(fused: npt.NDArray[Any]) -> Array:
        return split_gates(fused, KERAS_LSTM_ORDER, LstmWeights.gates)

    return LstmWeights(
        cut(kernel), cut(recurrent_kernel), None if bias is None else cut(np.asarray(bias))
    )


def to_keras(weights: LstmWeights) -> list[Array]:
    """The inverse of `from_keras`: what `layer.set_weights` takes.

    Returns:
        `[kernel, recurrent_kernel, bias]`, without the last for a cell that has no bias.

    Example:
        >>> arrays = to_keras(from_keras(np.zeros((3, 20)), np.zeros((5, 20)), np.zeros(20)))
        >>> [array.shape for array in arrays]
        [(3, 20), (5, 20), (20,)]
    """
    arrays = [weights.kernel, weights.recurrent_kernel, weights.bias]
    return [join_gates(a, KERAS_LSTM_ORDER, weights.gates) for a in arrays if a is not None]


def _check(
    kernel: npt.NDArray[Any], recurrent_kernel: npt.NDArray[Any], bias: npt.NDArray[Any] | None
) -> None:
    received = [a.shape for a in (kernel, recurrent_kernel, bias) if a is not None]
    fits = kernel.ndim == 2 and recurrent_kernel.ndim == 2
    if fits:
        units = recurrent_kernel.shape[0]
        columns = 4 * units
        fits = recurrent_kernel.shape[1] == columns == kernel.shape[1]
        fits = fits and (bias is None or bias.shape == (columns,))
    if not fits:
        raise LstmProbeError(
            "These are not the weights of a Keras LSTM. Received: shapes "
            f"{', '.join(map(str, received))}. Expected: kernel (input, 4 * units), "
            "recurrent_kernel (units, 4 * units) and bias (4 * units,) or none. "
            "Pass the arrays of layer.get_weights() in their order."
        )
