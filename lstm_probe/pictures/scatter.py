"""The saturation scatter of Karpathy, Johnson & Fei-Fei 2015: is a gate shut, open, or at work?"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Final

import numpy as np

from lstm_probe.core.arrays import Array
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.core.trace import title
from lstm_probe.pictures.canvas import LABEL, MARGIN, Canvas
from lstm_probe.pictures.palette import PAPER, TOP_LEVEL, Indices, grey_indices
from lstm_probe.pictures.png import Png, encode

__all__ = ["paint_saturation"]

_SIDE: Final = 240
_LEFT: Final = 62
_TOP: Final = 66
_GAP: Final = 26
_BOTTOM: Final = 56
_LINE: Final = 60
_GRID: Final = 225
_DOT: Final = 7
_TICKS: Final = {"0": 0.0, "0.5": 0.5, "1": 1.0}


def paint_saturation(
    gates: Mapping[str, tuple[Array, Array]], *, layer: str = "", step: int | None = None
) -> Png:
    """Paint one square for each gate and one dot for each unit.

    A dot lies further to the right the more of the steps its gate is nearly shut (below 0.1), and
    further up the more of them it is nearly open (above 0.9). On the diagonal a gate is always
    one or the other. A darker dot stands for more units in the same place.

    Args:
        gates: by letter, the fractions `(units,)` of steps at which it is shut and open; 0..1, or
            NaN, which is left out.
        layer: the layer's name; it is shortened if it is too long.
        step: the training step.

    Raises:
        LstmProbeError: there is no gate to paint.

    Example:
        >>> paint_saturation({"f": (np.zeros(3), np.ones(3)), "o": (np.zeros(3), np.zeros(3))})
        Png(width=608, height=362)
    """
    if not gates:
        raise LstmProbeError(
            "There is nothing to paint. Received: no gate. Expected: at least one."
        )
    canvas = Canvas(_frame(tuple(gates)).copy())
    canvas.title(_heading, layer, step, y=20)
    for index, (low, high) in enumerate(gates.values()):
        canvas.paste(_dots(low, high), x=_LEFT + index * (_SIDE + _GAP), y=_TOP)
    return encode(canvas.pixels)


def _heading(layer: str, step: int | None) -> str:
    words = (layer, "saturation", "" if step is None else f"step {step}")
    return " \N{MIDDLE DOT} ".join(filter(None, words))


@lru_cache(maxsize=8)
def _frame(letters: tuple[str, ...]) -> Indices:
    """What the pictures of the same gates have in common; not to be written to."""
    width = _LEFT + len(letters) * (_SIDE + _GAP) + MARGIN
    canvas = Canvas(np.full((_TOP + _SIDE + _BOTTOM, width), PAPER, np.uint8))
    canvas.text(
        "nearly open (> 0.9), part of steps", LABEL, x=MARGIN, y=_TOP + _SIDE // 2, upwards=True
    )
    for index, letter in enumerate(letters):
        _square(canvas, _LEFT + index * (_SIDE + _GAP), letter, with_labels=index == 0)
    middle = _LEFT + (len(letters) * (_SIDE + _GAP) - _GAP) // 2
    label_y = _TOP + _SIDE + 40
    canvas.text("nearly shut (< 0.1), part of steps", LABEL, x=middle, y=label_y, align="centre")
    canvas.pixels.setflags(write=False)
    return canvas.pixels


def _square(canvas: Canvas, left: int, letter: str, *, with_labels: bool) -> None:
    canvas.text(title(letter), LABEL, x=left + _SIDE // 2, y=_TOP - 14, align="centre")
    canvas.box(_LINE, x=left - 1, y=_TOP - 1, width=_SIDE + 2, height=_SIDE + 2)
    for text, place in _TICKS.items():
        canvas.text(
            text, LABEL, x=left + round(place * (_SIDE - 1)), y=_TOP + _SIDE + 16, align="centre"
        )
        if with_labels:
            y = _TOP + round((1 - place) * (_SIDE - 1))
            canvas.text(text, LABEL, x=left - 8, y=y, align="right")


def _dots(low: Array, high: Array) -> Indices:
    """`(side, side)`, palette indices: the darker, the more units."""
    known = np.isfinite(low) & np.isfinite(high)
    reach = _SIDE - _DOT
    columns = np.rint(low[known] * reach).astype(np.intp)
    rows = np.rint((1 - high[known]) * reach).astype(np.intp)
    corners, counts = np.unique(rows * _SIDE + columns, return_counts=True)
    order = counts.argsort()  # the darkest come last, and are on top
    # The blue end of the colour map, from light for one unit to dark for half of them.
    share = np.sqrt(counts[order] / max(1, len(rows) // 2))
    colours = (TOP_LEVEL * (0.7 + 0.3 * np.minimum(share, 1))).round().astype(np.uint8)
    pixels = np.full(_SIDE * _SIDE, PAPER, np.uint8)
    pixels[:: _SIDE + 1] = grey_indices(np.array(_GRID, np.uint8))  # the diagonal
    square = np.add.outer(np.arange(_DOT) * _SIDE, np.arange(_DOT)).ravel()
    pixels[np.add.outer(corners[order], square)] = colours[:, None]
    return pixels.reshape(_SIDE, _SIDE)
