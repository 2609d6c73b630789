"""TF1's layout: one kernel `(input + units, 4 units)`, whose rows are `[x; h]`, and one bias."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lstm_probe.arrays import Array
from lstm_probe.errors import LstmProbeError
from lstm_probe.weights.gates import LstmWeights, join_gates, split_gates

__all__ = ["TF1_LSTM_ORDER", "from_tf1", "to_tf1"]

#: Input, candidate (`j`, the new input), forget, output.
TF1_LSTM_ORDER = ("i", "g", "f", "o")


def from_tf1(kernel: npt.ArrayLike, bias: npt.ArrayLike | None = None) -> LstmWeights:
    """Cut the fused kernel of TF1's `BasicLSTMCell` or `LSTMCell` into gates.

    The cell adds its `forget_bias` while it runs, and its variables do not hold it: give it to
    `LstmCell(forget_bias=1.0)`, not to the weights.

    Args:
        kernel: `(input + units, 4 * units)`, the rows of the input first.
        bias: `(4 * units,)`.

    Raises:
        LstmProbeError: the shapes are not those of a TF1 LSTM cell.

    Source:
        tf_keras/layers/rnn/legacy_cells.py, `BasicLSTMCell.call`:
        `i, j, f, o = split(matmul(concat([inputs, h], 1), kernel) + bias, 4, axis=1)`.

    Example:
        >>> weights = from_tf1(np.zeros((784 + 128, 512)), np.zeros(512))
        >>> weights.input_size, weights.units
        (784, 128)
    """
    kernel = np.asarray(kernel)
    bias = None if bias is None else np.asarray(bias)
    units, rest = divmod(kernel.shape[-1], 4) if kernel.ndim == 2 else (0, 1)
    if rest or kernel.shape[0] <= units or (bias is not None and bias.shape != (4 * units,)):
        raise LstmProbeError(
            f"These are not the weights of a TF1 LSTM cell. Received: kernel {kernel.shape}, bias "
            f"{None if bias is None else bias.shape}. Expected: kernel (input + units, 4 * units) "
            "and bias (4 * units,). Pass session.run(cell.variables)."
        )
    input_size = kernel.shape[0] - units
    gates = split_gates(kernel, TF1_LSTM_ORDER, LstmWeights.gates)
    return LstmWeights(
        gates[:input_size],
        gates[input_size:],
        None if bias is None else split_gates(bias, TF1_LSTM_ORDER, LstmWeights.gates),
    )


def to_tf1(weights: LstmWeights) -> list[Array]:
    """The inverse of `from_tf1`.

    Returns:
        `[kernel, bias]`, without the bias for a cell that has none.

    Example:
        >>> arrays = to_tf1(from_tf1(np.zeros((12, 8)), np.zeros(8)))
        >>> [array.shape for array in arrays]
        [(12, 8), (8,)]
    """
    kernel = np.concatenate([weights.kernel, weights.recurrent_kernel])
    arrays = [kernel] if weights.bias is None else [kernel, weights.bias]
    return [join_gates(array, TF1_LSTM_ORDER, weights.gates) for array in arrays]
