"""Finding the recurrent layers of a Keras model, and what to call them."""

from __future__ import annotations

from collections.abc import Sequence

from lstm_probe.core.errors import LstmProbeError
from lstm_probe.models.keras.flavour import Layer, Model, flavour_of

__all__ = ["find_layers", "in_time_distributed"]


def find_layers(model: Model, names: Sequence[str] | None) -> dict[str, Layer]:
    """The recurrent layers of a model by their names in logs, however deeply they are nested.

    A layer's name is its path within its model. The model's own name is left out, because Keras
    counts models up (`sequential_3`) and logs of two runs are compared by name. Where two layers
    have one path, as in nested models of one kind, the later ones are numbered: `lstm`, `lstm_2`.

    Args:
        model: a built model.
        names: which of them, by the name in logs (`bidirectional/forward_lstm`) or by the layer's
            own name (`forward_lstm`); None for all.

    Raises:
        LstmProbeError: there is no such layer; the message lists the ones there are.
    """
    found = _named(model)
    if not found:
        kinds = sorted({type(layer).__name__ for layer in _all_layers(model)})
        package = flavour_of(model).package
        raise LstmProbeError(
            f"Model {model.name!r} has no recurrent layer to probe. Received: layers of the kinds "
            f"{', '.join(kinds) or 'none'}. Expected: at least one {package}.layers.LSTM, GRU, "
            "SimpleRNN, ConvLSTM or RNN."
        )
    if names is None:
        return found
    chosen = {}
    for name in names:
        matches = {k: v for k, v in found.items() if name in (k, v.name)}
        if not matches:
            raise LstmProbeError(
                f"Model {model.name!r} has no recurrent layer of that name. Received: {name!r}. "
                f"Expected one of {', '.join(map(repr, found))}."
            )
        chosen.update(matches)
    return chosen


def in_time_distributed(model: Model) -> set[int]:
    """The ids of the layers that a TimeDistributed wrapper calls once for each of its steps."""
    kind = flavour_of(model).layers.TimeDistributed
    wrappers = [each for each in _all_layers(model) if isinstance(each, kind)]
    return {id(layer) for wrapper in wrappers for layer in wrapper._flatten_layers()}


def _named(model: Model) -> dict[str, Layer]:
    flavour, found = flavour_of(model), dict[str, Layer]()
    for layer in {id(each): each for each in _all_layers(model)}.values():
        if not isinstance(layer, flavour.layers.RNN):
            continue
        path = name = flavour.path(model, layer)
        count = 1
        while name in found:
            count += 1
            name = f"{path}_{count}"
        found[name] = layer
    return found


def _all_layers(model: Model) -> list[Layer]:
    # model.layers hides what Bidirectional, TimeDistributed and subclassed layers hold; Keras has
    # no public walk over all of them (keras/src/layers/layer.py).
    return list(model._flatten_layers(include_self=False))
