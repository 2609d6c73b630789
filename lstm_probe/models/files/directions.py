"""Which way a cell reads, as far as the file of its weights tells it.

Keras's `Bidirectional` holds its two layers as `forward_layer` and `backward_layer`, and torch
calls the arrays of a backward direction `..._reverse`. Where the file keeps these, the direction is
known. A file that keeps the names of variables alone has only what somebody called them:
`backward_lstm`, `bw`, `encoder_reverse`. From these the direction is guessed, and the guess is
shown as one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["Direction", "direction_of", "unmarked"]

#: The attributes of Keras's `Bidirectional`.
_LAYERS = {"forward_layer": False, "backward_layer": True}
_BACKWARD = frozenset({"backward", "backwards", "bw", "bwd", "reverse", "reversed", "rev"})
_FORWARD = frozenset({"forward", "forwards", "fw", "fwd"})
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


@dataclass(frozen=True)
class Direction:
    """Which way a cell reads.

    Attributes:
        backward: whether it reads from the last timestep to the first.
        by: what tells so: `structure`, `name`, or nothing for a cell whose direction nothing tells.
        pair: what the two directions of one layer have in common: the path without the direction.
    """

    backward: bool
    by: str
    pair: str


def direction_of(scope: str, place: str, alike: Mapping[str, int]) -> Direction:
    """The direction of a cell.

    Args:
        scope: the names of the cell's variables without their last part, such as
            `bi/backward_lstm/lstm_cell`.
        place: the path of the objects that hold the cell, such as `layers/bi/backward_layer/cell`;
            empty where the file does not tell it.
        alike: how many cells of the file have a scope, as `unmarked` gives it.

    Example:
        >>> direction_of("bi/backward_lstm/lstm_cell", "", {})
        Direction(backward=True, by='name', pair='bi/lstm/lstm_cell')
        >>> direction_of("memory", "", {}).by
        ''
    """
    parts = place.split("/")
    held = [(index, part) for index, part in enumerate(parts) if part in _LAYERS]
    if held:
        index, part = held[-1]
        pair = "/".join([*parts[:index], "", *parts[index + 1 :]])
        return Direction(_LAYERS[part], "structure", f"@{pair}")
    parts = scope.split("/")
    for index in reversed(range(len(parts))):
        word = _marked(parts[index])
        if word is None:
            continue
        pair = "/".join([*parts[:index], _without(parts[index], word), *parts[index + 1 :]])
        if index == _layer(parts) or parts[index] == word or _has_sibling(pair, scope, alike):
            return Direction(word.lower() in _BACKWARD, "name", pair)
    return Direction(False, "", scope)


def _marked(part: str) -> str | None:
    """The word in a part of a path that names a direction: `backward` in `backward_lstm`."""
    words = _WORDS.findall(part)
    found = [word for word in words if word.lower() in _BACKWARD | _FORWARD]
    return found[0] if len(found) == 1 else None


def _without(part: str, word: str) -> str:
    before, _, after = part.partition(word)
    return f"{before.rstrip('_-')}{'_' if before and after.strip('_-') else ''}{after.strip('_-')}"


def _layer(parts: list[str]) -> int:
    """Which part of a scope is the layer's name: the last one, or the one before its cell's."""
    is_cell = re.search(r"cell(_\d+)?$", parts[-1], re.IGNORECASE) is not None
    return (
        len(parts) - 2
        if is_cell and len(parts) > 1 and _marked(parts[-1]) is None
        else len(parts) - 1
    )


def _has_sibling(pair: str, scope: str, alike: Mapping[str, int]) -> bool:
    """Whether another cell has the same path but for the direction."""
    return alike.get(pair, 0) > (unmarked(scope) == pair)


def unmarked(scope: str) -> str:
    """A scope without the last word in it that names a direction.

    Example:
        >>> unmarked("bi/backward_lstm/lstm_cell"), unmarked("memory")
        ('bi/lstm/lstm_cell', 'memory')
    """
    parts = scope.split("/")
    for index in reversed(range(len(parts))):
        word = _marked(parts[index])
        if word is not None:
            parts[index] = _without(parts[index], word)
            return "/".join(parts)
    return scope
