"""Reads Protobuf's wire format. Only TensorFlow has the classes of some messages.

Source: https://protobuf.dev/programming-guides/encoding/.
"""

from __future__ import annotations

from typing import Any

__all__ = ["fields_of", "varint"]


def fields_of(message: bytes) -> dict[int, list[Any]]:
    """Parse a protobuf message.

    Args:
        message: The bytes of the message.

    Returns:
        The values of each field, by its number. Strings and nested messages are bytes.

    Raises:
        IndexError, KeyError, ValueError: The bytes are not a message.

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
    """Parse a number of variable length.

    Args:
        data: Bytes that contain the number.
        position: Where it begins.

    Returns:
        The number, and the position after it.

    Raises:
        IndexError, ValueError: The bytes end too early, or the number is longer than 64 bits.

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
