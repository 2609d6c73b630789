"""Describing the recurrent cells of Keras 3 and tf_keras to the core."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from lstm_probe.cells import Cell, ConvLstmCell, GruCell, LstmCell, SimpleRnnCell
from lstm_probe.cells.custom import registered_cell
from lstm_probe.core.arrays import Array
from lstm_probe.models.keras.flavour import Flavour, Layer, flavour_of
from lstm_probe.weights import GateWeights, NamedWeights, from_keras

__all__ = ["CellDescription", "cells_of", "describe_cell"]


@dataclass(frozen=True)
class CellDescription:
    """A cell of a Keras layer, as the core knows it.

    Attributes:
        cell: the options; None for a cell that nobody has told us the recurrence of.
        variables: the variables that it computes with.
        weights: makes the canonical weights out of their values.
        remark: why the recurrence is not known although the cell looks like one of Keras's; empty
            if there is nothing to say.
    """

    cell: Cell[Any] | None
    variables: Sequence[Any]
    weights: Callable[..., GateWeights | NamedWeights]
    remark: str = ""


def cells_of(layer: Layer) -> list[Any]:
    """The cells that a recurrent layer runs on each other's output: one, unless it is a stack."""
    cell = layer.cell
    is_stack = isinstance(cell, flavour_of(layer).layers.StackedRNNCells)
    return list(cell.cells) if is_stack else [cell]


def describe_cell(cell: Any, features: Sequence[int], output_size: int) -> CellDescription:
    """Describe a cell of Keras's or of the user's own.

    Args:
        cell: a built cell.
        features: the shape of what it reads at each step, without the batch.
        output_size: the number of values that it gives at each step.
    """
    custom = registered_cell(type(cell).__name__)
    options = _options(cell, features)
    if custom is None and options is not None:
        arrays = [cell.kernel, cell.recurrent_kernel, cell.bias]
        return CellDescription(options, [a for a in arrays if a is not None], from_keras)
    variables = list(getattr(cell, "weights", []))
    names = [variable.name for variable in variables]

    def named(*values: Array) -> NamedWeights:
        return NamedWeights(dict(zip(names, values, strict=True)), prod(features), output_size)

    return CellDescription(custom, variables, named, "" if custom else _remark(cell))


def _options(cell: Any, features: Sequence[int]) -> Cell[Any] | None:
    """The options of one of Keras's cells; None if it, or its equations, are the user's own."""
    kind = _stock_kind(cell)
    if kind is None or _own_methods(cell, kind) or not _has_its_weights(cell):
        return None
    return _KINDS[kind.__name__](cell, features, flavour_of(cell))


def _stock_kind(cell: Any) -> type | None:
    """The class of Keras's that a cell, or its class, is derived from; None if there is none."""
    for kind in type(cell).__mro__:
        package, _, module = kind.__module__.partition(".")
        is_keras = package in ("keras", "tf_keras") and not module.endswith("legacy_cells")
        if is_keras and kind.__name__ in _KINDS:
            return kind
    return None


def _own_methods(cell: Any, kind: type) -> list[str]:
    """The methods that take part in a step and are not those of Keras's class: a subclass has
    replaced them, or code has replaced them on the instance."""
    names = {
        name
        for base in kind.__mro__
        if "layers.rnn." in base.__module__  # with the class that makes dropout's masks
        for name, value in vars(base).items()
        if callable(value) and not name.startswith("__")
    }
    names = {each for each in names | {"__call__"} if not _BESIDE_THE_STEP.fullmatch(each)}
    return sorted(
        name
        for name in names
        if _is_replaced(cell, name)
        or getattr(type(cell), name, None) is not getattr(kind, name, None)
    )


def _is_replaced(cell: Any, name: str) -> bool:
    """Whether the instance bears another method than that of its class. Keras 2 leaves the class's
    own on the instance when it has saved a SavedModel."""
    found = getattr(cell, "__dict__", {}).get(name)
    return found is not None and getattr(found, "__func__", None) is not getattr(type(cell), name)


def _has_its_weights(cell: Any) -> bool:
    """Whether the cell computes with its variables themselves, not with what it makes of them."""
    own = {id(variable) for variable in cell.weights}
    arrays = (cell.kernel, cell.recurrent_kernel, cell.bias)
    return all(each is None or id(each) in own for each in arrays)


def _remark(cell: Any) -> str:
    """Why a cell that looks like one of Keras's is not taken for it; empty if it is none."""
    kind = _stock_kind(cell)
    if kind is None:
        return ""
    changed = ", ".join(_own_methods(cell, kind)) or "its weights"
    name = type(cell).__name__
    return (
        f"only h is shown: {name} changes {changed} of {kind.__name__}, so that its equations are "
        f"not known. Register them: lstm_probe.register_cell({name!r}, ...)"
    )


def _lstm(cell: Any, _: Sequence[int], flavour: Flavour) -> LstmCell:
    return LstmCell(
        flavour.activation(cell.activation), flavour.activation(cell.recurrent_activation)
    )


def _gru(cell: Any, _: Sequence[int], flavour: Flavour) -> GruCell:
    return GruCell(
        flavour.activation(cell.activation),
        flavour.activation(cell.recurrent_activation),
        reset_after=bool(cell.reset_after),
    )


def _simple_rnn(cell: Any, _: Sequence[int], flavour: Flavour) -> SimpleRnnCell:
    return SimpleRnnCell(flavour.activation(cell.activation))


def _conv_lstm(cell: Any, features: Sequence[int], flavour: Flavour) -> ConvLstmCell:
    return ConvLstmCell(
        input_shape=tuple(features),
        padding=cell.padding,
        strides=tuple(cell.strides),
        dilation=tuple(cell.dilation_rate),
        data_format=cell.data_format,
        activation=flavour.activation(cell.activation),
        recurrent_activation=flavour.activation(cell.recurrent_activation),
    )


#: Methods of a cell that say how it is made, and nothing of how it computes a step.
_BESIDE_THE_STEP = re.compile(
    "build|get_config|from_config|get_initial_state|compute_output_shape"
    "|(reset|_create)_.*(mask|mask_cache)"  # drawn for the training alone
)

# By name: Keras does not export the cell of its ConvLSTM layers, and there are two Kerases.
_KINDS: dict[str, Callable[[Any, Sequence[int], Flavour], Cell[Any]]] = {
    "LSTMCell": _lstm,
    "GRUCell": _gru,
    "SimpleRNNCell": _simple_rnn,
    "ConvLSTMCell": _conv_lstm,
}
