"""The layout of the weights of Keras 2's `CuDNNLSTM` and `CuDNNGRU`."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lstm_probe.core.arrays import Array
from lstm_probe.weights.gates import split_gates
from lstm_probe.weights.keras import KERAS_GRU_ORDER, KERAS_LSTM_ORDER
from lstm_probe.weights.kinds import GruWeights, LstmWeights
from lstm_probe.weights.layouts import check

__all__ = ["from_cudnn"]


def from_cudnn(
    kernel: npt.ArrayLike, recurrent_kernel: npt.ArrayLike, bias: npt.ArrayLike
) -> LstmWeights | GruWeights:
    """Cut the weights of a `CuDNNLSTM` or `CuDNNGRU` layer, or of its .h5 file, into gates.

    cuDNN reads the kernel of each gate in Fortran order and its recurrent kernel transposed. It has
    two biases. Those of an LSTM are added, and those of a GRU stay apart.

    Args:
        kernel: `(input, n * units)`, where n is 4 for an LSTM and 3 for a GRU.
        recurrent_kernel: `(units, n * units)`.
        bias: `(2 * n * units,)`.

    Returns:
        The weights, of the dtype of the arrays.

    Raises:
        LstmProbeError: The shapes are not those of such a layer.

    Source:
        tf_keras/src/saving/legacy/hdf5_format.py, `_convert_rnn_weights`.

    Example:
        >>> weights = from_cudnn(np.zeros((3, 20)), np.zeros((5, 20)), np.zeros(40))
        >>> type(weights).__name__, weights.units
        ('LstmWeights', 5)
    """
    kernel, recurrent_kernel, bias = (np.asarray(a) for a in (kernel, recurrent_kernel, bias))
    blocks = check("from_cudnn", [kernel, recurrent_kernel, bias])

    def laid_out(part: Array) -> Array:
        return part.T.reshape(part.shape, order="F")

    kernel = np.hstack([laid_out(part) for part in np.hsplit(kernel, blocks)])
    recurrent_kernel = np.hstack([part.T for part in np.hsplit(recurrent_kernel, blocks)])
    first, second = np.split(bias, 2)
    if blocks == 4:
        arrays = [kernel, recurrent_kernel, first + second]
        return LstmWeights(*(split_gates(a, KERAS_LSTM_ORDER, LstmWeights.gates) for a in arrays))
    arrays = [kernel, recurrent_kernel, first, second]
    return GruWeights(*(split_gates(a, KERAS_GRU_ORDER, GruWeights.gates) for a in arrays))
