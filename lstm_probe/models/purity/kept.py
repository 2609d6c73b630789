"""What can be kept of a Python object while a pass through a model runs, and be put back."""

from __future__ import annotations

import pickle
import random
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np

__all__ = [
    "Generator",
    "Items",
    "Kept",
    "Names",
    "Numbers",
    "Position",
    "has_changed",
    "is_restored",
    "kept",
]

_ABSENT: Final = object()


class Kept(Protocol):
    """Something that a pass may change, as it was at one moment.

    Attributes:
        where: how a user finds it, such as `attribute 'calls' of layer 'counter'`.
        owner: the object that is looked into.
    """

    @property
    def where(self) -> str: ...

    @property
    def owner(self) -> Any: ...

    def changed(self) -> bool:
        """Whether it is no longer as it was."""

    def restore(self) -> bool:
        """Make it what it was; False where that cannot be done."""


@dataclass(frozen=True)
class Names:
    """What names stand for: the attributes of an object or a class, or global names.

    Attributes:
        where: as of `Kept`.
        owner: a namespace, or a class.
        before: what each name stood for.
        only: the names that count; None for all but those in `but`.
        but: names that do not count.
    """

    where: str
    owner: Any
    before: Mapping[str, Any]
    only: frozenset[str] | None = None
    but: frozenset[str] = frozenset()

    @classmethod
    def of(
        cls,
        where: str,
        owner: Any,
        *,
        only: Iterable[str] | None = None,
        but: frozenset[str] = frozenset(),
    ) -> Names:
        """As they are now."""
        chosen = None if only is None else frozenset(only)
        return cls(where, owner, dict(_chosen(owner, chosen, but)), chosen, but)

    def names_changed(self) -> list[str]:
        """Those that stand for something else now, are new, or are gone."""
        now = dict(_chosen(self.owner, self.only, self.but))
        names = [*self.before, *(name for name in now if name not in self.before)]
        return [n for n in names if now.get(n, _ABSENT) is not self.before.get(n, _ABSENT)]

    def now(self) -> Names:
        """The same names, and what they stand for now."""
        before = dict(_chosen(self.owner, self.only, self.but))
        return Names(self.where, self.owner, before, self.only, self.but)

    def covers(self, name: str) -> bool:
        """Whether a name counts."""
        return name not in self.but if self.only is None else name in self.only

    def changed(self) -> bool:
        return bool(self.names_changed())

    def narrowed(self, names: Iterable[str]) -> Names:
        """The same, of some of the names alone."""
        only = frozenset(names)
        before = {name: value for name, value in self.before.items() if name in only}
        return Names(self.where, self.owner, before, only)

    def restore(self) -> bool:
        # Past the attribute tracking of Keras, which would keep what is put there.
        is_class = isinstance(self.owner, type)
        for name in self.names_changed():
            value = self.before.get(name, _ABSENT)
            if value is _ABSENT and is_class:
                type.__delattr__(self.owner, name)
            elif value is _ABSENT:
                del self.owner[name]
            elif is_class:
                type.__setattr__(self.owner, name, value)
            else:
                self.owner[name] = value
        return True


@dataclass(frozen=True)
class Items:
    """What a list, dict, set or deque holds."""

    where: str
    owner: Any
    before: list[Any]

    def changed(self) -> bool:
        now = _items(self.owner)
        if len(now) != len(self.before):
            return True
        return any(not _same(a, b) for a, b in zip(now, self.before, strict=True))

    def restore(self) -> bool:
        # tf_keras wraps what is assigned to a layer; what is inside is put back.
        owner = getattr(self.owner, "__wrapped__", self.owner)
        if isinstance(owner, dict):
            dict.clear(owner)
            dict.update(owner, self.before)
        elif isinstance(owner, list):
            list.__setitem__(owner, slice(None), self.before)
            if hasattr(owner, "_storage"):
                owner._storage[:] = self.before
        else:
            owner.clear()
            (owner.update if isinstance(owner, set) else owner.extend)(self.before)
        return True


@dataclass(frozen=True)
class Numbers:
    """What a NumPy array holds."""

    where: str
    owner: Any
    before: Any

    def changed(self) -> bool:
        return bool(self.owner.tobytes() != self.before.tobytes())

    def restore(self) -> bool:
        if not self.owner.flags.writeable:
            return False
        np.copyto(self.owner, self.before)
        return True


@dataclass(frozen=True)
class Generator:
    """The state of a generator of random numbers, read and set by the functions given."""

    where: str
    owner: Any
    before: Any
    read: Callable[[], Any]
    write: Callable[[Any], Any]

    def changed(self) -> bool:
        return pickle.dumps(self.read()) != pickle.dumps(self.before)

    def restore(self) -> bool:
        self.write(self.before)
        return True


@dataclass(frozen=True)
class Position:
    """How far an iterator, a generator function or a file has come: it cannot be put back."""

    where: str
    owner: Any
    before: Any

    def changed(self) -> bool:
        return bool(_position(self.owner) != self.before)

    def restore(self) -> bool:
        return False


def kept(where: str, value: Any) -> Kept | None:
    """What can be kept of the inside of one value; None if it has none that is known."""
    if isinstance(value, np.ndarray):
        return Numbers(where, value, value.copy())
    if isinstance(value, (list, dict, set, deque, bytearray)):
        return Items(where, value, _items(value))
    if isinstance(value, random.Random):
        return Generator(where, value, value.getstate(), value.getstate, value.setstate)
    if isinstance(value, np.random.Generator):
        return kept(where, value.bit_generator)
    if isinstance(value, np.random.RandomState):
        return Generator(where, value, value.get_state(), value.get_state, value.set_state)
    if isinstance(value, np.random.BitGenerator):
        return _bit_generator(where, value)
    if hasattr(type(value), "__next__"):
        return Position(where, value, _position(value))
    return None


def has_changed(kept: Kept) -> bool:
    """Whether something is no longer as it was; not, where that cannot be told."""
    with suppress(Exception):
        return kept.changed()
    return False


def is_restored(kept: Kept) -> bool:
    """Make something what it was; False where that cannot be done."""
    with suppress(Exception):
        return kept.restore()
    return False


def _bit_generator(where: str, value: Any) -> Generator:
    def write(state: Any) -> None:
        value.state = state

    return Generator(where, value, value.state, lambda: value.state, write)


def _chosen(
    owner: Any, only: frozenset[str] | None, but: frozenset[str]
) -> Iterable[tuple[str, Any]]:
    names = vars(owner) if isinstance(owner, type) else owner
    if only is not None:
        return [(name, names[name]) for name in only if name in names]
    return [(name, value) for name, value in names.items() if name not in but]


def _items(value: Any) -> list[Any]:
    return list(value.items()) if isinstance(value, dict) else list(value)


def _same(a: Any, b: Any) -> bool:
    pairs = isinstance(a, tuple) and isinstance(b, tuple) and len(a) == len(b)
    return a is b or (pairs and all(x is y for x, y in zip(a, b, strict=True)))


def _position(value: Any) -> Any:
    """What is known of how far something has come, without moving it on."""
    frame = getattr(value, "gi_frame", None)
    if frame is not None:
        return frame.f_lasti, _plain(tuple(sorted(frame.f_locals.items())))
    try:
        return value.tell() if hasattr(value, "tell") else _plain(value.__reduce__())
    except (AttributeError, NotImplementedError, OSError, TypeError, ValueError):
        return None  # it does not tell


def _plain(value: Any) -> Any:
    """The numbers and words in nested tuples; of anything else, which object it is."""
    if isinstance(value, tuple):
        return tuple(map(_plain, value))
    return value if isinstance(value, (bool, int, float, str)) else id(value)
