"""What one side was seen to do: named items of nested values, written to a folder and read back.

An item has a kind, which decides by which rule it is compared, and a name. Its value is made of
dictionaries, lists, texts, numbers, None and arrays. Arrays go to an `.npz` file, everything else
to JSON.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import Any, TypeAlias

import masking
import numpy as np

__all__ = ["Items", "Observations", "attempt", "load"]

#: Values by section, kind and name.
Items: TypeAlias = "dict[tuple[str, str, str], Any]"

_ARRAY = "dtype, start and shape in the .npz file"


class Observations:
    """The items of one section.

    Args:
        section: what is observed; the name of the files.
    """

    def __init__(self, section: str) -> None:
        self.section = section
        self._items: dict[tuple[str, str], Any] = {}
        self._prefix = ""

    def note(self, kind: str, name: str, value: Any) -> None:
        """Keep one item; each has a name of its own."""
        key = (kind, self._prefix + name)
        if key in self._items:
            raise ValueError(f"There are two items of this name: {key}.")
        self._items[key] = _plain(value)

    @contextmanager
    def within(self, name: str) -> Iterator[None]:
        """Put a name before those of all items that are noted in the block."""
        before, self._prefix = self._prefix, f"{self._prefix}{name}/"
        try:
            yield
        finally:
            self._prefix = before

    def save(self, folder: Path) -> None:
        """Write the items to `<section>.json` and `<section>.npz`."""
        store = _Store()
        items = [[*key, store.without(value)] for key, value in self._items.items()]
        (folder / f"{self.section}.json").write_text(json.dumps(items))
        np.savez_compressed(folder / f"{self.section}.npz", **store.joined())


def load(folder: Path) -> Items:
    """All sections that were saved in a folder."""
    items: Items = {}
    for path in sorted(folder.glob("*.json")):
        with np.load(path.with_suffix(".npz")) as file:
            joined = dict(file)
        for kind, name, value in json.loads(path.read_text()):
            items[path.stem, kind, name] = _with_arrays(value, joined)
    return items


def attempt(action: Callable[[], Any]) -> Any:
    """What a function returns, or the words with which it refuses."""
    try:
        return action()
    except Exception as error:  # whatever comes out is what a user would see
        return {"refused": f"{type(error).__name__}: {masking.masked(str(error))}"}


def _plain(value: Any) -> Any:
    if isinstance(value, dict) or hasattr(value, "items"):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, (str, bool, int, float, np.ndarray)):
        return value
    raise TypeError(f"An item cannot hold a {type(value).__name__}.")


class _Store:
    """Arrays end to end, one row for each dtype: a file of thousands of parts is slow to read."""

    def __init__(self) -> None:
        self._rows: dict[str, list[np.ndarray]] = {}
        self._sizes: dict[str, int] = {}

    def without(self, value: Any) -> Any:
        """A value with every array replaced by its place."""
        if isinstance(value, np.ndarray):
            dtype, start = value.dtype.str, self._sizes.get(value.dtype.str, 0)
            self._rows.setdefault(dtype, []).append(value.ravel())
            self._sizes[dtype] = start + value.size
            return {_ARRAY: [dtype, start, list(value.shape)]}
        if isinstance(value, dict):
            return {key: self.without(each) for key, each in value.items()}
        return [self.without(each) for each in value] if isinstance(value, list) else value

    def joined(self) -> dict[str, np.ndarray]:
        """By dtype, all arrays."""
        return {dtype: np.concatenate(row) for dtype, row in self._rows.items()}


def _with_arrays(value: Any, joined: dict[str, np.ndarray]) -> Any:
    if isinstance(value, dict):
        if _ARRAY in value:
            dtype, start, shape = value[_ARRAY]
            return joined[dtype][start : start + prod(shape)].reshape(shape)
        return {key: _with_arrays(each, joined) for key, each in value.items()}
    return [_with_arrays(each, joined) for each in value] if isinstance(value, list) else value
