"""The checksum of TensorFlow's files: event files, and the checkpoints of variables.

It is a CRC32C, rotated and shifted by a constant. A file that holds CRCs may itself be part of
data that a CRC is taken of, and the plain CRC of data that end with their own CRC is always the
same.

Source: tensorflow/core/lib/hash/crc32c.h, `Mask`.
"""

from __future__ import annotations

from typing import Final

import google_crc32c

__all__ = ["masked_crc32c"]

_DELTA: Final = 0xA282EAD8


def masked_crc32c(data: bytes) -> int:
    """The masked CRC32C of some bytes, a whole number below `2**32`.

    Example:
        >>> hex(masked_crc32c(b"123456789"))
        '0xc78ab0e5'
    """
    crc = google_crc32c.value(data)
    return ((crc >> 15 | crc << 17) + _DELTA) & 0xFFFFFFFF
