"""What the layers of a loaded Keras model were called while the model was trained.

Keras 3 makes the path of a layer when it builds the layer, within what is being built then:
`both/forward_gru`. It builds the layers of a loaded model one by one, which leaves wrappers and
inner models out of their paths: `forward_gru`. Logs of a training and of its checkpoints are
compared by name.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from lstm_probe.core.errors import LstmProbeError

__all__ = ["LoadedNames"]


class LoadedNames:
    """The names of the layers of a model.

    Args:
        model: of either Keras.
        is_loaded: it has been loaded. A model that has not keeps the names that it has.
    """

    def __init__(self, model: Any, *, is_loaded: bool) -> None:
        self._names = _names_of_training(model) if is_loaded else {}

    def own(self, layers: Sequence[str] | None) -> list[str] | None:
        """The names that the loaded model knows, for those by which a user asks for layers."""
        if layers is None:
            return None
        own = {name: loaded for loaded, name in self._names.items()}
        return [own.get(each, each) for each in layers]

    def of(self, place: str) -> str:
        """The name of a place, for the name that it has in the loaded model.

        Args:
            place: a layer, or one of its calls or cells, such as `rnn/cell_2`.
        """
        layers = (each for each in self._names if f"{place}/".startswith(f"{each}/"))
        layer = max(layers, key=len, default=None)
        return place if layer is None else self._names[layer] + place[len(layer) :]


def _names_of_training(model: Any) -> dict[str, str]:
    from lstm_probe.models.keras.flavour import flavour_of
    from lstm_probe.models.keras.layers import find_layers

    if flavour_of(model).package != "keras":  # tf_keras has no paths, so that they are made anew
        return {}
    try:
        found = find_layers(model, None)
    except LstmProbeError:  # who asks for the layers of this model is told
        return {}
    paths: dict[int, str] = {}
    for number, path in _paths(model, ""):
        paths.setdefault(number, path)
    names: dict[str, str] = {}
    for loaded, layer in found.items():
        name = base = paths.get(id(layer), loaded)
        count = 1
        while name in names.values():
            count += 1
            name = f"{base}_{count}"
        names[loaded] = name
    return names


def _paths(layer: Any, prefix: str) -> Iterator[tuple[int, str]]:
    """By its id the path of each layer within, as Keras 3 makes it while it builds a model.

    Functional models have been built before they are called, apart from what holds them.
    """
    for inner in layer._flatten_layers(recursive=False, include_self=False):
        yield id(inner), f"{prefix}{inner.name}"
        is_functional = any(kind.__name__ == "Functional" for kind in type(inner).__mro__)
        yield from _paths(inner, "" if is_functional else f"{prefix}{inner.name}/")
