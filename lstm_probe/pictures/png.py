"""`Png`: a picture as it goes into a file.

An indexed PNG is a few chunks around one compressed block, written here because the compressor of
ISA-L takes a fifth of the time of the one behind Pillow, which is most of what a picture costs.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

import numpy as np
from isal import isal_zlib

from lstm_probe.pictures.canvas import Canvas
from lstm_probe.pictures.palette import Indices, palette

__all__ = ["COMPRESS_LEVEL", "Png", "Sheet", "encode", "filtered", "png_of"]

# The compressor's only levels are 0 to 3; 2 and 3 take longer and save little here.
COMPRESS_LEVEL: Final = 1
_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class Png:
    """An encoded picture.

    Attributes:
        width: in pixels, at least 1.
        height: in pixels, at least 1.
        data: the bytes of a PNG file.
    """

    width: int
    height: int
    data: bytes = field(repr=False)


class Sheet:
    """Pixels to draw a picture on and encode it, again and again.

    Args:
        height: in pixels, at least 1.
        width: in pixels, at least 1.

    Example:
        >>> import numpy as np
        >>> sheet = Sheet(2, 3)
        >>> canvas = sheet.begin(np.zeros((2, 3), np.uint8))
        >>> sheet.encode()
        Png(width=3, height=2)
    """

    def __init__(self, height: int, width: int) -> None:
        self._pixels = np.empty((height, width), np.uint8)
        self._rows = np.empty((height, width + 1), np.uint8)

    def begin(self, background: Indices) -> Canvas:
        """A canvas with this background, in place of the picture before."""
        np.copyto(self._pixels, background)
        return Canvas(self._pixels)

    def encode(self) -> Png:
        """The picture as an indexed PNG."""
        height, width = self._pixels.shape
        rows = filtered(self._pixels, self._rows)
        return png_of(width, height, isal_zlib.compress(rows, COMPRESS_LEVEL))


def encode(pixels: Indices) -> Png:
    """Encode indices into the palette as an indexed PNG.

    Args:
        pixels: `(height, width)`, uint8, neither zero.

    Example:
        >>> import numpy as np
        >>> encode(np.zeros((2, 3), np.uint8))
        Png(width=3, height=2)
    """
    sheet = Sheet(*pixels.shape)
    sheet.begin(pixels)
    return sheet.encode()


def filtered(pixels: Indices, rows: Indices | None = None) -> Indices:
    """Pixels as they are compressed, as differences from the row above: zero wherever a cell is
    several pixels high.

    Args:
        pixels: `(height, width)`.
        rows: is written to, if given.

    Returns:
        `(height, width + 1)`; each row begins with the number of its filter.
    """
    if rows is None:
        rows = np.empty((len(pixels), pixels.shape[1] + 1), np.uint8)
    rows[0, 0], rows[1:, 0] = 0, 2
    rows[0, 1:] = pixels[0]
    np.subtract(pixels[1:], pixels[:-1], out=rows[1:, 1:])
    return rows


def png_of(width: int, height: int, image: bytes) -> Png:
    """A file of these pixels.

    Args:
        width: in pixels.
        height: in pixels.
        image: what `filtered` gives, compressed.
    """
    chunks = (_beginning(width, height), _chunk(b"IDAT", image), _END)
    return Png(width, height, b"".join(chunks))


@lru_cache(maxsize=64)
def _beginning(width: int, height: int) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)  # 8 bits, indexed
    return _SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"PLTE", palette().tobytes())


def _chunk(kind: bytes, data: bytes = b"") -> bytes:
    """A chunk of a PNG file (W3C, PNG specification, 5.3)."""
    checksum = isal_zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)


_END: Final = _chunk(b"IEND")
