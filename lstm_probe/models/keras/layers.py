"""Finding the recurrent layers and cells of a Keras model, and what to call them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from inspect import signature

from lstm_probe.core.errors import LstmProbeError
from lstm_probe.models.keras.cells import cells_of
from lstm_probe.models.keras.flavour import Flavour, Layer, Model, flavour_of

__all__ = ["find_layers", "in_time_distributed", "listened_to", "own_layers"]


def find_layers(model: Model, names: Sequence[str] | None) -> dict[str, Layer]:
    """The recurrent layers and cells of a model, however deeply nested, by their names in logs.

    A cell is among them because the user's own code may call it, step by step.

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
            "SimpleRNN, ConvLSTM or RNN, or a cell such as LSTMCell that the model's call runs."
        )
    if names is None:
        return found
    chosen = {}
    for name in names:
        matches = {k: v for k, v in found.items() if name in (k, v.name)}
        if not matches:
            raise LstmProbeError(
                f"Model {model.name!r} has no recurrent layer of that name. Received: {name!r}. "
                f"Expected one of {', '.join(map(repr, own_layers(model, found)))}."
            )
        chosen.update(matches)
    return chosen


def in_time_distributed(model: Model) -> set[int]:
    """The ids of the layers that a TimeDistributed wrapper calls once for each of its steps."""
    kind = flavour_of(model).layers.TimeDistributed
    wrappers = [each for each in _all_layers(model) if isinstance(each, kind)]
    return {id(layer) for wrapper in wrappers for layer in wrapper._flatten_layers()}


def listened_to(model: Model, chosen: Mapping[str, Layer]) -> list[Layer]:
    """The layers and cells to listen to, so that all chosen ones are heard.

    A layer whose cell is chosen is among them: it tells its own calls of the cell from those of the
    user's code.

    Args:
        model: the model.
        chosen: what `find_layers` gave.
    """
    kept = {id(layer): layer for layer in chosen.values()}
    rnn = flavour_of(model).layers.RNN
    owners = [each for each in _all_layers(model) if isinstance(each, rnn)]
    kept |= {
        id(each): each
        for each in owners
        if any(id(cell) in kept for cell in (each.cell, *cells_of(each)))
    }
    return list(kept.values())


def own_layers(model: Model, chosen: Mapping[str, Layer]) -> dict[str, Layer]:
    """Those of the chosen layers and cells that should run when the model does: all but the cells
    that a recurrent layer runs.

    Args:
        model: the model.
        chosen: what `find_layers` gave.
    """
    run = _run_by_layers(model)
    return {name: layer for name, layer in chosen.items() if id(layer) not in run}


def _named(model: Model) -> dict[str, Layer]:
    """All recurrent layers by name, then all cells: their names do not change those of layers."""
    flavour, found = flavour_of(model), dict[str, Layer]()
    layers = list({id(each): each for each in _all_layers(model)}.values())
    recurrent = [each for each in layers if isinstance(each, flavour.layers.RNN)]
    for layer in [*recurrent, *(each for each in layers if _is_cell(each, flavour))]:
        path = name = flavour.path(model, layer)
        count = 1
        while name in found:
            count += 1
            name = f"{path}_{count}"
        found[name] = layer
    return found


def _is_cell(layer: Layer, flavour: Flavour) -> bool:
    """Whether a layer is a cell, which computes one step; stacked cells are asked one by one."""
    kinds = (flavour.layers.RNN, flavour.layers.StackedRNNCells)
    if getattr(layer, "state_size", None) is None or isinstance(layer, kinds):
        return False
    # A layer of another kind may have an attribute of that name, but is not called on a state.
    return len(signature(layer.call).parameters.keys() - {"training", "mask"}) > 1


def _run_by_layers(model: Model) -> set[int]:
    """The ids of the cells that recurrent layers of the model run, and of all inside of them."""
    rnn = flavour_of(model).layers.RNN
    cells = [each.cell for each in _all_layers(model) if isinstance(each, rnn)]
    cells = [each for each in cells if hasattr(each, "_flatten_layers")]
    return {id(inner) for cell in cells for inner in cell._flatten_layers()}


def _all_layers(model: Model) -> list[Layer]:
    # model.layers hides what Bidirectional, TimeDistributed and subclassed layers hold; Keras has
    # no public walk over all of them (keras/src/layers/layer.py).
    return list(model._flatten_layers(include_self=False))
