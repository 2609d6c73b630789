"""Finding what a user's own layers and functions hold in Python, beside the variables of Keras."""

from __future__ import annotations

import sys
import sysconfig
import types
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Final, TypeAlias

from lstm_probe.core.errors import LstmProbeError
from lstm_probe.models.purity.kept import Kept, Names, has_changed, is_restored, kept

__all__ = ["Keeper", "Walk", "is_own_class", "put_back"]

#: What a framework knows how to keep, such as its tensors; None for other values.
Keeper: TypeAlias = Callable[[str, Any], Kept | None]

#: How many objects lie between a layer and what is kept, at most.
_DEPTH: Final = 4
#: So much is copied in all; what is larger is data rather than state.
_MAX_BYTES: Final = 256 * 2**20
#: More elements of a list are not looked into.
_LENGTH: Final = 1000
#: The packages whose classes and functions are known to change nothing that matters.
_STOCK: Final = frozenset(
    {
        *("abc", "builtins", "collections", "functools", "logging", "threading", "typing"),
        *("jax", "jaxlib", "keras", "numpy", "tensorflow", "tf_keras", "torch", "lstm_probe"),
    }
)
_LIBRARY: Final = sysconfig.get_path("stdlib")
_PLAIN: Final = (bool, int, float, complex, str, bytes, type(None), type, types.ModuleType)
_FUNCTIONS: Final = (types.FunctionType, types.MethodType, partial)


class Walk:
    """Keeps what is found on the way from the objects that it is given.

    Args:
        keepers: what else can be kept, beside the objects of Python and NumPy.
        internal: names of attributes that the framework itself sets on layers.

    Attributes:
        kept: what was found.
    """

    def __init__(
        self, keepers: Sequence[Keeper] = (), internal: frozenset[str] = frozenset()
    ) -> None:
        self._keepers = keepers
        self._internal = internal
        self._room = _MAX_BYTES
        self._seen: dict[int, Any] = {}  # held on to, so that no other object takes on an id
        self.kept: list[Kept] = []

    def layer(self, layer: Any) -> None:
        """Look into a layer of Keras: all of one of the user's own, else the functions it holds."""
        if not self._is_new(layer):
            return
        where = f"layer {getattr(layer, 'name', type(layer).__name__)!r}"
        if is_own_class(type(layer)):
            self._namespace(where, vars(layer), but=self._internal)
            self._class(where, type(layer))
            return
        for name, value in vars(layer).items():
            if isinstance(value, _FUNCTIONS):
                self.value(f"{name!r} of {where}", value)

    def module(self, where: str, module: Any, *, but: frozenset[str]) -> None:
        """Look into an object of the user's that is no layer of Keras, but works like one.

        Args:
            where: how a user finds it.
            module: the object.
            but: names of attributes that the framework itself sets.
        """
        if self._is_new(module):
            self._namespace(where, vars(module), but=but)
            self._class(where, type(module))

    def value(self, where: str, value: Any, depth: int = 0) -> None:
        """Look into any value."""
        if hasattr(type(value), "_flatten_layers"):
            self.layer(value)
            return
        if isinstance(value, _PLAIN) or depth > _DEPTH or not self._is_new(value):
            return
        size = getattr(value, "nbytes", 0)
        if not isinstance(size, int) or size > self._room:
            return
        self._room -= size
        found = self._found(where, value)
        if found is not None:
            self.kept.append(found)
        if isinstance(value, _FUNCTIONS):
            self._function(where, value, depth)
        elif isinstance(value, (list, tuple, dict, set, deque)):
            for each in _elements(value):
                self.value(where, each, depth + 1)
        elif found is None and _is_users(type(value).__module__) and hasattr(value, "__dict__"):
            self._namespace(where, vars(value), depth=depth)

    def names(self, where: str, owner: Any, only: Iterable[str]) -> None:
        """Look at some names of a namespace or class, and into what they stand for."""
        names = Names.of(where, owner, only=only)
        self._add(names, 1)

    def _found(self, where: str, value: Any) -> Kept | None:
        for keeper in (*self._keepers, kept):
            with suppress(Exception):  # a value that cannot be copied refuses no model
                found = keeper(where, value)
                if found is not None:
                    return found
        return None

    def _namespace(
        self, where: str, names: dict[str, Any], depth: int = 0, but: frozenset[str] = frozenset()
    ) -> None:
        self._add(Names.of(where, names, but=but), depth)

    def _add(self, names: Names, depth: int) -> None:
        self.kept.append(names)
        for name, value in names.before.items():
            self.value(f"{name!r} of {names.where}", value, depth + 1)

    def _class(self, where: str, kind: type) -> None:
        """The class attributes of a layer, and what its methods refer to."""
        for each in kind.__mro__:
            if not is_own_class(each) or not self._is_new(each):
                continue
            data = [n for n, v in vars(each).items() if _is_data(n, v)]
            self.names(f"class {each.__name__}", each, data)
            for name, value in list(vars(each).items()):
                value = getattr(value, "__func__", value)  # of static and class methods
                if isinstance(value, types.FunctionType):
                    self.value(f"{name}() of {where}", value)

    def _function(self, where: str, function: Any, depth: int) -> None:
        """What a function refers to: its closure, global names, and what it is bound to."""
        if isinstance(function, partial):
            parts = (function.func, *function.args, *function.keywords.values())
            for each in parts:
                self.value(where, each, depth + 1)
            return
        if isinstance(function, types.MethodType):
            self.value(where, function.__self__, depth + 1)
            function = function.__func__
        if not isinstance(function, types.FunctionType) or not _is_users(function.__module__):
            return
        for cell, name in zip(
            function.__closure__ or (), function.__code__.co_freevars, strict=True
        ):
            self._cell(f"{name!r} of {where}", cell, depth)
        for each in (*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()):
            self.value(where, each, depth + 1)
        self._globals(where, function, depth)

    def _cell(self, where: str, cell: Any, depth: int) -> None:
        contents = _Contents(cell)
        self.kept.append(Names.of(where, contents, only=("cell_contents",)))
        for value in contents.values():
            self.value(where, value, depth + 1)

    def _globals(self, where: str, function: types.FunctionType, depth: int) -> None:
        names, known = set(_names_in(function.__code__)), function.__globals__
        data = [n for n in names if n in known and not isinstance(known[n], types.ModuleType)]
        for name in data:
            value = known[name]
            if isinstance(value, type):
                if is_own_class(value) and self._is_new(value):
                    members = [n for n, v in vars(value).items() if _is_data(n, v)]
                    self.names(f"class {name}", value, members)
            else:
                self.kept.append(Names.of(f"global {name!r}", known, only=(name,)))
                self.value(f"global {name!r}", value, depth + 1)

    def _is_new(self, value: Any) -> bool:
        is_new = id(value) not in self._seen
        self._seen[id(value)] = value
        return is_new


@contextmanager
def put_back(where: str, *objects: Any) -> Iterator[None]:
    """Put back what the context changes in objects of the user's.

    Args:
        where: how a user finds them.
        objects: what is looked into.

    Raises:
        LstmProbeError: something was changed that cannot be put back.
    """
    walk = Walk()
    for each in objects:
        walk.module(where, each, but=frozenset())
    try:
        yield
    finally:
        stuck = [each.where for each in walk.kept if has_changed(each) and not is_restored(each)]
    if stuck:
        raise LstmProbeError(
            f"Reading {where} would change the training. Received: {type(objects[0]).__name__}, "
            f"which moves {stuck[0]} on. Expected: an array that you take yourself, such as "
            "x_train[:1]."
        )


class _Contents(dict[str, Any]):
    """The contents of a closure's cell, as a namespace."""

    def __init__(self, cell: Any) -> None:
        super().__init__()
        self._cell = cell

    def __contains__(self, name: object) -> bool:
        try:
            self._cell.cell_contents  # noqa: B018  (an empty cell raises)
        except ValueError:
            return False
        return name == "cell_contents"

    def __getitem__(self, name: str) -> Any:
        return self._cell.cell_contents

    def __setitem__(self, name: str, value: Any) -> None:
        self._cell.cell_contents = value

    def __delitem__(self, name: str) -> None:
        del self._cell.cell_contents

    def values(self) -> Any:
        return [self["cell_contents"]] if "cell_contents" in self else []


def is_own_class(kind: type) -> bool:
    """Whether a class is neither Python's nor a framework's."""
    return not _is_stock(kind.__module__)


@lru_cache(maxsize=4096)
def _is_users(module: str | None) -> bool:
    """Whether a module is the user's, and not of Python's library or of an installed package.

    Threads of a package's own may change its objects at any time: they are not looked into.
    """
    file = getattr(sys.modules.get(module or ""), "__file__", None) or ""
    is_installed = any(part in Path(file).parts for part in ("site-packages", "dist-packages"))
    is_library = bool(file) and Path(file).is_relative_to(_LIBRARY)
    return not (_is_stock(module) or is_installed or is_library)


def _is_stock(module: str | None) -> bool:
    return (module or "").partition(".")[0] in _STOCK


def _is_data(name: str, value: Any) -> bool:
    is_special = name.startswith("__") and name.endswith("__")
    return not is_special and not callable(value) and not hasattr(type(value), "__get__")


def _elements(value: Any) -> Iterator[Any]:
    elements = value.values() if isinstance(value, dict) else value
    for index, each in enumerate(list(elements)):
        if index == _LENGTH:
            return
        yield each


def _names_in(code: types.CodeType) -> Iterator[str]:
    """The global names that a function's code, or a function inside it, may mean."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _names_in(constant)
