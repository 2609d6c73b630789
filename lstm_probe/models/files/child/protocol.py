"""How the two processes speak: frames of JSON and of arrays, of which nothing is executed.

A frame is the mark, the lengths of both parts, a JSON object, and the bytes of the arrays, each of
which begins at a multiple of 16. The object's own `arrays` says the dtypes and shapes.
"""

from __future__ import annotations

import json
import math
import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import IO, Any

import numpy as np

from lstm_probe.core.arrays import Array

__all__ = ["Frame", "ProtocolError", "read_frame", "write_frame"]

_HEADER = struct.Struct("<4sQQ")
_MARK = b"lpc1"
#: Bytes of JSON; the longest are names and refusals.
_LARGEST_TEXT = 2**24
_DTYPE = re.compile(r"[<|][biufSU]\d{1,9}|bfloat16")
_ALIGNED = 16
_CHUNK = 2**20


class ProtocolError(Exception):
    """What came is no frame."""


@dataclass(frozen=True)
class Frame:
    """A question or an answer.

    Attributes:
        said: names and numbers, as JSON holds them.
        arrays: what `said` refers to by its place here.
    """

    said: dict[str, Any]
    arrays: Sequence[Array] = field(default=())


def write_frame(stream: IO[bytes], frame: Frame) -> None:
    """Write a frame in full."""
    arrays = [_as_sent(each) for each in frame.arrays]
    described = [[_name(each.dtype), list(each.shape)] for each in arrays]
    text = json.dumps({**frame.said, "arrays": described}).encode()
    size = sum(_padded(each.nbytes) for each in arrays)
    stream.write(_HEADER.pack(_MARK, len(text), size) + text)
    for each in arrays:
        stream.write(each.reshape(-1).view(np.uint8).data if each.size else b"")
        stream.write(bytes(_padded(each.nbytes) - each.nbytes))
    stream.flush()


def read_frame(stream: IO[bytes], *, largest: int) -> Frame | None:
    """Read a frame.

    Args:
        stream: from the other process.
        largest: how many bytes its arrays may have.

    Returns:
        The frame; None where the stream ends.

    Raises:
        ProtocolError: it is none, or is larger.
    """
    start = stream.read(_HEADER.size)
    if not start:
        return None
    if len(start) < _HEADER.size:
        raise ProtocolError("a frame that ends too early")
    mark, length, size = _HEADER.unpack(start)
    if mark != _MARK or length > _LARGEST_TEXT or size > largest:
        raise ProtocolError(f"no frame, or one of {length:,} and {size:,} bytes")
    try:
        said = json.loads(_exactly(stream, length))
        described = said.pop("arrays")
        body = _exactly(stream, size)
        return Frame(said, _arrays(described, body))
    except (LookupError, ArithmeticError, ValueError, TypeError, AttributeError) as error:
        raise ProtocolError(f"a frame that says something else: {error}") from error
    except RecursionError as error:
        raise ProtocolError("a frame whose parts lie too deep") from error


def _arrays(described: Any, body: bytearray) -> list[Array]:
    arrays, start = [], 0
    for name, shape in described:
        if not (isinstance(name, str) and _DTYPE.fullmatch(name)):
            raise ValueError(f"a dtype {name!r:.40}")
        if not all(type(each) is int and each >= 0 for each in shape) or len(shape) > 32:
            raise ValueError(f"a shape {shape!r:.80}")
        dtype = _dtype(name)
        count = math.prod(shape)
        if start + count * dtype.itemsize > len(body):
            raise ValueError(f"an array of shape {shape!r:.80}, whose bytes are not there")
        array: Array = np.frombuffer(body, dtype, count, start) if count else np.empty(0, dtype)
        arrays.append(array.reshape(shape))
        start += _padded(count * dtype.itemsize)
    if start != len(body):
        raise ValueError("bytes that belong to no array")
    return arrays


def _exactly(stream: IO[bytes], size: int) -> bytearray:
    """So many bytes; memory is taken as they come, and not as they are announced."""
    data = bytearray()
    while len(data) < size:
        part = stream.read(min(_CHUNK, size - len(data)))
        if not part:
            raise ProtocolError("a frame that ends too early")
        data += part
    return data


def _padded(size: int) -> int:
    return -(-size // _ALIGNED) * _ALIGNED


def _as_sent(array: Array) -> Array:
    """Without gaps, and with the lowest byte first."""
    dtype = array.dtype if array.dtype.name == "bfloat16" else array.dtype.newbyteorder("<")
    sent: Array = np.ascontiguousarray(array, dtype).reshape(array.shape)
    return sent


def _name(dtype: np.dtype[Any]) -> str:
    return "bfloat16" if dtype.name == "bfloat16" else dtype.str


def _dtype(name: str) -> np.dtype[Any]:
    if name == "bfloat16":
        import ml_dtypes  # type: ignore[import-not-found,import-untyped,unused-ignore]

        return np.dtype(ml_dtypes.bfloat16)
    return np.dtype(name)
