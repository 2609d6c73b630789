"""Describing the recurrent cells of Keras 3 and tf_keras to the core."""

from __future__ import annotations

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
    """

    cell: Cell[Any] | None
    variables: Sequence[Any]
    weights: Callable[..., GateWeights | NamedWeights]


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

    return CellDescription(custom, variables, named)


def _options(cell: Any, features: Sequence[int]) -> Cell[Any] | None:
    """The options of one of Keras's cells; None if it, or its equations, are the user's own."""
    for kind in type(cell).__mro__:
        package, _, module = kind.__module__.partition(".")
        is_keras = package in ("keras", "tf_keras") and not module.endswith("legacy_cells")
        describe = _KINDS.get(kind.__name__) if is_keras else None
        if describe is not None:
            inherited = getattr(type(cell), "call", None) is getattr(kind, "call", None)
            return describe(cell, features, flavour_of(cell)) if inherited else None
    return None


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


# By name: Keras does not export the cell of its ConvLSTM layers, and there are two Kerases.
_KINDS: dict[str, Callable[[Any, Sequence[int], Flavour], Cell[Any]]] = {
    "LSTMCell": _lstm,
    "GRUCell": _gru,
    "SimpleRNNCell": _simple_rnn,
    "ConvLSTMCell": _conv_lstm,
}
