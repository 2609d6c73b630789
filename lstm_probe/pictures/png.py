"""`Png`: a picture as it goes into a file.

An indexed PNG is a few chunks around one compressed block. It is written here because Pillow's
encoder takes five times as long, and encoding is most of the time that a picture takes.

Source: https://www.w3.org/TR/png-3/.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from isal import isal_zlib

from lstm_probe.pictures.palette import Indices, palette

__all__ = ["Png", "encode"]

# The compressor's levels are 0 to 3; 2 and 3 take longer and save little here.
_COMPRESS_LEVEL: Final = 1
_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_BITS: Final = 8
#: The colour type of pixels that are indices into a palette.
_INDEXED: Final = 3
#: The filters of rows: a row is stored as it is, or as the differences from the row above.
_FILTER_NONE: Final = 0
_FILTER_UP: Final = 2


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


def encode(pixels: Indices) -> Png:
    """Encode indices into the palette as an indexed PNG.

    Args:
        pixels: `(height, width)`, uint8, neither zero.

    Example:
        >>> encode(np.zeros((2, 3), np.uint8))
        Png(width=3, height=2)
    """
    height, width = pixels.shape
    header = struct.pack(">IIBBBBB", width, height, _BITS, _INDEXED, 0, 0, 0)
    chunks = (
        _SIGNATURE,
        _chunk(b"IHDR", header),
        _chunk(b"PLTE", palette().tobytes()),
        _chunk(b"IDAT", isal_zlib.compress(_filtered(pixels), _COMPRESS_LEVEL)),
        _chunk(b"IEND", b""),
    )
    return Png(width, height, b"".join(chunks))


def _filtered(pixels: Indices) -> Indices:
    """The rows as they are compressed: below the first, the differences from the row above, which
    are zero wherever a cell is several pixels high.

    Returns:
        `(height, width + 1)`; each row begins with the number of its filter.
    """
    height, width = pixels.shape
    rows = np.empty((height, width + 1), np.uint8)
    rows[0, 0], rows[1:, 0] = _FILTER_NONE, _FILTER_UP
    rows[0, 1:] = pixels[0]
    rows[1:, 1:] = pixels[1:] - pixels[:-1]  # modulo 256, as the filter is defined
    return rows


def _chunk(kind: bytes, data: bytes) -> bytes:
    """A chunk of a PNG file: its length, its kind, its data, and their checksum."""
    checksum = isal_zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)
