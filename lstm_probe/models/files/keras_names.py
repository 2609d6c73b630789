"""What the layers of a Keras 3 file of weights are called, and in which order they stand."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from lstm_probe.models.files.places import Place

__all__ = ["LayerNames"]

_DIRECTIONS = {"forward_layer": "forward_", "backward_layer": "backward_"}


@dataclass(frozen=True)
class LayerNames:
    """The names of layers by where their variables are, as far as the model's configuration tells.

    A file calls a layer after its class and counts, `layers/lstm_1`. Keras 3 also notes the name
    beside the variables. tf_keras does not; but the configuration in a `.keras` file lists the
    layers in the same order.

    Attributes:
        names: by path, such as `layers/lstm_1`.
        order: by path, the place in the order of the model.
    """

    names: Mapping[str, str] = field(default_factory=dict)
    order: Mapping[str, Place] = field(default_factory=dict)

    @classmethod
    def of_config(cls, config: Any) -> LayerNames:
        """The names in a model's configuration, of which nothing is executed.

        Example:
            >>> config = {"config": {"layers": [
            ...     {"class_name": "Dense", "config": {"name": "head"}},
            ...     {"class_name": "SimpleRNN", "config": {"name": "memory"}}]}}
            >>> LayerNames.of_config(config).names["layers/simple_rnn"]
            'memory'
        """
        names, order = {}, {}
        for path, name, numbers in _layers(config, "", ()):
            names[path], order[path] = name, Place("layers", numbers)
        return cls(names, order)

    def layer(self, file: Any, place: str) -> str:
        """The path of names to a layer.

        Args:
            file: an open HDF5 file.
            place: where the layer's variables are, such as `layers/lstm_1/cell`.
        """
        parts = place.split("/")
        shown = []
        for count, part in enumerate(parts, start=1):
            here = "/".join(parts[:count])
            beside = file.get(f"{here}/vars")
            named = None if beside is None else beside.attrs.get("name")
            if part not in ("layers", "cell"):
                shown.append(self._inner(here, part) if named is None else str(named))
        return "/".join(shown)

    def place(self, path: str) -> Place | None:
        """Where the variables of a path stand in the model; None where that is not known."""
        parts = path.split("/")
        known = ("/".join(parts[:count]) for count in range(len(parts), 0, -1))
        return next((self.order[each] for each in known if each in self.order), None)

    def _inner(self, path: str, part: str) -> str:
        """The name of a layer that the file does not name beside its variables."""
        wrapper, _, last = path.rpartition("/")
        if last in _DIRECTIONS and f"{wrapper}/layer" in self.names:
            return _DIRECTIONS[last] + self.names[f"{wrapper}/layer"]
        return self.names.get(path, part)


def _layers(
    config: Any, prefix: str, numbers: tuple[int, ...]
) -> Iterator[tuple[str, str, tuple[int, ...]]]:
    """The path, the name and the place of each layer, however deeply models lie in each other."""
    inside = config.get("config") if isinstance(config, dict) else None
    layers = inside.get("layers") if isinstance(inside, dict) else None
    seen: Counter[str] = Counter()
    for index, layer in enumerate(layers if isinstance(layers, list) else ()):
        held = layer.get("config") if isinstance(layer, dict) else None
        if not isinstance(held, dict):
            continue
        kind = _snake_case(str(layer.get("class_name")).rpartition(">")[2])
        path = f"{prefix}layers/{kind}" + (f"_{seen[kind]}" if seen[kind] else "")
        seen[kind] += 1
        yield path, str(held.get("name", kind)), (*numbers, index)
        wrapped = held.get("layer")
        if isinstance(wrapped, dict) and isinstance(wrapped.get("config"), dict):
            yield f"{path}/layer", str(wrapped["config"].get("name", "layer")), (*numbers, index)
        yield from _layers(layer, f"{path}/", (*numbers, index))


def _snake_case(name: str) -> str:
    """As Keras makes the name of a group out of that of a class.

    Source: keras/src/utils/naming.py, `to_snake_case`.
    """
    name = re.sub(r"\W+", "", name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()
