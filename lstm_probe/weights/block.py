"""The layouts of TensorFlow's block kernels: `LSTMBlockCell`, `BlockLSTM`, `GRUBlockCell`."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lstm_probe.core.errors import LstmProbeError
from lstm_probe.weights.gates import split_gates
from lstm_probe.weights.kinds import GruWeights, LstmWeights
from lstm_probe.weights.layouts import check
from lstm_probe.weights.tf1 import from_tf1_gru

__all__ = ["BLOCK_LSTM_ORDER", "BLOCK_LSTM_V2_ORDER", "from_block_lstm", "from_gru_block"]

#: Input, candidate (`ci`), forget, output: `LSTMBlockCell` and `BlockLSTM`.
BLOCK_LSTM_ORDER = ("i", "g", "f", "o")
#: Input, forget, candidate, output: `BlockLSTMV2`, which has the order of Keras 2 and cuDNN.
BLOCK_LSTM_V2_ORDER = ("i", "f", "g", "o")


def from_block_lstm(
    w: npt.ArrayLike,
    b: npt.ArrayLike,
    *,
    wci: npt.ArrayLike | None = None,
    wcf: npt.ArrayLike | None = None,
    wco: npt.ArrayLike | None = None,
    version: int = 1,
) -> LstmWeights:
    """Cut the fused kernel of a block LSTM into gates.

    Version 1 adds its `forget_bias` and clips the cell state at its `cell_clip` while it runs. Pass
    both to `LstmCell`. In the raw ops their defaults are 1 and 3, and a clip of 0 or less is no
    clip. Version 2 has no forget bias.

    Args:
        w: `(input + units, 4 * units)`, with the rows of the input first.
        b: `(4 * units,)`.
        wci: The peepholes of the input gate, `(units,)`. Pass all three peepholes if `use_peephole`
            is True, and none if it is False. The op has these arguments even if it does not read
            them.
        wcf: The peepholes of the forget gate, `(units,)`.
        wco: The peepholes of the output gate, `(units,)`.
        version: 1 for `LSTMBlockCell` and `BlockLSTM`, 2 for `BlockLSTMV2`.

    Returns:
        The weights, of the dtype of the arrays.

    Raises:
        LstmProbeError: The shapes are not those of a block LSTM, or there is no such version.

    Source:
        tensorflow/core/kernels/rnn/lstm_ops.h, `gate_layout`. The order of the gates was measured
        with `tf.raw_ops`.

    Example:
        >>> weights = from_block_lstm(np.zeros((8, 20)), np.zeros(20))
        >>> weights.input_size, weights.units
        (3, 5)
    """
    if version not in (1, 2):
        raise LstmProbeError(f"No such block LSTM. Received: version={version}. Expected: 1 or 2.")
    order = BLOCK_LSTM_ORDER if version == 1 else BLOCK_LSTM_V2_ORDER
    w, b = np.asarray(w), np.asarray(b)
    check("from_tf1", [w, b])
    units = b.size // 4
    kernel = split_gates(w, order, LstmWeights.gates)
    diagonals = [np.asarray(diagonal) for diagonal in (wci, wcf, wco) if diagonal is not None]
    if len(diagonals) not in (0, 3):
        raise LstmProbeError(
            f"Some peepholes are missing. Received: {len(diagonals)} of wci, wcf, wco. "
            "Expected: all three, or none."
        )
    return LstmWeights(
        kernel[:-units],
        kernel[-units:],
        split_gates(b, order, LstmWeights.gates),
        peepholes=np.stack(diagonals) if diagonals else None,
    )


def from_gru_block(
    w_ru: npt.ArrayLike, w_c: npt.ArrayLike, b_ru: npt.ArrayLike, b_c: npt.ArrayLike
) -> GruWeights:
    """Cut the kernels of a `GRUBlockCell` into gates.

    The cell is TF1's `GRUCell`, with its arrays in another order.

    Args:
        w_ru: `(input + units, 2 * units)`, with the reset gate before the update gate.
        w_c: `(input + units, units)`.
        b_ru: `(2 * units,)`.
        b_c: `(units,)`.

    Returns:
        The weights, of the dtype of the arrays.

    Raises:
        LstmProbeError: The shapes are not those of a `GRUBlockCell`.

    Source:
        tensorflow/core/kernels/rnn/gru_ops.h, `GRUBlockCellFprop`.

    Example:
        >>> weights = from_gru_block(np.zeros((8, 10)), np.zeros((8, 5)), np.ones(10), np.zeros(5))
        >>> weights.input_size, weights.units
        (3, 5)
    """
    check("from_gru_block", [np.asarray(a) for a in (w_ru, w_c, b_ru, b_c)])
    return from_tf1_gru(w_ru, b_ru, w_c, b_c)
