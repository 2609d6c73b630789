"""`Frame`: what the pictures of one shape have in common, drawn once.

It is drawn with Pillow and not with a matplotlib figure. So it takes 1 to 2 ms, has the same
pixels whatever style the user has set in `rcParams`, and shares no state with what the user plots
on another thread.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from lstm_probe.core.trace import Interval, title
from lstm_probe.pictures.canvas import LABEL, MARGIN, Canvas, TextStyle
from lstm_probe.pictures.layout import Layout
from lstm_probe.pictures.palette import PAPER, TOP_LEVEL, Indices
from lstm_probe.pictures.scale import Scale
from lstm_probe.pictures.ticks import drawn_labels, every

__all__ = ["Frame", "draw_frame", "draw_words"]

_WORD: Final = TextStyle(12, 40)
_LINE: Final = 60
_TICK: Final = 4


@dataclass(frozen=True, eq=False)
class Frame:
    """A picture without its data.

    Attributes:
        layout: where things lie.
        scale: which value has which colour.
        pixels: `(height, width)`, indices into the palette; they are read-only.
    """

    layout: Layout
    scale: Scale
    pixels: Indices


def draw_frame(
    shape: tuple[int, int],
    interval: Interval,
    letter: str,
    labels: tuple[str, ...] | None = None,
) -> Frame:
    """Draw axes and colour bar, with ticks and labels.

    Args:
        shape: `(time, units)` of the arrays.
        interval: the interval of their values.
        letter: the letter of the array, for the colour bar's label.
        labels: a name for each timestep; the timesteps are numbered without, and where one column
            is the mean of several.

    Raises:
        LstmProbeError: the interval is not one.
    """
    layout, scale, words = Layout.of(*shape), Scale(interval), None
    if labels is not None and layout.time.block == 1:
        words = drawn_labels(labels)
        # One line of them has its place already, where numbers would stand.
        room = round(max(map(_WORD.width, words), default=0)) - _WORD.size
        layout = Layout.of(*shape, room=max(0, room))
    canvas = Canvas(np.full((layout.height, layout.width), PAPER, np.uint8))
    _draw_axes(canvas, layout, words)
    _draw_colour_bar(canvas, layout, scale, label=title(letter) + scale.note)
    canvas.pixels.setflags(write=False)
    return Frame(layout, scale, canvas.pixels)


def _draw_axes(canvas: Canvas, layout: Layout, words: tuple[str, ...] | None) -> None:
    left, top, bottom = layout.left, layout.top, layout.top + layout.units.pixels
    middle_x, middle_y = left + layout.time.pixels // 2, top + layout.units.pixels // 2
    _outline(canvas, x=left, y=top, width=layout.time.pixels, height=layout.units.pixels)
    if words is None:
        for index, x in layout.time.ticks(spacing=60).items():
            canvas.box(_LINE, x=left + x, y=bottom + 1, width=1, height=_TICK)
            canvas.text(str(index), LABEL, x=left + x, y=bottom + 16, align="centre")
    else:
        draw_words(canvas, words, x=left, y=bottom + 1, cell=layout.time.cell)
    for index, y in layout.units.ticks(spacing=32).items():
        canvas.box(_LINE, x=left - 1 - _TICK, y=top + y, width=_TICK, height=1)
        canvas.text(str(index), LABEL, x=left - 9, y=top + y, align="right")
    below = bottom + 38 + layout.room
    canvas.text(layout.time.label, LABEL, x=middle_x, y=below, align="centre")
    canvas.text(layout.units.label, LABEL, x=16, y=middle_y, upwards=True)


def draw_words(canvas: Canvas, words: tuple[str, ...], *, x: int, y: int, cell: int) -> None:
    """Write the names of timesteps upright below a heatmap, as many as there is room for.

    Args:
        canvas: what is written to.
        words: a name for each column; nothing is written where it is empty.
        x: the left edge of the heatmap.
        y: the row below it.
        cell: the width of a column.
    """
    for index in range(0, len(words), every(cell, _WORD.size + 1)):
        if words[index]:
            middle = x + (2 * index + 1) * cell // 2
            canvas.box(_LINE, x=middle, y=y, width=1, height=_TICK)
            width = _WORD.ink(words[index]).shape[1]
            start = y + _TICK + 3
            canvas.text(words[index], _WORD, x=middle, y=start + width // 2, upwards=True)


def _draw_colour_bar(canvas: Canvas, layout: Layout, scale: Scale, *, label: str) -> None:
    x, top, height = layout.bar_left, layout.top, layout.units.pixels
    _outline(canvas, x=x, y=top, width=layout.bar, height=height)
    levels = np.linspace(TOP_LEVEL, 0, height).round().astype(np.uint8)
    canvas.paste(levels[:, None].repeat(layout.bar, axis=1), x=x, y=top)
    places = scale.positions(np.array(scale.ticks))
    for text, place in zip(scale.tick_labels, places.tolist(), strict=True):
        y = top + round((1 - place) * (height - 1))
        canvas.box(_LINE, x=x + layout.bar + 1, y=y, width=_TICK, height=1)
        canvas.text(text, LABEL, x=x + layout.bar + 9, y=y)
    canvas.text(label, LABEL, x=layout.width - MARGIN, y=top + height // 2, upwards=True)


def _outline(canvas: Canvas, *, x: int, y: int, width: int, height: int) -> None:
    canvas.box(_LINE, x=x - 1, y=y - 1, width=width + 2, height=height + 2)
