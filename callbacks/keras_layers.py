"""Finding the recurrent layers of a Keras model, and what to call them."""

from __future__ import annotations

from collections.abc import Sequence

import keras

from lstm_probe.errors import LstmProbeError

__all__ = ["find_layers", "in_time_distributed", "layer_name"]


def find_layers(model: keras.Model, names: Sequence[str] | None) -> list[keras.layers.RNN]:
    """The recurrent layers of a model, however deeply they are nested or wrapped.

    Args:
        model: a built model.
        names: which of them, by the name in logs (`bidirectional/forward_lstm`) or by the layer's
            own name (`forward_lstm`); None for all.

    Raises:
        LstmProbeError: there is no such layer; the message lists the ones there are.
    """
    recurrent = [each for each in _all_layers(model) if isinstance(each, keras.layers.RNN)]
    found = {layer_name(model, layer): layer for layer in recurrent}
    if not found:
        kinds = sorted({type(layer).__name__ for layer in _all_layers(model)})
        raise LstmProbeError(
            f"Model {model.name!r} has no recurrent layer to probe. Received: layers of the kinds "
            f"{', '.join(kinds) or 'none'}. Expected: at least one keras.layers.LSTM, GRU, "
            "SimpleRNN, ConvLSTM or RNN."
        )
    if names is None:
        return list(found.values())
    chosen = {}
    for name in names:
        matches = {k: v for k, v in found.items() if name in (k, v.name)}
        if not matches:
            raise LstmProbeError(
                f"Model {model.name!r} has no recurrent layer of that name. Received: {name!r}. "
                f"Expected one of {', '.join(map(repr, found))}."
            )
        chosen.update(matches)
    return list(chosen.values())


def in_time_distributed(model: keras.Model) -> set[int]:
    """The ids of the layers that a TimeDistributed wrapper calls once for each of its steps."""
    wrappers = [w for w in _all_layers(model) if isinstance(w, keras.layers.TimeDistributed)]
    return {id(layer) for wrapper in wrappers for layer in wrapper._flatten_layers()}


def layer_name(model: keras.Model, layer: keras.layers.Layer) -> str:
    """A layer's path within its model: the name that its logs bear.

    The model's own name is left out, because Keras counts models up (`sequential_3`) and logs of
    two runs are compared by name.
    """
    path = str(layer.path or layer.name)
    return path.removeprefix(f"{model.name}/")


def _all_layers(model: keras.Model) -> list[keras.layers.Layer]:
    # model.layers hides what Bidirectional, TimeDistributed and subclassed layers hold; Keras has
    # no public walk over all of them (keras/src/layers/layer.py).
    layers: list[keras.layers.Layer] = model._flatten_layers(include_self=False)
    return layers
