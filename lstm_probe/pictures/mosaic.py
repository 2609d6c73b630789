"""`paint_mosaic`: all gates of one sequence in a single small picture."""

from __future__ import annotations

from typing import Final

import numpy as np

from lstm_probe.core.arrays import BoolArray
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.core.trace import GateTrace, title
from lstm_probe.pictures.canvas import NOTE, Canvas
from lstm_probe.pictures.frame import draw_words
from lstm_probe.pictures.heatmap import colour_cells
from lstm_probe.pictures.layout import Axis, Layout
from lstm_probe.pictures.palette import PAPER, Indices
from lstm_probe.pictures.png import Png, encode
from lstm_probe.pictures.scale import Scale
from lstm_probe.pictures.ticks import drawn_labels

__all__ = ["paint_mosaic"]

_TILE: Final = (230, 110)
_COLUMNS: Final = 3
_GAP: Final = 10
_CAPTION: Final = 20


def paint_mosaic(trace: GateTrace, *, sequence: int = 0) -> Png:
    """Paint every array of a trace as a small heatmap, three in a row.

    The colour scales are those of the large heatmaps.

    Args:
        trace: arrays of `(batch, time, units)`.
        sequence: which sequence of the batch.

    Raises:
        LstmProbeError: the trace has no such sequence, no timesteps or no units.

    Example:
        >>> gates = {letter: np.zeros((1, 28, 16)) for letter in "ifgoch"}
        >>> paint_mosaic(GateTrace(gates, dict.fromkeys(gates)))
        Png(width=692, height=274)
    """
    shape = trace[trace.letters[0]].shape
    if 0 in shape or not 0 <= sequence < shape[0]:
        raise LstmProbeError(
            f"There is nothing to paint. Received: sequence {sequence} of arrays (batch, time, "
            f"units) of shape {shape}. Expected: a sequence of the batch, and no zero."
        )
    mask = None if trace.mask is None else np.asarray(trace.mask[sequence], np.bool_)
    tiles = [_tile(trace, letter, sequence, mask) for letter in trace.letters]
    columns = min(_COLUMNS, len(tiles))
    rows = -(-len(tiles) // columns)
    width = max(tile.shape[1] for tile in tiles)
    height = max(tile.shape[0] for tile in tiles) + _CAPTION
    words = _words(trace, sequence)
    below = _GAP + round(7.5 * max(map(len, words))) if words else 0
    canvas = Canvas(
        np.full(
            (rows * (height + _GAP) - _GAP + below, columns * (width + _GAP) - _GAP),
            PAPER,
            np.uint8,
        )
    )
    for place, (letter, tile) in enumerate(zip(trace.letters, tiles, strict=True)):
        x, y = place % columns * (width + _GAP), place // columns * (height + _GAP)
        canvas.text(title(letter), NOTE, x=x, y=y + _CAPTION // 2)
        canvas.paste(tile, x=x, y=y + _CAPTION)
        if words and place + columns >= len(tiles):  # the lowest of its column
            cell = tile.shape[1] // len(words)
            draw_words(canvas, words, x=x, y=y + _CAPTION + tile.shape[0], cell=cell)
    return encode(canvas.pixels)


def _words(trace: GateTrace, sequence: int) -> tuple[str, ...] | None:
    """The names of the timesteps below the lowest pictures; None if each column has several."""
    if trace.labels is None or trace.timesteps > _TILE[0]:
        return None
    return drawn_labels(trace.labels[sequence])


def _tile(trace: GateTrace, letter: str, sequence: int, mask: BoolArray | None) -> Indices:
    values = trace[letter][sequence]
    timesteps, units = values.shape
    layout = Layout(
        Axis.fitted("timestep", timesteps, target=_TILE[0]),
        Axis.fitted("unit", units, target=_TILE[1]),
    )
    positions = Scale(trace.ranges.get(letter)).positions(values)
    return colour_cells(layout, positions, mask)
