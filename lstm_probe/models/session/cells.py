"""TF1's recurrent cells, described to the core."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from lstm_probe.cells import Cell, GruCell, LstmCell, SimpleRnnCell
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.models.session.fused import FusedCell
from lstm_probe.models.tensorflow.activations import activation_of
from lstm_probe.weights import CellWeights, GateWeights, from_tf1, from_tf1_gru, from_tf1_rnn

__all__ = ["DescribedCell", "describe", "is_known", "legacy_cells"]

_LSTM_DIAGONALS = ("_w_f_diag", "_w_i_diag", "_w_o_diag")


@dataclass(frozen=True)
class DescribedCell:
    """A cell in a graph, as the core sees it.

    Attributes:
        name: the variable scope of the cell, such as `rnn/basic_lstm_cell`.
        cell: the cell with its options; None for a Keras cell whose recurrence is not known.
        weights: the tensors or variables to fetch.
        cut: a function that makes canonical weights from the fetched arrays.
        state_sizes: the widths of the cell's states in TensorFlow's order, which is `(c, h)`.
    """

    name: str
    cell: Cell[Any] | None
    weights: tuple[Any, ...]
    cut: Callable[..., CellWeights]
    state_sizes: tuple[int, ...]


def legacy_cells() -> Any:
    """The module with TF1's cells, `tf.compat.v1.nn.rnn_cell`.

    Raises:
        LstmProbeError: this installation of TensorFlow does not have them. The message says what
            to install and which variable to set.

    Example:
        >>> legacy_cells().BasicLSTMCell(128)  # doctest: +SKIP
    """
    module = tf.compat.v1.nn.rnn_cell
    try:
        module.BasicLSTMCell  # noqa: B018  (TensorFlow raises when the attribute is read)
    except (AttributeError, ImportError) as error:
        raise LstmProbeError(
            f"TF1's recurrent cells are not there. Received: {error} {_legacy_advice()}"
        ) from error
    return module


def describe(cell: Any) -> DescribedCell:
    """Describe one cell without wrappers: its options and its variables.

    Args:
        cell: `BasicLSTMCell`, `LSTMCell`, `GRUCell`, `BasicRNNCell` or a `FusedCell`.

    Raises:
        LstmProbeError: the cell is of another class, or it has not been built yet.
    """
    if isinstance(cell, FusedCell):
        return DescribedCell(cell.name, cell.cell, cell.weights, cell.cut, cell.state_sizes)
    if not is_known(cell):
        raise LstmProbeError(
            f"This cell cannot be probed. Received: {type(cell).__module__}."
            f"{type(cell).__name__}. Expected: TF1's BasicLSTMCell, LSTMCell, GRUCell or "
            "BasicRNNCell, alone or in MultiRNNCell, DropoutWrapper, ResidualWrapper, "
            "DeviceWrapper or a wrapper of your own; a FusedCell; or a Keras 3 LSTM, GRU, "
            f"SimpleRNN or Bidirectional layer. {_legacy_advice()}"
        )
    if not getattr(cell, "built", False):
        raise LstmProbeError(
            f"The cell has no variables yet. Received: {type(cell).__name__} "
            f"{cell.name!r}, not built. Expected: the cell that made the outputs. Call "
            "tf.compat.v1.nn.dynamic_rnn or static_rnn with it first."
        )
    return _DESCRIBERS[_known_class(cell)](cell)


def _describe_basic_lstm(cell: Any) -> DescribedCell:
    return DescribedCell(
        _scope(cell._kernel),
        LstmCell(activation=activation_of(cell._activation), forget_bias=cell._forget_bias),
        _tensors(cell._kernel, cell._bias),
        from_tf1,
        (cell._num_units, cell._num_units),
    )


def _describe_lstm(cell: Any) -> DescribedCell:
    extras = {}
    if cell._use_peepholes:
        extras = {name.removeprefix("_"): getattr(cell, name) for name in _LSTM_DIAGONALS}
    if cell._num_proj is not None:
        extras["projection"] = cell._proj_kernel
    return DescribedCell(
        _scope(cell._kernel),
        LstmCell(
            activation=activation_of(cell._activation),
            forget_bias=cell._forget_bias,
            cell_clip=cell._cell_clip,
            proj_clip=cell._proj_clip,
        ),
        _tensors(cell._kernel, cell._bias, *extras.values()),
        _with_keywords(from_tf1, 2, tuple(extras)),
        (cell._num_units, cell._num_proj or cell._num_units),
    )


def _describe_gru(cell: Any) -> DescribedCell:
    return DescribedCell(
        _scope(cell._gate_kernel).removesuffix("/gates"),
        GruCell(activation=activation_of(cell._activation), reset_after=False),
        _tensors(cell._gate_kernel, cell._gate_bias, cell._candidate_kernel, cell._candidate_bias),
        from_tf1_gru,
        (cell._num_units,),
    )


def _describe_basic_rnn(cell: Any) -> DescribedCell:
    return DescribedCell(
        _scope(cell._kernel),
        SimpleRnnCell(activation=activation_of(cell._activation)),
        _tensors(cell._kernel, cell._bias),
        from_tf1_rnn,
        (cell._num_units,),
    )


_DESCRIBERS: dict[str, Callable[[Any], DescribedCell]] = {
    "BasicLSTMCell": _describe_basic_lstm,
    "LSTMCell": _describe_lstm,
    "GRUCell": _describe_gru,
    "BasicRNNCell": _describe_basic_rnn,
}


def _known_class(cell: Any) -> str:
    """The name of the TF1 class that a cell is an instance of; empty if there is none.

    A subclass of the user's counts, unless it has a `call` of its own and so other equations.
    TensorFlow and tf_keras hold two copies of these classes, so that the name is compared.
    """
    for base in type(cell).__mro__:
        is_legacy = base.__module__.endswith((".legacy_cells", ".rnn_cell_impl"))
        if is_legacy and base.__name__ in _DESCRIBERS:
            return base.__name__
        if "call" in vars(base):
            break
    return ""


def is_known(cell: Any) -> bool:
    """Whether `describe` knows the equations of a cell."""
    return isinstance(cell, FusedCell) or bool(_known_class(cell))


def _scope(variable: Any) -> str:
    name = str(variable.name).split(":")[0]
    return name.rpartition("/")[0] or name


def _tensors(*variables: Any) -> tuple[Any, ...]:
    # A partitioned variable cannot be fetched; the tensor to which it converts can.
    return tuple(v if hasattr(v, "op") else tf.convert_to_tensor(v) for v in variables)


def _with_keywords(
    function: Callable[..., GateWeights], positional: int, names: Sequence[str]
) -> Callable[..., GateWeights]:
    def cut(*arrays: Any) -> GateWeights:
        keywords = dict(zip(names, arrays[positional:], strict=True))
        return function(*arrays[:positional], **keywords)

    return cut


def _legacy_advice() -> str:
    installed = importlib.util.find_spec("tf_keras") is not None
    enabled = os.environ.get("TF_USE_LEGACY_KERAS", "").lower() in ("1", "true")
    if installed and enabled:
        return ""
    steps = [] if installed else ["install tf_keras (pip install tf_keras)"]
    steps += ["set the environment variable TF_USE_LEGACY_KERAS=1 before TensorFlow is imported"]
    return (
        "Since TensorFlow 2.16 the cells of tf.compat.v1.nn.rnn_cell live in tf_keras: "
        f"{' and '.join(steps)}."
    )
