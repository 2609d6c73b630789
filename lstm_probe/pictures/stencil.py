"""`Stencil`: the PNG of a frame, with the cells left open."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt
from isal import isal_zlib

from lstm_probe.pictures.deflate import CELL_BYTES, END, Integers, cell_pattern, compressed
from lstm_probe.pictures.layout import Layout
from lstm_probe.pictures.palette import Indices
from lstm_probe.pictures.png import COMPRESS_LEVEL, Png, filtered, png_of

__all__ = ["Stencil"]

_BASE: Final = 65521


class Stencil:
    """Makes pictures of one frame: the frame is compressed once, a picture only fills in the cells.

    A picture is three stretches of rows: above the cells, with the title, which is compressed for
    each picture; the rows of cells; and what lies below. In the second, each cell is a byte or two
    at a place that never changes.

    Args:
        layout: of the frame.
        frame: its pixels, `(height, width)`.

    Attributes:
        above: the rows of the picture that begin here have cells, or the line above them;
        below: up to here.

    Example:
        >>> layout = Layout.of(28, 128)
        >>> frame = np.full((layout.height, layout.width), 255, np.uint8)
        >>> stencil = Stencil(layout, frame)
        >>> stencil.picture(np.zeros((128, 28), np.uint8), title=frame[: stencil.above])
        Png(width=580, height=370)
    """

    def __init__(self, layout: Layout, frame: Indices) -> None:
        self._layout = layout
        self.above, self.below = layout.top - 1, layout.top + layout.units.pixels
        rows = _with_filters(frame[self.above : self.below], layout)
        self._size = rows.size
        literals, rest = cell_pattern(layout.time.cell)
        cells = (bytes(literals) + rest) * layout.time.drawn
        segments = compressed(*_outside_of_cells(rows, layout))
        self._stream = np.frombuffer(cells.join(segments) + END, np.uint8)
        lengths = [len(segment) for segment in segments[:-1]]
        # Where each row of cells begins, and where each of its cells is.
        self._starts = np.cumsum(lengths) + len(cells) * np.arange(len(lengths))
        self._places = np.add.outer(self._starts, np.arange(0, len(cells), literals + len(rest)))
        self._literals, self._side_by_side = literals, not rest
        self._checksum = isal_zlib.adler32(_without_cells(rows, layout))
        self._down, self._across = _shares(layout, self._size)
        self._bottom = _Part(frame[self.below :], last=True)

    def picture(self, levels: Indices, *, title: Indices, bottom: Indices | None = None) -> Png:
        """A picture with these cells.

        Args:
            levels: the palette index of each cell, `(rows, columns)`; at most 204.
            title: the pixels of the rows above, `(above, width)`.
            bottom: those of the rows below, if they are not the frame's.
        """
        head = _Part(title)
        tail = self._bottom if bottom is None else _Part(bottom, last=True)
        stream = self._filled(CELL_BYTES[levels])
        checksum = _joined(head.checksum, self._checksum_of(levels), self._size)
        checksum = _joined(checksum, tail.checksum, tail.size)
        image = (b"\x78\x01", head.data, stream.data, tail.data, checksum.to_bytes(4, "big"))
        return png_of(self._layout.width, self._layout.height, b"".join(image))

    def _filled(self, codes: Indices) -> Indices:
        stream = self._stream.copy()
        if not self._side_by_side:
            stream[self._places] = codes
            return stream
        codes = codes.repeat(self._literals, axis=1)
        for start, row in zip(self._starts.tolist(), codes, strict=True):
            stream[start : start + len(row)] = row
        return stream

    def _checksum_of(self, levels: Indices) -> int:
        """Adler-32 of the rows with these cells in them (RFC 1950, 9).

        A byte counts once in the one sum, and as many times as there are bytes from it to the end
        in the other; only a cell's uppermost pixels are bytes other than zero.
        """
        sums = self._down @ levels.astype(np.float64) @ self._across  # whole numbers below 2**53
        (all_cells, by_column), (by_row, _) = sums.astype(np.int64).tolist()
        high, low = divmod(self._checksum, 1 << 16)
        return (high + by_row - by_column) % _BASE << 16 | (low + all_cells) % _BASE


class _Part:
    """Rows that are compressed by themselves, up to a whole byte.

    Attributes:
        data: the compressed bytes.
        size: how many they were before.
        checksum: their Adler-32.
    """

    def __init__(self, pixels: Indices, *, last: bool = False) -> None:
        rows = filtered(pixels)
        compressor = isal_zlib.compressobj(COMPRESS_LEVEL, isal_zlib.DEFLATED, -15)
        flush = isal_zlib.Z_FINISH if last else isal_zlib.Z_SYNC_FLUSH
        self.data = compressor.compress(rows) + compressor.flush(flush)
        self.size = rows.size
        self.checksum = isal_zlib.adler32(rows)


def _joined(first: int, second: int, size: int) -> int:
    """Adler-32 of two stretches of bytes, the second of this size, one after the other."""
    (high, low), (more_high, more_low) = divmod(first, 1 << 16), divmod(second, 1 << 16)
    high = (high + more_high + size * (low - 1)) % _BASE
    return high << 16 | (low + more_low - 1) % _BASE


def _shares(layout: Layout, size: int) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """What the uppermost pixels of cells add to the two sums of Adler-32: by what the rows of
    cells are to be multiplied, and the columns.

    Of `size` bytes, a pixel at `p` counts `size - p` times in the second sum.

    Returns:
        `(2, rows)` and `(columns, 2)`: the product of the first, the cells and the second holds
        the sum of all pixels and, of the second sum, what is to be taken off for their columns;
        and below the first what they would add if all were in the first column.
    """
    width, rows, columns = layout.time.cell, layout.units.drawn, layout.time.drawn
    above = (layout.width + 1) * (1 + layout.units.cell * np.arange(rows))
    to_end = size - above - 1 - layout.left
    from_left = width * np.arange(columns) * width + width * (width - 1) // 2
    down = np.stack([np.ones(rows), to_end])
    return down, np.stack([np.full(columns, width), from_left], axis=1).astype(np.float64)


def _with_filters(pixels: Indices, layout: Layout) -> Indices:
    """The rows as they are compressed: the uppermost of each cell as it is, others as differences
    from the row above."""
    rows = filtered(pixels)
    whole = np.append(0, np.arange(1, len(rows), layout.units.cell))
    rows[whole, 0] = 0
    rows[whole, 1:] = pixels[whole]
    return rows


def _cells(rows: npt.NDArray[Any], layout: Layout) -> npt.NDArray[Any]:
    """The uppermost pixels of all cells, to be written to."""
    left = 1 + layout.left
    return rows[1 :: layout.units.cell, left : left + layout.time.pixels]


def _without_cells(rows: Indices, layout: Layout) -> Indices:
    rows = rows.copy()
    _cells(rows, layout)[...] = 0
    return rows


def _outside_of_cells(rows: Indices, layout: Layout) -> tuple[Indices, Integers]:
    """All bytes but those of cells, and where each stretch of them begins."""
    outside = np.ones(rows.shape, np.bool_)
    _cells(outside, layout)[...] = False
    flat = outside.ravel()
    begins = np.flatnonzero(flat & ~np.append(False, flat[:-1]))
    return rows.ravel()[flat], np.cumsum(flat)[begins] - 1
