"""The layout of Keras: one kernel, one recurrent kernel and one bias for all gates."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from lstm_probe.core.arrays import Array
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.weights.gates import GateWeights, join_gates, split_gates
from lstm_probe.weights.kinds import ConvLstmWeights, GruWeights, LstmWeights, SimpleRnnWeights
from lstm_probe.weights.layouts import CELLS, check

__all__ = ["KERAS_GRU_ORDER", "KERAS_LSTM_ORDER", "AnyWeights", "from_keras", "to_keras"]

#: The weights of the cells of Keras's own layers.
AnyWeights: TypeAlias = LstmWeights | GruWeights | SimpleRnnWeights | ConvLstmWeights

#: Input, forget, candidate, output: keras/src/layers/rnn/lstm.py, `LSTMCell.call`.
KERAS_LSTM_ORDER = ("i", "f", "g", "o")
#: Update, reset, candidate: keras/src/layers/rnn/gru.py, `GRUCell.call`.
KERAS_GRU_ORDER = ("z", "r", "g")
_ORDERS = {4: KERAS_LSTM_ORDER, 3: KERAS_GRU_ORDER, 1: SimpleRnnWeights.gates}


def from_keras(
    kernel: npt.ArrayLike, recurrent_kernel: npt.ArrayLike, bias: npt.ArrayLike | None = None
) -> AnyWeights:
    """Cut the weights of a Keras layer into gates.

    `layer.get_weights()` returns the arrays in the order of the arguments. Their shapes tell the
    cell. Of the matrices side by side in a kernel, an LSTM has 4, a GRU has 3 and a SimpleRNN has
    1. The kernels of a ConvLSTM1D, 2D or 3D have more axes, for space.

    Args:
        kernel: `(input, n * units)`, or `(*size, input, 4 * filters)` for a ConvLSTM.
        recurrent_kernel: `(units, n * units)`, or `(*size, filters, 4 * filters)`.
        bias: `(n * units,)`, or `(2, 3 * units)` for a GRU with `reset_after=True`, or None for
            `use_bias=False`.

    Returns:
        The weights. Their arrays are views of the arguments, and nothing is copied.

    Raises:
        LstmProbeError: The shapes are not those of a Keras layer. The message says which other
            layout they would fit.

    Source:
        keras/src/layers/rnn/lstm.py, `LSTMCell.build` and `LSTMCell.call`; gru.py; simple_rnn.py.

    Example:
        >>> weights = from_keras(np.zeros((3, 20)), np.zeros((5, 20)))
        >>> type(weights).__name__, weights.input_size, weights.units
        ('LstmWeights', 3, 5)
        >>> type(from_keras(np.zeros((3, 15)), np.zeros((5, 15)))).__name__
        'GruWeights'
    """
    kernel, recurrent_kernel = np.asarray(kernel), np.asarray(recurrent_kernel)
    bias = None if bias is None else np.asarray(bias)
    blocks = check("from_keras", [kernel, recurrent_kernel, bias])
    kind = CELLS[blocks] if kernel.ndim == 2 else ConvLstmWeights

    def cut(fused: Array) -> Array:
        return split_gates(fused, _ORDERS[blocks], kind.gates)

    if bias is None:
        return kind(cut(kernel), cut(recurrent_kernel))
    if bias.ndim == 2:
        return GruWeights(cut(kernel), cut(recurrent_kernel), cut(bias[0]), cut(bias[1]))
    return kind(cut(kernel), cut(recurrent_kernel), cut(bias))


def to_keras(weights: GateWeights) -> list[Array]:
    """Fuse weights for `layer.set_weights`, the inverse of `from_keras`.

    Args:
        weights: The weights of a cell that a Keras layer has.

    Returns:
        `[kernel, recurrent_kernel, bias]`, or without the bias if the cell has none. The shapes are
        those of the arguments of `from_keras`.

    Raises:
        LstmProbeError: No Keras layer has such a cell. It has peepholes, a projection, coupled
            gates or layer normalisation.

    Source:
        keras/src/layers/rnn/lstm.py, `LSTMCell.build`; gru.py; simple_rnn.py.

    Example:
        >>> arrays = to_keras(from_keras(np.zeros((3, 20)), np.zeros((5, 20)), np.zeros(20)))
        >>> [array.shape for array in arrays]
        [(3, 20), (5, 20), (20,)]
    """
    order = _ORDERS.get(len(weights.gates))
    if order is None or set(order) != set(weights.gates) or _has_extras(weights):
        raise LstmProbeError(
            f"Keras has no layer for this cell. Received: {type(weights).__name__} with gates "
            f"{' '.join(weights.gates)}. Expected: a plain LSTM, GRU or SimpleRNN, without "
            "peepholes, projection, coupled gates or layer normalisation."
        )
    arrays = [weights.kernel, weights.recurrent_kernel, weights.bias]
    fused = [join_gates(a, order, weights.gates) for a in arrays if a is not None]
    if isinstance(weights, GruWeights) and weights.recurrent_bias is not None:
        bias = np.zeros_like(weights.recurrent_bias) if weights.bias is None else weights.bias
        both = np.stack([bias, weights.recurrent_bias])
        return [*fused[:2], join_gates(both, order, weights.gates)]
    return fused


def _has_extras(weights: GateWeights) -> bool:
    """Whether the weights belong to a variant of the LSTM."""
    return isinstance(weights, LstmWeights) and weights.extras != ()
