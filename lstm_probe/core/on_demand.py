"""`OnDemand`: a value that is computed when it is first needed, and then kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

__all__ = ["OnDemand"]

T = TypeVar("T")


class OnDemand(Generic[T]):
    """Called, it gives the value; until it is called, nothing is computed.

    Args:
        compute: computes the value; it is called once.

    Attributes:
        known: the value if it has been computed already, else None.

    Example:
        >>> value = OnDemand(lambda: 3)
        >>> value.known, value(), value.known
        (None, 3, 3)
    """

    def __init__(self, compute: Callable[[], T]) -> None:
        self._compute = compute
        self.known: T | None = None

    def __call__(self) -> T:
        if self.known is None:
            self.known = self._compute()
        return self.known
