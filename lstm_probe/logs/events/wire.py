"""What protobuf puts around a field, for parts of a message that were serialised before.

Source: https://protobuf.dev/programming-guides/encoding, "Length-Delimited Records".
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

__all__ = ["field", "field_number", "head"]

_LENGTH_DELIMITED = 2


def field(number: int, *parts: bytes) -> bytes:
    """A field of bytes, of a text, of packed numbers, or of a message.

    Args:
        number: the field's number.
        parts: what it holds, serialised.

    Example:
        >>> field(1, b"ab", b"c").hex(), field(15, bytes(300))[:3].hex()
        ('0a03616263', '7aac02')
    """
    return b"".join((head(number, sum(map(len, parts))), *parts))


@lru_cache(maxsize=4096)  # the same fields have the same sizes at every capture
def head(number: int, size: int) -> bytes:
    """What stands before the bytes of a field."""
    return _varint(number << 3 | _LENGTH_DELIMITED) + _varint(size)


def field_number(message: Any, name: str) -> int:
    """The number of a message's field.

    Example:
        >>> from tensorboard.compat.proto.summary_pb2 import Summary
        >>> field_number(Summary.Value, "tensor")
        8
    """
    return int(message.DESCRIPTOR.fields_by_name[name].number)


def _varint(value: int) -> bytes:
    """Seven bits a byte, the lowest first; the highest bit says that more follow."""
    if value < 0x80:
        return bytes((value,))
    parts = bytearray()
    while value >= 0x80:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    parts.append(value)
    return bytes(parts)
