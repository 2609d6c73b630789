"""The global random states of Python and NumPy, and what a pass through a model does to them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["RandomStates", "restored"]


@dataclass(frozen=True)
class RandomStates:
    """The states of `random` and of `np.random` at one moment."""

    python: Any
    numpy: Any

    @classmethod
    def now(cls) -> RandomStates:
        """As they are."""
        return cls(random.getstate(), np.random.get_state())  # noqa: NPY002 - the global one

    def restore(self) -> None:
        """Make them what they were."""
        random.setstate(self.python)
        np.random.set_state(self.numpy)  # noqa: NPY002

    @contextmanager
    def without_calls(self, once: RandomStates | None = None) -> Iterator[None]:
        """Put back what the layers of a model draw when they are called, but not what building it
        drew.

        The pass that builds a model draws its initial values, as the training would without the
        probe; its layers may draw as well, as they will once more in the training's first pass.
        The context is such a pass, of the built model: it shows what the layers alone draw.
        The states here are those from before the pass that built the model.

        Args:
            once: the states after that pass, if more passes have followed it.
        """
        built = RandomStates.now()
        once = built if once is None else once
        self.restore()
        try:
            yield
        finally:
            called = RandomStates.now()
            python = self.python if called.python == once.python else built.python
            numpy = self.numpy if _same(called.numpy, once.numpy) else built.numpy
            RandomStates(python, numpy).restore()


@contextmanager
def restored() -> Iterator[None]:
    """After the context the states are what they were before it.

    Example:
        >>> random.seed(3)
        >>> with restored():
        ...     first = random.random()
        >>> first == random.random()
        True
    """
    before = RandomStates.now()
    try:
        yield
    finally:
        before.restore()


def _same(a: Any, b: Any) -> bool:
    return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))
