"""The checksum that TensorFlow's files share: event files, and the tables of checkpoints.

Source: tensorflow/core/lib/hash/crc32c.h, `Mask`: the CRC of data that holds CRCs itself is a weak
one, so that a stored CRC is rotated and a constant is added.
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
        '0xc78cab3b'
    """
    crc = google_crc32c.value(data)
    return ((crc >> 15 | crc << 17) + _DELTA) & 0xFFFFFFFF
