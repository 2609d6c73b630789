"""The shapes of the arrays of each framework, so that an error can say which layout would fit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy.typing as npt

from lstm_probe.core.errors import LstmProbeError
from lstm_probe.weights.kinds import GruWeights, LstmWeights, SimpleRnnWeights

__all__ = ["CELLS", "check"]

Shape: TypeAlias = "tuple[int, ...]"

#: The weights of each cell, by the number of matrices side by side in its kernel.
CELLS: dict[int, type[LstmWeights] | type[GruWeights] | type[SimpleRnnWeights]] = {
    4: LstmWeights,
    3: GruWeights,
    1: SimpleRnnWeights,
}
_NAMES = {4: "an LSTM", 3: "a GRU", 1: "a plain RNN"}


def check(constructor: str, arrays: Sequence[npt.NDArray[Any] | None]) -> int:
    """Check arrays against the layout of a constructor.

    Args:
        constructor: The name of the function that was called, such as `from_keras`.
        arrays: The arguments of the function. None stands for an argument that was left out.

    Returns:
        The number of matrices side by side in the kernel, which is 4, 3 or 1. It is 2 for a GRU
        whose candidate has a kernel of its own.

    Raises:
        LstmProbeError: The shapes do not fit. The message names the constructors that they fit.

    Example:
        >>> import numpy as np
        >>> check("from_keras", [np.zeros((3, 20)), np.zeros((5, 20)), None])
        4
    """
    shapes = [array.shape for array in arrays if array is not None]
    layout = _LAYOUTS[constructor]
    found = layout.blocks(shapes)
    if found:
        return found
    others = [
        f"{name} ({_NAMES.get(blocks, 'a GRU')})"
        for name, other in _LAYOUTS.items()
        if (blocks := other.blocks(shapes))
    ]
    hint = f"They would fit {' or '.join(others)}." if others else layout.hint
    raise LstmProbeError(
        f"These are not the weights of {layout.owner}. Received: shapes "
        f"{', '.join(map(str, shapes))}. Expected: {layout.expected}. {hint}"
    )


def _keras(shapes: Sequence[Shape]) -> int:
    if _convolutional(shapes):
        return 4 if shapes[2:] in ([], [shapes[1][-1:]]) else 0
    blocks = _side_by_side(shapes)
    if not blocks or len(shapes) == 2:
        return blocks
    columns = shapes[1][1]
    return blocks if shapes[2] == (columns,) or (blocks, *shapes[2]) == (3, 2, columns) else 0


def _convolutional(shapes: Sequence[Shape]) -> bool:
    """Whether the kernels are `(*size, input, 4 * filters)` and `(*size, filters, 4 * filters)`."""
    if len(shapes) not in (2, 3) or not 3 <= len(shapes[0]) == len(shapes[1]) <= 5:
        return False
    (*size, _, columns), (*recurrent_size, filters, recurrent_columns) = shapes[:2]
    return size == recurrent_size and columns == recurrent_columns == 4 * filters > 0


def _cudnn(shapes: Sequence[Shape]) -> int:
    blocks = _side_by_side(shapes) if len(shapes) == 3 else 0
    return blocks if blocks > 1 and shapes[2] == (2 * blocks * shapes[1][0],) else 0


def _side_by_side(shapes: Sequence[Shape]) -> int:
    """The number of blocks in kernels `(input, blocks * units)` and `(units, blocks * units)`."""
    if len(shapes) not in (2, 3) or not len(shapes[0]) == len(shapes[1]) == 2:
        return 0
    (_, columns), (units, recurrent_columns) = shapes[:2]
    return _blocks(columns, units) if columns == recurrent_columns else 0


def _torch(shapes: Sequence[Shape]) -> int:
    if not 2 <= len(shapes) <= 5 or not len(shapes[0]) == len(shapes[1]) == 2:
        return 0
    rows, output = shapes[1]
    projected = len(shapes) > 2 and len(shapes[-1]) == 2  # weight_hr (output, units) comes last
    if projected and shapes[-1][0] != output:
        return 0
    blocks = _blocks(rows, shapes[-1][1] if projected else output)
    biases = shapes[2:-1] if projected else shapes[2:]
    fits = shapes[0][0] == rows and len(biases) <= 2 and all(bias == (rows,) for bias in biases)
    return blocks if fits and (blocks == 4 or not projected) else 0


def _onnx(shapes: Sequence[Shape]) -> int:
    if len(shapes) not in (2, 3) or not len(shapes[0]) == len(shapes[1]) == 3:
        return 0
    directions, rows, units = shapes[1]
    fits = shapes[0][:2] == (directions, rows) and shapes[2:] in ([], [(directions, 2 * rows)])
    return _blocks(rows, units) if fits else 0


def _tf1_lstm(shapes: Sequence[Shape]) -> int:
    return 4 if _stacked(shapes, 4) else 0


def _tf1_rnn(shapes: Sequence[Shape]) -> int:
    return 1 if _stacked(shapes, 1) else 0


def _tf1_gru(shapes: Sequence[Shape]) -> int:
    if len(shapes) != 4 or not _stacked(shapes[:2], 2) or not _stacked(shapes[2:], 1):
        return 0
    (rows, columns), (candidate_rows, units) = shapes[0], shapes[2]
    return 2 if (rows, columns) == (candidate_rows, 2 * units) else 0


def _gru_block(shapes: Sequence[Shape]) -> int:
    return _tf1_gru([shapes[k] for k in (0, 2, 1, 3)]) if len(shapes) == 4 else 0


def _stacked(shapes: Sequence[Shape], blocks: int) -> bool:
    """Whether there is a kernel `(input + units, blocks * units)`, with a bias or without."""
    if len(shapes) not in (1, 2) or len(shapes[0]) != 2:
        return False
    rows, columns = shapes[0]
    units, rest = divmod(columns, blocks)
    return not rest and rows > units > 0 and shapes[1:] in ([], [(columns,)])


def _blocks(columns: int, units: int) -> int:
    """How many times `units` fit into `columns`, or 0 if no cell has so many blocks."""
    blocks, rest = divmod(columns, units) if units else (0, 1)
    return blocks if blocks in CELLS and not rest else 0


class _Layout(NamedTuple):
    """The layout of one constructor.

    Attributes:
        owner: The layers or cells that have it, in words.
        expected: The shapes of the arrays, in words.
        hint: What to pass.
        blocks: Counts the matrices in the kernel, given all shapes. 0 for shapes that do not fit.
    """

    owner: str
    expected: str
    hint: str
    blocks: Callable[[Sequence[Shape]], int]


_LAYOUTS = {
    "from_keras": _Layout(
        "a Keras LSTM, GRU, SimpleRNN or ConvLSTM",
        "kernel (input, n * units), recurrent_kernel (units, n * units) and bias (n * units,) or "
        "none, where n is 4 for an LSTM, 3 for a GRU (whose bias may be (2, 3 * units)) and 1 for "
        "a SimpleRNN; the kernels of a ConvLSTM have axes for space before these",
        "Pass the arrays of layer.get_weights() in their order.",
        _keras,
    ),
    "from_cudnn": _Layout(
        "a CuDNNLSTM or CuDNNGRU",
        "kernel (input, n * units), recurrent_kernel (units, n * units) and bias (2 * n * units,), "
        "where n is 4 for an LSTM and 3 for a GRU",
        "Pass the arrays of layer.get_weights() in their order.",
        _cudnn,
    ),
    "from_tf1": _Layout(
        "a TF1 LSTM cell",
        "kernel (input + units, 4 * units) and bias (4 * units,)",
        "Pass session.run(cell.variables).",
        _tf1_lstm,
    ),
    "from_tf1_gru": _Layout(
        "a TF1 GRUCell",
        "gate kernel (input + units, 2 * units), gate bias (2 * units,), candidate kernel "
        "(input + units, units), candidate bias (units,)",
        "Pass session.run(cell.variables).",
        _tf1_gru,
    ),
    "from_tf1_rnn": _Layout(
        "a TF1 BasicRNNCell",
        "kernel (input + units, units) and bias (units,)",
        "Pass session.run(cell.variables).",
        _tf1_rnn,
    ),
    "from_gru_block": _Layout(
        "a GRUBlockCell",
        "w_ru (input + units, 2 * units), w_c (input + units, units), b_ru (2 * units,), "
        "b_c (units,)",
        "Pass session.run(cell.variables).",
        _gru_block,
    ),
    "from_torch": _Layout(
        "a torch LSTM, GRU or RNN",
        "weight_ih (n * units, input), weight_hh (n * units, units) and two biases (n * units,) "
        "or none, where n is 4 for an LSTM, 3 for a GRU and 1 for an RNN",
        "Pass module.state_dict().",
        _torch,
    ),
    "from_onnx": _Layout(
        "an ONNX LSTM, GRU or RNN",
        "W (directions, n * units, input), R (directions, n * units, units) and B (directions, "
        "2 * n * units) or none, where n is 4 for an LSTM, 3 for a GRU and 1 for an RNN",
        "Pass the node's initializers W, R and B as they are.",
        _onnx,
    ),
}
