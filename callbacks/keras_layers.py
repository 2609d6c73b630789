"""Finding the recurrent layers of a Keras model, and describing them to the core."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np

from lstm_probe.activations import ACTIVATIONS, ActivationLike
from lstm_probe.arrays import Array
from lstm_probe.cells import LstmCell
from lstm_probe.errors import LstmProbeError

__all__ = ["describe_cell", "find_layers", "layer_name", "weight_variables"]


def find_layers(model: keras.Model, names: Sequence[str] | None) -> list[keras.layers.LSTM]:
    """The LSTM layers of a model, however deeply they are nested or wrapped.

    Args:
        model: a built model.
        names: which of them, by the name in logs (`bidirectional/forward_lstm`) or by the layer's
            own name (`forward_lstm`); None for all.

    Raises:
        LstmProbeError: there is no such layer; the message lists the ones there are.
    """
    found = {layer_name(model, layer): layer for layer in _recurrent(model)}
    if not found:
        kinds = sorted({type(layer).__name__ for layer in _all_layers(model)})
        raise LstmProbeError(
            f"Model {model.name!r} has no LSTM layer to probe. Received: layers of the kinds "
            f"{', '.join(kinds) or 'none'}. Expected: at least one keras.layers.LSTM."
        )
    if names is None:
        return list(found.values())
    chosen = {}
    for name in names:
        matches = {k: v for k, v in found.items() if name in (k, v.name)}
        if not matches:
            raise LstmProbeError(
                f"Model {model.name!r} has no LSTM layer of that name. Received: {name!r}. "
                f"Expected one of {', '.join(map(repr, found))}."
            )
        chosen.update(matches)
    return list(chosen.values())


def layer_name(model: keras.Model, layer: keras.layers.Layer) -> str:
    """A layer's path within its model: the name that its logs bear.

    The model's own name is left out, because Keras counts models up (`sequential_3`) and logs of
    two runs are compared by name.
    """
    path = str(layer.path or layer.name)
    return path.removeprefix(f"{model.name}/")


def describe_cell(layer: keras.layers.LSTM) -> LstmCell:
    """The options of a layer's cell."""
    return LstmCell(
        activation=_activation(layer.activation),
        recurrent_activation=_activation(layer.recurrent_activation),
    )


def weight_variables(layer: keras.layers.LSTM) -> list[keras.Variable]:
    """The variables that the layer computes with: kernel, recurrent kernel and bias if any."""
    cell = layer.cell
    variables = [cell.kernel, cell.recurrent_kernel, cell.bias]
    return [variable for variable in variables if variable is not None]


def _recurrent(model: keras.Model) -> Iterator[keras.layers.LSTM]:
    return (layer for layer in _all_layers(model) if isinstance(layer, keras.layers.LSTM))


def _all_layers(model: keras.Model) -> list[keras.layers.Layer]:
    # model.layers hides what Bidirectional, TimeDistributed and subclassed layers hold; Keras has
    # no public walk over all of them (keras/src/layers/layer.py).
    layers: list[keras.layers.Layer] = model._flatten_layers(include_self=False)
    return layers


def _activation(function: Any) -> ActivationLike:
    """By name where it is one of Keras's own; a function of the user's stays one."""
    name = keras.activations.serialize(function)
    if isinstance(name, str) and name in ACTIVATIONS:
        return name

    def activation(x: Array) -> Array:
        return np.asarray(keras.ops.convert_to_numpy(function(x)), dtype=x.dtype)

    return activation
