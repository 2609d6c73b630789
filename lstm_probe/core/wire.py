"""Protobuf's wire format, for messages whose classes only TensorFlow ships.

Source: https://protobuf.dev/programming-guides/encoding/.
"""

from __future__ import annotations

from typing import Any

__all__ = ["fields_of", "varint"]


def fields_of(message: bytes) -> dict[int, list[Any]]:
    """The fields of a protobuf message by number; nested messages and strings as bytes.

    Raises:
        IndexError, KeyError, ValueError: it is none.

    Example:
        >>> fields_of(b"\\x08\\x96\\x01\\x12\\x02hi")
        {1: [150], 2: [b'hi']}
    """
    fields: dict[int, list[Any]] = {}
    position = 0
    while position < len(message):
        tag, position = varint(message, position)
        kind = tag & 7
        if kind == 0:
            value: Any
            value, position = varint(message, position)
        else:
            if kind == 2:
                length, position = varint(message, position)
            else:
                length = {1: 8, 5: 4}[kind]
            data = message[position : position + length]
            position += length
            value = data if kind == 2 else int.from_bytes(data, "little")
        fields.setdefault(tag >> 3, []).append(value)
    return fields


def varint(data: bytes, position: int) -> tuple[int, int]:
    """A number of variable length, and the position behind it.

    Example:
        >>> varint(b"\\x96\\x01", 0)
        (150, 2)
    """
    value = shift = 0
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
        if shift > 63:
            raise ValueError("a number that is too long")
