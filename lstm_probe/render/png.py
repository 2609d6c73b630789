"""`Png`: a picture as it goes into a file."""

from __future__ import annotations

from dataclasses import dataclass, field
from io import BytesIO
from typing import Final

from PIL import Image

from lstm_probe.render.palette import Indices, palette

__all__ = ["Png", "encode"]

# Levels 2 and 3 take as long and save at most a tenth.
_COMPRESS_LEVEL: Final = 1


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
        >>> import numpy as np
        >>> encode(np.zeros((2, 3), np.uint8))
        Png(width=3, height=2)
    """
    height, width = pixels.shape
    image = Image.frombuffer("P", (width, height), pixels.tobytes(), "raw", "P", 0, 1)
    image.putpalette(palette().tobytes())
    file = BytesIO()
    image.save(file, "PNG", compress_level=_COMPRESS_LEVEL)
    return Png(width, height, file.getvalue())
