"""`HeatmapPainter`: a gate's values over time as a picture, in about a millisecond."""

from __future__ import annotations

from functools import lru_cache
from threading import get_ident
from typing import Final

import numpy as np

from lstm_probe.core.arrays import Array, BoolArray
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.core.trace import Interval
from lstm_probe.pictures.canvas import NOTE, TITLE, Canvas
from lstm_probe.pictures.frame import Frame, draw_frame
from lstm_probe.pictures.layout import Layout
from lstm_probe.pictures.palette import HATCH, TOP_LEVEL, Indices, level_indices
from lstm_probe.pictures.png import Png, Sheet
from lstm_probe.pictures.text import heading, notes, shortened

__all__ = ["HeatmapPainter", "colour_cells"]

#: Frames that a painter keeps: six letters of ten shapes, about 300 kB each.
_MAX_FRAMES: Final = 60
_MAX_SHEETS: Final = 8
_MARGIN: Final = 14
_HATCH_WIDTH: Final = 4


class HeatmapPainter:
    """Paints heatmaps, units over timesteps, as PNG.

    Axes, colour bar and labels are drawn once for each shape, interval and letter and kept. No
    figure is made, nothing global is read or written, and one painter may work on any thread.

    Example:
        >>> painter = HeatmapPainter()
        >>> gate = np.random.default_rng(0).uniform(size=(28, 128))
        >>> painter.paint(gate, interval=(0.0, 1.0), letter="f", layer="lstm", step=300)
        Png(width=580, height=370)
    """

    def __init__(self) -> None:
        self._frame = lru_cache(maxsize=_MAX_FRAMES)(draw_frame)
        self._worded = lru_cache(maxsize=_MAX_FRAMES)(_worded)
        # For pictures with masked steps, written over by each of a size: fresh memory would cost
        # more than what goes there.
        self._sheets = lru_cache(maxsize=_MAX_SHEETS)(lambda thread, *size: Sheet(*size))

    def paint(
        self,
        array: Array,
        *,
        interval: Interval,
        letter: str,
        layer: str = "",
        step: int | None = None,
        mask: BoolArray | None = None,
    ) -> Png:
        """Paint one array.

        Row 0 of the picture is unit 0. NaN and infinity, and values outside of the interval, have
        colours of their own and are counted below the picture. What has no room is averaged over
        blocks, and the axes say so.

        Args:
            array: `(time, units)`, any real dtype, neither zero.
            interval: the closed interval of the values; None if they are not bounded.
            letter: the array's letter, such as `f`.
            layer: the layer's name; it is shortened if it is too long.
            step: the training step.
            mask: `(time,)`, False where the step was skipped: hatched; None if all steps count.

        Raises:
            LstmProbeError: a zero size, or the interval or the mask does not fit.
        """
        if mask is not None:
            mask = np.asarray(mask, np.bool_)
        _check(array, mask)
        frame = self._frame(array.shape, interval, letter)
        head = self._titled(frame, letter, layer, step)
        if mask is None and frame.layout.time.block == frame.layout.units.block == 1:
            levels = frame.scale.levels(array, TOP_LEVEL)
            if levels is not None:
                return frame.stencil.picture(levels.T, title=head)
        positions = frame.scale.positions(array)
        foot = _captioned(frame, notes(positions, mask, frame.scale))
        means, shown = frame.layout.reduced(positions, mask)
        if shown.all():
            return frame.stencil.picture(level_indices(means.T), title=head, bottom=foot)
        sheet = self._sheets(get_ident(), *frame.pixels.shape)
        canvas = sheet.begin(frame.pixels)
        cells = colour_cells(frame.layout, positions, mask)
        canvas.paste(cells, x=frame.layout.left, y=frame.layout.top)
        canvas.paste(head, x=0, y=0)
        if foot is not None:
            canvas.paste(foot, x=0, y=frame.stencil.below)
        return sheet.encode()

    def _titled(self, frame: Frame, letter: str, layer: str, step: int | None) -> Indices:
        """The rows above the cells, with the title: its words serve for all steps."""
        digits = "" if step is None else str(step)
        words = _words(frame.layout.width - 2 * _MARGIN, letter, layer, len(digits))
        worded, x = self._worded(frame, words)
        canvas = Canvas(worded.copy())
        canvas.parts(digits, TITLE, x=x, y=frame.layout.top // 2)
        return canvas.pixels


@lru_cache(maxsize=256)
def _words(room: float, letter: str, layer: str, digits: int) -> str:
    """The title but for the digits of the step, shortened so that there is room for any of them."""
    longest = 10**digits - 1 if digits else None
    layer = shortened(layer, lambda name: TITLE.width(heading(name, letter, longest)) <= room)
    return heading(layer, letter, longest).removesuffix("9" * digits)


def _worded(frame: Frame, words: str) -> tuple[Indices, int]:
    """The rows above the cells with these words, and where the next would begin."""
    canvas = Canvas(frame.pixels[: frame.stencil.above].copy())
    end = canvas.parts((words,), TITLE, x=_MARGIN, y=frame.layout.top // 2)
    canvas.pixels.setflags(write=False)
    return canvas.pixels, end


def _captioned(frame: Frame, caption: str) -> Indices | None:
    """The rows below the cells; None if there is nothing to be said."""
    if not caption:
        return None
    canvas = Canvas(frame.pixels[frame.stencil.below :].copy())
    canvas.text(caption, NOTE, x=_MARGIN, y=len(canvas.pixels) - 12)
    return canvas.pixels


def _check(array: Array, mask: BoolArray | None) -> None:
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


def colour_cells(layout: Layout, positions: Array, mask: BoolArray | None) -> Indices:
    """The cells of a heatmap as pixels, units downwards and timesteps to the right.

    Args:
        layout: how many pixels a cell has, and what is averaged.
        positions: `(time, units)`, as `Scale.positions` gives them.
        mask: `(time,)`, False where the step was skipped: hatched.
    """
    means, shown = layout.reduced(positions, mask)
    cells = level_indices(means.T)
    pixels = cells.repeat(layout.time.cell, axis=1).repeat(layout.units.cell, axis=0)
    if not shown.all():
        columns = np.flatnonzero(~shown.repeat(layout.time.cell))
        diagonals = np.arange(len(pixels))[:, None] + columns
        pixels[:, columns] = np.array(HATCH, np.uint8)[diagonals // _HATCH_WIDTH % 2]
    return pixels
