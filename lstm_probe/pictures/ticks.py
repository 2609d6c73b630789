"""The labels of timesteps as pictures write them: short, on one line, and not too many."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Final

import matplotlib
from matplotlib.ft2font import FT2Font

__all__ = ["LONGEST_LABEL", "drawn_labels", "drawn_name", "every"]

#: So many characters of a label are written, as in the gate explorer.
LONGEST_LABEL: Final = 12
_ELLIPSIS = "\N{HORIZONTAL ELLIPSIS}"


def drawn_labels(labels: Sequence[str]) -> tuple[str, ...]:
    """Labels on one line each, shortened.

    A label with characters that matplotlib's font lacks becomes the number of its timestep.

    Args:
        labels: a name for each timestep; empty where it has none.

    Example:
        >>> drawn_labels(["good", "cinematography", "", "\\N{CJK UNIFIED IDEOGRAPH-6771}"])
        ('good', 'cinematogra…', '', '3')
    """
    return tuple(_drawn(label, number) for number, label in enumerate(labels))


def every(cell: float, room: float) -> int:
    """Each which timestep is named, so that neighbours do not overlap.

    Args:
        cell: the width of a timestep.
        room: the width that a label needs.

    Example:
        >>> every(6, 14)
        3
    """
    return max(1, -int(-room // cell))


def drawn_name(name: str) -> str | None:
    """A name on one line; None if matplotlib's font lacks one of its characters."""
    line = " ".join(name.split())
    return line if all(map(_has_glyph, line)) else None


def _drawn(label: str, number: int) -> str:
    line = drawn_name(label)
    if line is None:
        return str(number)
    return line if len(line) <= LONGEST_LABEL else line[: LONGEST_LABEL - 1] + _ELLIPSIS


@lru_cache(maxsize=1024)
def _has_glyph(character: str) -> bool:
    return character.isprintable() and _font().get_char_index(ord(character)) != 0


@lru_cache(maxsize=1)
def _font() -> FT2Font:
    return FT2Font(str(Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")))
