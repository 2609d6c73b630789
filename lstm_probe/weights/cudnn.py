"""The layout in which Keras 2's `CuDNNLSTM` and `CuDNNGRU` keep their weights."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lstm_probe.core.arrays import Array
from lstm_probe.weights.keras import from_keras
from lstm_probe.weights.kinds import GruWeights, LstmWeights
from lstm_probe.weights.layouts import check

__all__ = ["from_cudnn"]


def from_cudnn(
    kernel: npt.ArrayLike, recurrent_kernel: npt.ArrayLike, bias: npt.ArrayLike
) -> LstmWeights | GruWeights:
    """Cut the weights of a `CuDNNLSTM` or `CuDNNGRU` layer, or of its .h5 file, into gates.

    cuDNN reads each gate's input kernel in Fortran's order and its recurrent kernel transposed. Of
    its two biases those of the LSTM are added, those of the GRU are kept.

    Args:
        kernel: `(input, n * units)`, n = 4 for an LSTM and 3 for a GRU.
        recurrent_kernel: `(units, n * units)`.
        bias: `(2 * n * units,)`.

    Raises:
        LstmProbeError: the shapes are not those of such a layer.

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
    bias = bias.reshape(2, -1)
    weights = from_keras(kernel, recurrent_kernel, bias.sum(axis=0) if blocks == 4 else bias)
    assert isinstance(weights, LstmWeights | GruWeights)  # for the type checker
    return weights
