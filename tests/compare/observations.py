"""What one side was seen to do: named items of nested values, written to a folder and read back.

An item has a kind, which decides by which rule it is compared, and a name. Its value is made of
dictionaries, lists, texts, numbers, None and arrays. Arrays go to an `.npz` file, everything else
to JSON.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import masking
import numpy as np

__all__ = ["Items", "Observations", "attempt", "load"]

#: Values by section, kind and name.
Items: TypeAlias = "dict[tuple[str, str, str], Any]"

_ARRAY = "array of the .npz file"


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
        arrays: list[np.ndarray] = []
        items = [[*key, _without_arrays(value, arrays)] for key, value in self._items.items()]
        (folder / f"{self.section}.json").write_text(json.dumps(items))
        numbered = {str(number): array for number, array in enumerate(arrays)}
        np.savez_compressed(folder / f"{self.section}.npz", **numbered)


def load(folder: Path) -> Items:
    """All sections that were saved in a folder."""
    items: Items = {}
    for path in sorted(folder.glob("*.json")):
        with np.load(path.with_suffix(".npz")) as arrays:
            for kind, name, value in json.loads(path.read_text()):
                items[path.stem, kind, name] = _with_arrays(value, arrays)
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


def _without_arrays(value: Any, arrays: list[np.ndarray]) -> Any:
    if isinstance(value, np.ndarray):
        arrays.append(value)
        return {_ARRAY: len(arrays) - 1}
    if isinstance(value, dict):
        return {key: _without_arrays(each, arrays) for key, each in value.items()}
    if isinstance(value, list):
        return [_without_arrays(each, arrays) for each in value]
    return value


def _with_arrays(value: Any, arrays: Any) -> Any:
    if isinstance(value, dict):
        if _ARRAY in value:
            return arrays[str(value[_ARRAY])]
        return {key: _with_arrays(each, arrays) for key, each in value.items()}
    if isinstance(value, list):
        return [_with_arrays(each, arrays) for each in value]
    return value
