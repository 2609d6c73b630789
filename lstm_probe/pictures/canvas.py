"""`Canvas`: indexed pixels to write on."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final, Literal

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from lstm_probe.pictures.palette import Indices, grey_indices
from lstm_probe.pictures.text import shortened

__all__ = ["LABEL", "MARGIN", "NOTE", "TITLE", "Canvas", "TextStyle"]

#: The pixels between the text of a picture and its edge.
MARGIN: Final = 14
#: How many lines of text are kept: at most about 13 kB each.
_MAX_LINES: Final = 1024


@dataclass(frozen=True)
class TextStyle:
    """How text looks.

    Attributes:
        size: the height of the letters in pixels, as fonts count it.
        shade: 0 is black, 255 white.
    """

    size: int
    shade: int

    def width(self, text: str) -> float:
        """The width of a line of text in pixels."""
        return _width(self.size, text)

    def ink(self, text: str) -> Indices:
        """A line of text as palette indices, `(height, width)`; the height depends on the size."""
        return _ink(self, text)


# Drawing a line of text takes longer than encoding a picture, and the same lines come again and
# again.
@lru_cache(maxsize=_MAX_LINES)
def _width(size: int, text: str) -> float:
    return float(_font(size).getlength(text))


@lru_cache(maxsize=_MAX_LINES)
def _ink(style: TextStyle, text: str) -> Indices:
    width, height = max(1, math.ceil(style.width(text))), math.ceil(1.4 * style.size)
    image = Image.new("L", (width, height), 255)
    ImageDraw.Draw(image).text(
        (0, round(1.05 * style.size)), text, style.shade, _font(style.size), anchor="ls"
    )
    ink = grey_indices(np.asarray(image))
    ink.setflags(write=False)
    return ink


TITLE: Final = TextStyle(18, 25)
LABEL: Final = TextStyle(15, 40)
NOTE: Final = TextStyle(13, 90)


@lru_cache(maxsize=8)
def _font(size: int) -> ImageFont.FreeTypeFont:
    path = Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")
    return ImageFont.truetype(str(path), size, layout_engine=ImageFont.Layout.BASIC)


@dataclass(frozen=True, eq=False)
class Canvas:
    """Indexed pixels that are written to in place.

    Attributes:
        pixels: `(height, width)`, indices into the palette.
    """

    pixels: Indices

    def text(
        self,
        text: str,
        style: TextStyle,
        *,
        x: int,
        y: int,
        align: Literal["left", "centre", "right"] = "left",
        upwards: bool = False,
    ) -> None:
        """Write a line of text; what lies beyond the edge of the canvas is cut off.

        Args:
            text: one line.
            style: size and shade.
            x: the column of the line's start, centre or end, as `align` says.
            y: the middle of the line's height.
            align: which part of the line stands at `x`.
            upwards: whether the line is turned, to be read from bottom to top; `x` and `y` are
                then its centre.
        """
        ink = style.ink(text)
        if upwards:
            ink, align = np.rot90(ink), "centre"
        height, width = ink.shape
        shift = {"left": 0, "centre": width // 2, "right": width}[align]
        self.paste(ink, x=x - shift, y=y - height // 2)

    def title(
        self, words: Callable[[str, int | None], str], layer: str, step: int | None, *, y: int
    ) -> None:
        """Write a picture's title; the layer's name loses its beginning where there is no room.

        Args:
            words: makes the title from a layer's name and a step; it ends with the step, if there
                is one.
            layer: the layer's name.
            step: the training step.
            y: the middle of the line's height.
        """
        digits = "" if step is None else str(step)
        # There is room for every step of as many digits: the name stays the same from one to the
        # next. The digits are drawn one by one, so that the ink of all that is drawn is kept.
        longest = 10 ** len(digits) - 1 if digits else None
        room = self.pixels.shape[1] - 2 * MARGIN
        layer = shortened(layer, lambda name: TITLE.width(words(name, longest)) <= room)
        x = MARGIN
        for part in (words(layer, step).removesuffix(digits), *digits):
            self.text(part, TITLE, x=x, y=y)
            x += round(TITLE.width(part))

    def paste(self, indices: Indices, *, x: int, y: int) -> None:
        """Copy pixels onto the canvas, and leave out what lies beyond its edges.

        Args:
            indices: `(height, width)`, indices into the palette.
            x: the column of their left edge; it may be negative.
            y: the row of their upper edge; it may be negative.
        """
        indices = indices[max(0, -y) :, max(0, -x) :]
        target = self.pixels[max(0, y) :, max(0, x) :][: indices.shape[0], : indices.shape[1]]
        target[...] = indices[: target.shape[0], : target.shape[1]]

    def box(self, shade: int, *, x: int, y: int, width: int, height: int) -> None:
        """Fill a rectangle with a grey."""
        self.pixels[y : y + height, x : x + width] = grey_indices(np.array(shade, np.uint8))
