"""TF1's layouts: the rows of a kernel are `[x; h]`, and one kernel serves all gates."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from lstm_probe.core.arrays import Array
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.weights.gates import join_gates, split_gates
from lstm_probe.weights.kinds import GruWeights, LstmWeights, SimpleRnnWeights
from lstm_probe.weights.layouts import check

__all__ = [
    "TF1_GRU_ORDER",
    "TF1_LSTM_ORDER",
    "from_tf1",
    "from_tf1_gru",
    "from_tf1_rnn",
    "to_tf1",
    "to_tf1_gru",
    "to_tf1_rnn",
]

#: Input, candidate (`j`, the new input), forget, output.
TF1_LSTM_ORDER = ("i", "g", "f", "o")
#: Reset, update (`u`); the candidate has a kernel of its own.
TF1_GRU_ORDER = ("r", "z")


def from_tf1(
    kernel: npt.ArrayLike,
    bias: npt.ArrayLike | None = None,
    *,
    w_f_diag: npt.ArrayLike | None = None,
    w_i_diag: npt.ArrayLike | None = None,
    w_o_diag: npt.ArrayLike | None = None,
    projection: npt.ArrayLike | None = None,
) -> LstmWeights:
    """Cut the fused kernel of TF1's `BasicLSTMCell` or `LSTMCell` into gates.

    The cell adds its `forget_bias` while it runs, and its variables do not hold it: give it to
    `LstmCell(forget_bias=1.0)`, not to the weights; likewise `cell_clip` and `proj_clip`.

    Args:
        kernel: `(input + output, 4 * units)`, the rows of the input first; `output` is `units`
            unless there is a projection.
        bias: `(4 * units,)`.
        w_f_diag: `(units,)`, the forget gate's peepholes (`use_peepholes=True`).
        w_i_diag: `(units,)`, those of the input gate.
        w_o_diag: `(units,)`, those of the output gate.
        projection: `(units, output)`, the variable `projection/kernel` (`num_proj`).

    Raises:
        LstmProbeError: the shapes are not those of a TF1 LSTM cell.

    Source:
        tf_keras/src/layers/rnn/legacy_cells.py, `BasicLSTMCell.call`:
        `i, j, f, o = split(matmul(concat([inputs, h], 1), kernel) + bias, 4, axis=1)`; and
        `LSTMCell.call`.

    Example:
        >>> weights = from_tf1(np.zeros((784 + 128, 512)), np.zeros(512))
        >>> weights.input_size, weights.units
        (784, 128)
    """
    kernel, bias = np.asarray(kernel), None if bias is None else np.asarray(bias)
    projection = None if projection is None else np.asarray(projection)
    if projection is None:
        check("from_tf1", [kernel, bias])
    output = _output_size(kernel, projection)
    peepholes = _peepholes(w_i_diag, w_f_diag, w_o_diag)
    gates = split_gates(kernel, TF1_LSTM_ORDER, LstmWeights.gates)
    return LstmWeights(
        gates[:-output],
        gates[-output:],
        None if bias is None else split_gates(bias, TF1_LSTM_ORDER, LstmWeights.gates),
        peepholes=peepholes,
        projection=projection,
    )


def to_tf1(weights: LstmWeights) -> list[Array]:
    """The inverse of `from_tf1`, in the order of `cell.variables`.

    Returns:
        `[kernel, bias, w_f_diag, w_i_diag, w_o_diag, projection]`, without those that the cell
        does not have.

    Raises:
        LstmProbeError: no TF1 cell has such weights: coupled gates, layer normalisation, a
            projection with a bias.

    Example:
        >>> arrays = to_tf1(from_tf1(np.zeros((12, 8)), np.zeros(8)))
        >>> [array.shape for array in arrays]
        [(12, 8), (8,)]
    """
    foreign = set(weights.extras) - {"peepholes", "projection"}
    if foreign or weights.gates != LstmWeights.gates:
        raise LstmProbeError(
            f"TF1 has no such LSTM cell. Received: {type(weights).__name__} with "
            f"{', '.join(sorted(foreign)) or 'coupled gates'}. Expected: gates i f g o, with "
            "peepholes and a projection at most."
        )
    kernel = np.concatenate([weights.kernel, weights.recurrent_kernel])
    fused = [kernel] if weights.bias is None else [kernel, weights.bias]
    arrays = [join_gates(array, TF1_LSTM_ORDER, weights.gates) for array in fused]
    if weights.peepholes is not None:
        arrays += [weights.peepholes[weights.peephole_gates.index(gate)] for gate in "fio"]
    return arrays if weights.projection is None else [*arrays, weights.projection]


def from_tf1_gru(
    gate_kernel: npt.ArrayLike,
    gate_bias: npt.ArrayLike,
    candidate_kernel: npt.ArrayLike,
    candidate_bias: npt.ArrayLike,
) -> GruWeights:
    """Cut the kernels of TF1's `GRUCell` into gates; `cell.variables` is in this order.

    The gate bias starts at 1 in TF1, and the variable holds it: nothing is added at run time. The
    reset gate acts before the product, which `GruCell` reads off the single bias.

    Args:
        gate_kernel: `(input + units, 2 * units)`, reset gate, then update gate.
        gate_bias: `(2 * units,)`.
        candidate_kernel: `(input + units, units)`, whose recurrent rows multiply `r * h`.
        candidate_bias: `(units,)`.

    Raises:
        LstmProbeError: the shapes are not those of a TF1 GRU cell.

    Source:
        tf_keras/src/layers/rnn/legacy_cells.py, `GRUCell.call`.

    Example:
        >>> weights = from_tf1_gru(np.zeros((8, 10)), np.ones(10), np.zeros((8, 5)), np.zeros(5))
        >>> weights.input_size, weights.units
        (3, 5)
    """
    arrays = [np.asarray(a) for a in (gate_kernel, gate_bias, candidate_kernel, candidate_bias)]
    check("from_tf1_gru", arrays)
    units = arrays[3].size
    order = (*TF1_GRU_ORDER, "g")
    kernel = split_gates(np.hstack([arrays[0], arrays[2]]), order, GruWeights.gates)
    bias = split_gates(np.hstack([arrays[1], arrays[3]]), order, GruWeights.gates)
    return GruWeights(kernel[:-units], kernel[-units:], bias)


def to_tf1_gru(weights: GruWeights) -> list[Array]:
    """The inverse of `from_tf1_gru`.

    Returns:
        `[gate_kernel, gate_bias, candidate_kernel, candidate_bias]`.

    Raises:
        LstmProbeError: the weights have a second bias, which TF1's cell does not have.

    Example:
        >>> cell = from_tf1_gru(np.zeros((8, 10)), np.ones(10), np.zeros((8, 5)), np.zeros(5))
        >>> [array.shape for array in to_tf1_gru(cell)]
        [(8, 10), (10,), (8, 5), (5,)]
    """
    if weights.recurrent_bias is not None:
        raise LstmProbeError(
            "TF1's GRUCell has one bias. Received: weights with a recurrent bias. Expected: those "
            "of a GRU whose reset gate acts before the product (reset_after=False)."
        )
    kernel = np.concatenate([weights.kernel, weights.recurrent_kernel])
    bias = np.zeros_like(kernel[0]) if weights.bias is None else weights.bias
    gates = [join_gates(a[..., :2, :], TF1_GRU_ORDER, ("z", "r")) for a in (kernel, bias)]
    return [*gates, kernel[:, 2], bias[2]]


def from_tf1_rnn(kernel: npt.ArrayLike, bias: npt.ArrayLike | None = None) -> SimpleRnnWeights:
    """Cut the kernel of TF1's `BasicRNNCell`.

    Args:
        kernel: `(input + units, units)`.
        bias: `(units,)`.

    Raises:
        LstmProbeError: the shapes are not those of a TF1 `BasicRNNCell`.

    Source:
        tf_keras/src/layers/rnn/legacy_cells.py, `BasicRNNCell.call`.

    Example:
        >>> weights = from_tf1_rnn(np.zeros((8, 5)), np.zeros(5))
        >>> weights.input_size, weights.units
        (3, 5)
    """
    kernel, bias = np.asarray(kernel), None if bias is None else np.asarray(bias)
    check("from_tf1_rnn", [kernel, bias])
    units = kernel.shape[1]
    split = kernel[:, None]
    return SimpleRnnWeights(split[:-units], split[-units:], None if bias is None else bias[None])


def to_tf1_rnn(weights: SimpleRnnWeights) -> list[Array]:
    """The inverse of `from_tf1_rnn`: `[kernel, bias]`, without a bias that is not there.

    Example:
        >>> [array.shape for array in to_tf1_rnn(from_tf1_rnn(np.zeros((8, 5)), np.zeros(5)))]
        [(8, 5), (5,)]
    """
    kernel = np.concatenate([weights.kernel, weights.recurrent_kernel])[:, 0]
    return [kernel] if weights.bias is None else [kernel, weights.bias[0]]


def _output_size(kernel: npt.NDArray[Any], projection: npt.NDArray[Any] | None) -> int:
    if projection is None:
        return int(kernel.shape[1]) // 4
    fits = kernel.ndim == projection.ndim == 2
    fits = fits and kernel.shape[1] == 4 * projection.shape[0]
    if not fits or not 0 < projection.shape[1] < kernel.shape[0]:
        raise LstmProbeError(
            f"The projection does not fit the kernel. Received: kernel {kernel.shape}, projection "
            f"{projection.shape}. Expected: kernel (input + output, 4 * units), projection "
            "(units, output)."
        )
    return int(projection.shape[1])


def _peepholes(*diagonals: npt.ArrayLike | None) -> Array | None:
    if all(diagonal is None for diagonal in diagonals):
        return None
    if any(diagonal is None for diagonal in diagonals):
        raise LstmProbeError(
            "Some peepholes are missing. Received: not all of w_i_diag, w_f_diag, w_o_diag. "
            "Expected: all three, or none."
        )
    return np.stack([np.asarray(diagonal) for diagonal in diagonals])
