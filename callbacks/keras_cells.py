"""Describing Keras's recurrent cells to the core."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import keras
import numpy as np

from lstm_probe.activations import ACTIVATIONS, ActivationLike
from lstm_probe.arrays import Array
from lstm_probe.cells import Cell, ConvLstmCell, GruCell, LstmCell, SimpleRnnCell
from lstm_probe.cells.custom import registered_cell
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
    variables: Sequence[keras.Variable]
    weights: Callable[..., GateWeights | NamedWeights]


def cells_of(layer: keras.layers.RNN) -> list[Any]:
    """The cells that a layer runs on each other's output: one, unless they are stacked."""
    cell = layer.cell
    return list(cell.cells) if isinstance(cell, keras.layers.StackedRNNCells) else [cell]


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
        describe = _KINDS.get(kind.__name__) if kind.__module__.startswith("keras.") else None
        if describe is not None:
            inherited = getattr(type(cell), "call", None) is getattr(kind, "call", None)
            return describe(cell, features) if inherited else None
    return None


def _lstm(cell: Any, _: Sequence[int]) -> LstmCell:
    return LstmCell(_activation(cell.activation), _activation(cell.recurrent_activation))


def _gru(cell: Any, _: Sequence[int]) -> GruCell:
    return GruCell(
        _activation(cell.activation),
        _activation(cell.recurrent_activation),
        reset_after=bool(cell.reset_after),
    )


def _simple_rnn(cell: Any, _: Sequence[int]) -> SimpleRnnCell:
    return SimpleRnnCell(_activation(cell.activation))


def _conv_lstm(cell: Any, features: Sequence[int]) -> ConvLstmCell:
    return ConvLstmCell(
        input_shape=tuple(features),
        padding=cell.padding,
        strides=tuple(cell.strides),
        dilation=tuple(cell.dilation_rate),
        data_format=cell.data_format,
        activation=_activation(cell.activation),
        recurrent_activation=_activation(cell.recurrent_activation),
    )


# By name: Keras does not export the cell of its ConvLSTM layers.
_KINDS: dict[str, Callable[[Any, Sequence[int]], Cell[Any]]] = {
    "LSTMCell": _lstm,
    "GRUCell": _gru,
    "SimpleRNNCell": _simple_rnn,
    "ConvLSTMCell": _conv_lstm,
}


def _activation(function: Any) -> ActivationLike:
    """By name where it is one of Keras's own; a function of the user's stays one."""
    name = keras.activations.serialize(function)
    if isinstance(name, str) and name in ACTIVATIONS:
        return name

    def activation(x: Array) -> Array:
        return np.asarray(keras.ops.convert_to_numpy(function(x)), dtype=x.dtype)

    return activation
