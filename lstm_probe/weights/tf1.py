"""The layouts of TF1. A kernel multiplies `[x, h]`: its first rows belong to the input."""

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

    The cell adds its `forget_bias` while it runs, and no variable contains it. Pass it to
    `LstmCell(forget_bias=1.0)`, and `cell_clip` and `proj_clip` likewise.

    Args:
        kernel: `(input + output, 4 * units)`, with the rows of the input first. `output` is `units`
            unless there is a projection.
        bias: `(4 * units,)`, or None.
        w_f_diag: The peepholes of the forget gate (`use_peepholes=True`), `(units,)`.
        w_i_diag: The peepholes of the input gate, `(units,)`.
        w_o_diag: The peepholes of the output gate, `(units,)`.
        projection: The variable `projection/kernel` (`num_proj`), `(units, output)`.

    Returns:
        The weights, of the dtype of the arrays.

    Raises:
        LstmProbeError: The shapes are not those of a TF1 LSTM cell.

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
    """Fuse the weights of an LSTM for TF1, the inverse of `from_tf1`.

    Args:
        weights: The weights of a cell that TF1 has.

    Returns:
        `[kernel, bias, w_f_diag, w_i_diag, w_o_diag, projection]` in the order of `cell.variables`,
        without the arrays that the cell does not have. The shapes are those of the arguments of
        `from_tf1`.

    Raises:
        LstmProbeError: No TF1 cell has such weights. They have coupled gates, layer normalisation
            or a projection with a bias.

    Source:
        tf_keras/src/layers/rnn/legacy_cells.py, `LSTMCell.build`.

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
    """Cut the kernels of TF1's `GRUCell` into gates.

    `cell.variables` has the order of the arguments. TF1 initialises the gate bias with 1. The
    variable contains it, so that the cell adds nothing at run time. The reset gate acts before the
    product: `GruCell` concludes that from the single bias.

    Args:
        gate_kernel: `(input + units, 2 * units)`, with the reset gate before the update gate.
        gate_bias: `(2 * units,)`.
        candidate_kernel: `(input + units, units)`. Its recurrent rows multiply `r * h`.
        candidate_bias: `(units,)`.

    Returns:
        The weights, of the dtype of the arrays.

    Raises:
        LstmProbeError: The shapes are not those of a TF1 GRU cell.

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
    """Fuse the weights of a GRU for TF1, the inverse of `from_tf1_gru`.

    Args:
        weights: The weights of a GRU with one bias or none.

    Returns:
        `[gate_kernel, gate_bias, candidate_kernel, candidate_bias]`, of the shapes that
        `from_tf1_gru` takes.

    Raises:
        LstmProbeError: The weights have a second bias, which TF1's cell does not have.

    Source:
        tf_keras/src/layers/rnn/legacy_cells.py, `GRUCell.build`.

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
    """Cut the kernel of TF1's `BasicRNNCell` into the parts of the input and of the state.

    Args:
        kernel: `(input + units, units)`, with the rows of the input first.
        bias: `(units,)`, or None.

    Returns:
        The weights, of the dtype of the arrays.

    Raises:
        LstmProbeError: The shapes are not those of a TF1 `BasicRNNCell`.

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
    """Fuse the weights of a simple recurrent network for TF1, the inverse of `from_tf1_rnn`.

    Args:
        weights: The weights of a simple recurrent network.

    Returns:
        `[kernel, bias]`, or `[kernel]` if there is no bias. The shapes are those of the arguments
        of `from_tf1_rnn`.

    Source:
        tf_keras/src/layers/rnn/legacy_cells.py, `BasicRNNCell.build`.

    Example:
        >>> [array.shape for array in to_tf1_rnn(from_tf1_rnn(np.zeros((8, 5)), np.zeros(5)))]
        [(8, 5), (5,)]
    """
    kernel = np.concatenate([weights.kernel, weights.recurrent_kernel])[:, 0]
    return [kernel] if weights.bias is None else [kernel, weights.bias[0]]


def _output_size(kernel: npt.NDArray[Any], projection: npt.NDArray[Any] | None) -> int:
    """The size of the hidden state, after a check of the projection."""
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
    """The peepholes as one array in the order of the arguments, or None if there are none."""
    if all(diagonal is None for diagonal in diagonals):
        return None
    if any(diagonal is None for diagonal in diagonals):
        raise LstmProbeError(
            "Some peepholes are missing. Received: not all of w_i_diag, w_f_diag, w_o_diag. "
            "Expected: all three, or none."
        )
    return np.stack([np.asarray(diagonal) for diagonal in diagonals])
