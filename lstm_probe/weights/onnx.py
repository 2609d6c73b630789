"""The layout of ONNX: `W`, `R`, `B` and `P`. The first axis of each is the direction."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lstm_probe.core.arrays import Array
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.weights.gates import split_gates
from lstm_probe.weights.keras import AnyWeights
from lstm_probe.weights.kinds import CoupledLstmWeights, GruWeights, LstmWeights, SimpleRnnWeights
from lstm_probe.weights.layouts import CELLS, check

__all__ = ["ONNX_GRU_ORDER", "ONNX_LSTM_ORDER", "ONNX_PEEPHOLE_ORDER", "from_onnx"]

#: Input, output, forget, candidate (`c`).
ONNX_LSTM_ORDER = ("i", "o", "f", "g")
#: The order of the peepholes `P`.
ONNX_PEEPHOLE_ORDER = ("i", "o", "f")
#: Update, reset, candidate (`h`).
ONNX_GRU_ORDER = ("z", "r", "g")
_ORDERS = {4: ONNX_LSTM_ORDER, 3: ONNX_GRU_ORDER, 1: SimpleRnnWeights.gates}


def from_onnx(
    w: npt.ArrayLike,
    r: npt.ArrayLike,
    *,
    b: npt.ArrayLike | None = None,
    p: npt.ArrayLike | None = None,
    direction: int = 0,
    linear_before_reset: bool = False,
    input_forget: bool = False,
) -> AnyWeights:
    """Cut the initializers of an ONNX `LSTM`, `GRU` or `RNN` node into gates.

    Args:
        w: `W (directions, n * units, input)`, where n is 4 for an LSTM, 3 for a GRU and 1 for an
            RNN.
        r: `R (directions, n * units, units)`.
        b: `B (directions, 2 * n * units)`, the bias of `W` and then that of `R`.
        p: `P (directions, 3 * units)`, the peepholes of an LSTM.
        direction: 0, or 1 for the backward direction of a bidirectional node.
        linear_before_reset: The attribute of a GRU node. If it is False, the two biases are added,
            and `GruCell` then applies the reset gate before the product. If the node has no `B`,
            pass it to `GruCell(reset_after=...)` as well.
        input_forget: The attribute of an LSTM node. If it is True, the forget gate is `1 - i`, and
            its parts of `W`, `R`, `B` and `P` are not used.

    Returns:
        The weights, of the dtype of the arrays. The two biases are added, except for a GRU with
        `linear_before_reset`. With `input_forget` the weights are `CoupledLstmWeights`, in which
        `i = 1 - f`. The weights of their `f` are those of `i` with the opposite sign, because
        `1 - s(a) = s(-a)` for `Sigmoid` and for a `HardSigmoid` with a beta of 1/2.
        `lstm_probe.models.cell_from_onnx` reads the other attributes of the node.

    Raises:
        LstmProbeError: The shapes are not those of such a node, or it has no such direction or
            option.

    Source:
        https://github.com/onnx/onnx/blob/main/docs/Operators.md, `LSTM`, `GRU` and `RNN`.

    Example:
        >>> weights = from_onnx(np.zeros((1, 20, 3)), np.zeros((1, 20, 5)))
        >>> type(weights).__name__, weights.input_size, weights.units
        ('LstmWeights', 3, 5)
    """
    w, r = np.asarray(w), np.asarray(r)
    b, p = (None if a is None else np.asarray(a) for a in (b, p))
    blocks = check("from_onnx", [w, r, b])
    _check_peepholes(p, (len(w), 3 * r.shape[2]), blocks)
    if not 0 <= direction < len(w):
        raise LstmProbeError(
            f"The node has no such direction. Received: direction={direction}. Expected: 0 up to "
            f"{len(w) - 1}."
        )
    if input_forget and blocks != 4:
        raise LstmProbeError(
            f"Only an LSTM couples its gates. Received: input_forget=True for {blocks} gates. "
            "Expected: W (directions, 4 * units, input)."
        )
    kind, order = CELLS[blocks], _ORDERS[blocks]

    def cut(fused: Array) -> Array:
        return split_gates(fused, order, kind.gates)

    kernel, recurrent_kernel = cut(w[direction].T), cut(r[direction].T)
    biases = [] if b is None else [cut(half) for half in np.split(b[direction], 2)]
    if kind is GruWeights and linear_before_reset:
        return GruWeights(kernel, recurrent_kernel, *biases)
    bias = biases[0] + biases[1] if biases else None
    if kind is not LstmWeights:
        return kind(kernel, recurrent_kernel, bias)
    peepholes = None
    if p is not None:
        peepholes = split_gates(p[direction], ONNX_PEEPHOLE_ORDER, LstmWeights.peephole_gates)
    weights = LstmWeights(kernel, recurrent_kernel, bias, peepholes=peepholes)
    return _coupled(weights) if input_forget else weights


def _coupled(weights: LstmWeights) -> CoupledLstmWeights:
    """Coupled weights, whose `f = 1 - sigma(a)` is `sigma(-a)`, and whose `i` is again `1 - f`."""

    def cut(array: Array) -> Array:
        """Replace the part of `f` in `(..., gates, units)` by that of `i` with its sign changed."""
        return np.concatenate([-array[..., :1, :], array[..., 2:, :]], axis=-2)

    return CoupledLstmWeights(
        cut(weights.kernel),
        cut(weights.recurrent_kernel),
        None if weights.bias is None else cut(weights.bias),
        peepholes=None if weights.peepholes is None else cut(weights.peepholes),
    )


def _check_peepholes(p: Array | None, expected: tuple[int, int], blocks: int) -> None:
    """Raise an LstmProbeError if the peepholes do not fit."""
    if p is not None and (p.shape != expected or blocks != 4):
        raise LstmProbeError(
            f"The peepholes P do not fit the node. Received: shape {p.shape}. Expected: "
            f"(directions, 3 * units) = {expected}, and only for an LSTM."
        )
