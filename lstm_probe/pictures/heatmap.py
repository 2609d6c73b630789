"""`HeatmapPainter`: a gate's values over time as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import numpy as np

from lstm_probe.core.arrays import Array, BoolArray
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.core.trace import Interval
from lstm_probe.pictures.canvas import MARGIN, NOTE, Canvas
from lstm_probe.pictures.frame import draw_frame
from lstm_probe.pictures.layout import Layout
from lstm_probe.pictures.palette import HATCH, Indices, level_indices
from lstm_probe.pictures.png import Png, encode
from lstm_probe.pictures.text import heading, notes

__all__ = ["HeatmapPainter", "colour_cells"]

#: How many frames a painter keeps: those of six letters and ten shapes, about 200 kB each.
_MAX_FRAMES: Final = 60
_HATCH_WIDTH: Final = 4


class HeatmapPainter:
    """Paints heatmaps, units over timesteps, as PNG.

    The frame (axes, colour bar and labels) is drawn once for each shape, interval, letter and names
    of timesteps, and is kept. A painter makes no matplotlib figure and reads and writes nothing
    global, and several threads may use it at the same time.

    Example:
        >>> painter = HeatmapPainter()
        >>> gate = np.random.default_rng(0).uniform(size=(28, 128))
        >>> painter.paint(gate, interval=(0.0, 1.0), letter="f", layer="lstm", step=300)
        Png(width=580, height=370)
    """

    def __init__(self) -> None:
        self._frame = lru_cache(maxsize=_MAX_FRAMES)(draw_frame)

    def paint(
        self,
        array: Array,
        *,
        interval: Interval,
        letter: str,
        layer: str = "",
        step: int | None = None,
        mask: BoolArray | None = None,
        labels: Sequence[str] | None = None,
    ) -> Png:
        """Paint one array.

        Row 0 of the picture is unit 0. NaN and infinity, and values outside of the interval, have
        colours of their own and are counted below the picture. An array that is too large for the
        picture is averaged over blocks, and the axes say so.

        Args:
            array: `(time, units)`, any real dtype, neither zero.
            interval: the closed interval of the values; None if they are not bounded.
            letter: the array's letter, such as `f`.
            layer: the layer's name; it is shortened if it is too long.
            step: the training step.
            mask: `(time,)`, False where the step was skipped: hatched; None if all steps count.
            labels: a name for each timestep, empty where it has none; numbers stand there without.

        Raises:
            LstmProbeError: a size is zero, or the interval, the mask or the labels do not fit.
        """
        if mask is not None:
            mask = np.asarray(mask, np.bool_)
        _check(array, mask, labels)
        words = None if labels is None else tuple(labels)
        frame = self._frame(array.shape, interval, letter, words)
        layout, positions = frame.layout, frame.scale.positions(array)
        canvas = Canvas(frame.pixels.copy())
        canvas.paste(colour_cells(layout, positions, mask), x=layout.left, y=layout.top)
        canvas.title(lambda name, at: heading(name, letter, at), layer, step, y=layout.top // 2)
        if caption := notes(positions, mask, frame.scale):
            canvas.text(caption, NOTE, x=MARGIN, y=layout.height - 12)
        return encode(canvas.pixels)


def _check(array: Array, mask: BoolArray | None, labels: Sequence[str] | None) -> None:
    if array.ndim != 2 or 0 in array.shape:
        raise LstmProbeError(
            f"There is nothing to paint. Received: an array of shape {array.shape}. "
            "Expected: (time, units), neither zero."
        )
    if mask is not None and mask.shape != array.shape[:1]:
        raise LstmProbeError(
            f"The mask does not fit. Received: shape {mask.shape}. "
            f"Expected: {array.shape[:1]}, one truth value for each timestep."
        )
    if labels is not None and len(labels) != len(array):
        raise LstmProbeError(
            f"The labels do not fit. Received: {len(labels)}. Expected: {len(array)}, one for each "
            "timestep."
        )


def colour_cells(layout: Layout, positions: Array, mask: BoolArray | None) -> Indices:
    """The cells of a heatmap as pixels, units downwards and timesteps to the right.

    Args:
        layout: how many pixels a cell has, and what is averaged.
        positions: `(time, units)`, as `Scale.positions` gives them.
        mask: `(time,)`, False where the step was skipped: hatched.

    Returns:
        `(layout.units.pixels, layout.time.pixels)`, indices into the palette.
    """
    means, shown = layout.reduced(positions, mask)
    cells = level_indices(means.T)
    pixels = cells.repeat(layout.time.cell, axis=1).repeat(layout.units.cell, axis=0)
    if not shown.all():
        columns = np.flatnonzero(~shown.repeat(layout.time.cell))
        diagonals = np.arange(len(pixels))[:, None] + columns
        pixels[:, columns] = np.array(HATCH, np.uint8)[diagonals // _HATCH_WIDTH % 2]
    return pixels
