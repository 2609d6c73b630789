"""The words of pictures and figures: headings, notes, and names that fit into a width."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable

import numpy as np

from lstm_probe.core.arrays import Array, BoolArray
from lstm_probe.core.trace import title
from lstm_probe.pictures.scale import OUTSIDE, Scale

__all__ = ["heading", "notes", "shortened"]

_SEPARATOR = "  \N{MIDDLE DOT}  "
_ELLIPSIS = "\N{HORIZONTAL ELLIPSIS}"


def heading(layer: str, letter: str = "", step: int | None = None) -> str:
    """The title line; what is empty or None is left out.

    Example:
        >>> heading("lstm", "f", 300)
        'lstm  ·  forget gate f  ·  step 300'
        >>> heading("", "f")
        'forget gate f'
    """
    words = (" ".join(layer.split()), title(letter), "" if step is None else f"step {step}")
    return _SEPARATOR.join(word for word in words if word)


def shortened(layer: str, fits: Callable[[str], bool]) -> str:
    """The longest end of a layer's name that fits, after an ellipsis if something was left out.

    Args:
        layer: the name, such as `encoder/bidirectional/forward_lstm`.
        fits: whether there is room for a name; it must not become True again for longer ones.

    Example:
        >>> shortened("encoder/forward_lstm", lambda name: len(name) <= 13)
        '…forward_lstm'
    """
    if fits(layer):
        return layer
    ends = [_ELLIPSIS + layer[start:] for start in range(len(layer), 0, -1)]
    fitting = bisect_right(ends, False, key=lambda end: not fits(end))  # the shortest come first
    return ends[max(0, fitting - 1)]


def notes(positions: Array, mask: BoolArray | None, scale: Scale) -> str:
    """The line below a picture that says what is marked in it; empty if nothing is.

    Args:
        positions: `(time, units)`, as `scale.positions` gives them.
        mask: `(time,)`, False where the step was skipped; None if all steps count.
        scale: the scale of the picture.

    Example:
        >>> scale = Scale((0.0, 1.0))
        >>> notes(scale.positions(np.array([[0.5], [np.nan], [9.0]])), None, scale)
        '1 NaN/inf cell marked green, 1 value outside 0 to 1 marked yellow'
    """
    if mask is None and positions.max(initial=0.0) <= 1:  # false as well if there is a NaN
        return ""
    shown = positions if mask is None else positions[mask]
    low, *_, high = scale.tick_labels
    masked = np.zeros(0) if mask is None else ~mask
    words = (
        _counted(np.isnan(shown), "NaN/inf cell", "marked green"),
        _counted(shown == OUTSIDE, "value", f"outside {low} to {high} marked yellow"),
        _counted(masked, "masked step", "hatched"),
    )
    return ", ".join(filter(None, words))


def _counted(marks: Array, noun: str, rest: str) -> str:
    count = int(np.count_nonzero(marks))
    return f"{count} {noun}{'s' * (count > 1)} {rest}" if count else ""
