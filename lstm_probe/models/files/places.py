"""What a file tells of its arrays besides their names: who holds them, and their order."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, NamedTuple

__all__ = ["Place", "Places", "in_file_order"]

#: Containers in which Keras and TensorFlow keep layers or variables in the order of the model.
_NUMBERED = re.compile(
    r"(?:^|/)(?:_operations|_layers|layers|layer_with_weights|layer|variables|cells)[-/](\d+)(?=/|$)"
)


class Place(NamedTuple):
    """Where something stands in the order of a model.

    Attributes:
        container: what is in order; places in different containers cannot be compared.
        numbers: the place in it, and within that the places in containers further inside.
    """

    container: str
    numbers: tuple[int, ...]

    def before(self, other: Place | None) -> bool:
        """Whether this place is known to come before another one."""
        return (
            other is not None and self.container == other.container and self.numbers < other.numbers
        )


@dataclass(frozen=True)
class Places:
    """What a file tells of its arrays.

    Attributes:
        paths: by the name of an array, the path of attributes that leads to it.
        order: by the name of an array, its place.
    """

    paths: Mapping[str, str] = field(default_factory=dict)
    order: Mapping[str, Place] = field(default_factory=dict)

    @classmethod
    def of_paths(cls, paths: Mapping[str, str]) -> Places:
        """The order is in the paths, where they lead through containers that keep one.

        Example:
            >>> Places.of_paths({"a/kernel": "model/layer_with_weights-3/kernel"}).order["a/kernel"]
            Place(container='model/layer_with_weights-', numbers=(3,))
        """
        order = {name: place for name, path in paths.items() if (place := _place(path)) is not None}
        return cls(dict(paths), order)

    def path(self, name: str) -> str:
        """The path of attributes to an array; empty where the file does not tell it."""
        return self.paths.get(name, "")

    def first(self, names: Iterable[str]) -> Place | None:
        """The place of the first of some arrays; None unless all of them can be compared."""
        found = [self.order.get(name) for name in names]
        known = [place for place in found if place is not None]
        if not known or len(known) < len(found) or len({each.container for each in known}) > 1:
            return None
        return min(known)


def in_file_order(names: Iterable[str]) -> Places:
    """The places of arrays that a file keeps in the order in which they were given to it.

    Names in alphabetical order tell nothing, as somebody may have sorted them; nor do names that
    have been shuffled, so that those of one layer do not stand together.

    Example:
        >>> in_file_order(["b/kernel", "a/kernel"]).order["a/kernel"].numbers
        (1,)
        >>> in_file_order(["a/kernel", "b/kernel"]).order
        {}
    """
    listed: list[Any] = list(names)
    scopes = [name.rpartition("/")[0] for name in listed]
    runs = [scope for scope, _ in groupby(scopes)]
    if listed == sorted(listed) or len(runs) > len(set(runs)):
        return Places()
    return Places(order={name: Place("", (index,)) for index, name in enumerate(listed)})


def _place(path: str) -> Place | None:
    found = list(_NUMBERED.finditer(path))
    if not found:
        return None
    return Place(path[: found[0].start(1)], tuple(int(each[1]) for each in found))
