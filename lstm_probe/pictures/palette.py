"""The 256 colours of a picture, by index.

| indices | colours |
| --- | --- |
| 0..200 | the colour map `RdBu`, red for low and blue for high, white in the middle |
| 201 | NaN and infinity |
| 202 | finite values outside of the interval |
| 203, 204 | the hatch over masked steps |
| 205..255 | greys from black to white: paper, lines and text |
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt
from matplotlib import colormaps
from matplotlib.colors import Colormap

from lstm_probe.core.arrays import Array

__all__ = [
    "HATCH",
    "NOT_FINITE_INDEX",
    "OUTSIDE_INDEX",
    "PAPER",
    "TOP_LEVEL",
    "Indices",
    "colour_map",
    "grey_indices",
    "hex_colour",
    "level_indices",
    "palette",
]

#: Indices into the palette, uint8.
Indices = npt.NDArray[np.uint8]

#: The index of the highest value; that of the lowest is 0.
TOP_LEVEL: Final = 200
NOT_FINITE_INDEX: Final = 201
OUTSIDE_INDEX: Final = 202
HATCH: Final = (203, 204)
_FIRST_GREY: Final = 205
#: The index of white.
PAPER: Final = 255

_MARKS: Final = ((64, 224, 32), (255, 200, 0), (150, 150, 150), (205, 205, 205))


@lru_cache(maxsize=1)
def palette() -> Indices:
    """The colours, `(256, 3)`, uint8: red, green, blue."""
    levels = colormaps["RdBu"](np.linspace(0, 1, TOP_LEVEL + 1), bytes=True)[:, :3]
    greys = np.linspace(0, 255, PAPER - _FIRST_GREY + 1).round()[:, None].repeat(3, axis=1)
    return np.concatenate([levels, np.array(_MARKS), greys]).astype(np.uint8)


def level_indices(positions: Array) -> Indices:
    """The colours of positions on the colour bar, as `Scale.positions` gives them.

    Args:
        positions: any shape; 0..1, `OUTSIDE`, or NaN.

    Returns:
        The same shape.

    Example:
        >>> level_indices(np.array([0.0, 0.5, 1.0, np.nan, np.inf])).tolist()
        [0, 100, 200, 201, 202]
    """
    levels, inside = positions * TOP_LEVEL + 0.5, positions <= 1
    if not inside.all():
        marks = np.where(np.isnan(positions), NOT_FINITE_INDEX, OUTSIDE_INDEX)
        levels = np.where(inside, levels, marks)
    return levels.astype(np.uint8)


def grey_indices(shades: Indices) -> Indices:
    """The nearest colours of greys.

    Args:
        shades: any shape; 0 is black and 255 white.

    Example:
        >>> grey_indices(np.array([0, 255], np.uint8)).tolist()
        [205, 255]
    """
    return _NEAREST_GREY[shades]


_NEAREST_GREY: Final = np.linspace(_FIRST_GREY, PAPER, 256).round().astype(np.uint8)


def hex_colour(index: int) -> str:
    """A colour of the palette as matplotlib writes it.

    Example:
        >>> hex_colour(PAPER)
        '#ffffff'
    """
    return "#" + bytes(palette()[index]).hex()


def colour_map() -> Colormap:
    """`RdBu` for matplotlib, with the same marks for what cannot be placed on the colour bar."""
    outside = hex_colour(OUTSIDE_INDEX)
    return colormaps["RdBu"].with_extremes(
        bad=hex_colour(NOT_FINITE_INDEX), under=outside, over=outside
    )
