"""TF1's wrappers, and those of users: the cells inside them, and their dropout."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import tensorflow as tf

from lstm_probe.models.session.cells import is_known

__all__ = ["all_cells", "has_fixed_dropout", "is_stack_of", "leaf_cells", "without_dropout"]

#: Where TF1's stack and wrappers, and those of most users, hold what is inside.
_HELD = ("_cells", "wrapped_cell", "cell", "_cell")
_PROBABILITIES = ("_input_keep_prob", "_state_keep_prob", "_output_keep_prob")


def leaf_cells(cell: Any) -> list[Any]:
    """The cells inside stacks and wrappers, in the order in which these hold them: the cell itself
    if it is neither.

    Args:
        cell: a cell, with or without wrappers.
    """
    inside = _cells_inside(cell)
    return [leaf for each in inside for leaf in leaf_cells(each)] if inside else [cell]


def _cells_inside(cell: Any) -> list[Any]:
    """The cells that a wrapper or a stack holds, in the order in which it holds them.

    Args:
        cell: a cell of TF1, or of the user's own, such as an attention wrapper.

    Returns:
        Nothing for a cell whose equations are known: nobody has to look inside.
    """
    if is_known(cell):
        return []
    for name in _HELD:
        held = getattr(cell, name, None)
        if held is not None:
            return list(held) if isinstance(held, (list, tuple)) else [held]
    values = tf.nest.flatten(
        [value for name, value in getattr(cell, "__dict__", {}).items() if name != "_layers"]
    )
    found = {id(each): each for each in values if each is not cell and _is_cell(each)}
    return list(found.values())


def has_fixed_dropout(cell: Any) -> bool:
    """Whether a cell, or one inside it, drops values with a probability that cannot be fed."""
    return any(_fixed(cell)) or any(map(has_fixed_dropout, _cells_inside(cell)))


def all_cells(cell: Any) -> list[Any]:
    """A cell, and all cells inside it."""
    return [cell, *(each for inside in _cells_inside(cell) for each in all_cells(inside))]


def is_stack_of(cell: Any, leaves: list[Any]) -> bool:
    """Whether the states of a cell are those of the leaves, one after the other: a wrapper of the
    user's own may have states beside them."""
    sizes = [size for leaf in leaves for size in tf.nest.flatten(leaf.state_size)]
    return bool(sizes == tf.nest.flatten(cell.state_size))


@contextmanager
def without_dropout(cell: Any) -> Iterator[None]:
    """While the context lasts, a cell and those inside it drop nothing, where the probability is
    fixed. One that can be fed stays as it is."""
    fixed = {name: getattr(cell, name) for name in _fixed(cell)}
    for name in fixed:
        setattr(cell, name, 1.0)
    try:
        with _all_without_dropout(_cells_inside(cell)):
            yield
    finally:
        for name, value in fixed.items():
            setattr(cell, name, value)


@contextmanager
def _all_without_dropout(cells: list[Any]) -> Iterator[None]:
    if not cells:
        yield
        return
    first, *others = cells
    with without_dropout(first), _all_without_dropout(others):
        yield


def _fixed(cell: Any) -> list[str]:
    values = {name: getattr(cell, name, None) for name in _PROBABILITIES}
    return [name for name, value in values.items() if isinstance(value, float) and value < 1]


def _is_cell(value: Any) -> bool:
    return all(hasattr(value, name) for name in ("state_size", "output_size", "zero_state"))
