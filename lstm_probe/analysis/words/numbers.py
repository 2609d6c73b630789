"""Numbers and lists of units as sentences show them."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite

__all__ = ["counted", "short", "units_named"]


def short(value: float) -> str:
    """A number with two or three digits.

    Example:
        >>> short(0.12345), short(1234.5), short(0.0), short(float("inf")), short(2.0)
        ('0.12', '1234', '0', 'infinity', '2')
    """
    if not isfinite(value):
        return "no number" if value != value else "infinity" if value > 0 else "-infinity"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.2g}"


def counted(count: int, word: str) -> str:
    """A count with its noun.

    Example:
        >>> counted(1, "unit"), counted(3, "unit")
        ('1 unit', '3 units')
    """
    return f"{count} {word}{'s' * (count != 1)}"


def units_named(units: Sequence[int], word: str = "unit") -> str:
    """Some units by their numbers.

    Example:
        >>> units_named([3]), units_named([3, 5]), units_named([1, 2, 3], "filter")
        ('unit 3', 'units 3 and 5', 'filters 1, 2 and 3')
    """
    numbers = [str(each) for each in units]
    if len(numbers) < 2:
        return f"{word} {''.join(numbers)}"
    return f"{word}s {', '.join(numbers[:-1])} and {numbers[-1]}"
