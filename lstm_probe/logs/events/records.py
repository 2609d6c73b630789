"""The framing of TensorBoard's event files: TFRecord.

A record is `length (8 bytes), checksum of the length (4), data, checksum of the data (4)`, little
endian; the checksums are masked CRC32C.

Source: tensorflow/core/lib/io/record_writer.cc.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from lstm_probe.core.checksum import masked_crc32c

__all__ = ["frame", "read_records", "record_spans", "records_backwards"]

_HEADER = struct.Struct("<QI")
_FOOTER = struct.Struct("<I")


def frame(data: bytes) -> bytes:
    """The data with their length and checksums around them.

    Example:
        >>> len(frame(b"abc"))
        19
    """
    length = struct.pack("<Q", len(data))
    return b"".join((length, _checksum(length), data, _checksum(data)))


def record_spans(file: BinaryIO, position: int = 0) -> Iterator[tuple[int, int]]:
    """The offset and length of the data of every whole record, without reading the data.

    A torn tail, such as a killed process leaves, ends the iteration.

    Args:
        file: opened for reading.
        position: where a record begins.
    """
    size = file.seek(0, 2)
    while position + _HEADER.size <= size:
        file.seek(position)
        (length, checksum) = _HEADER.unpack(file.read(_HEADER.size))
        start = position + _HEADER.size
        position = start + length + _FOOTER.size
        if position > size or _FOOTER.pack(checksum) != _checksum(struct.pack("<Q", length)):
            return
        yield start, length


def read_records(path: Path, position: int = 0) -> Iterator[tuple[int, bytes, int]]:
    """Every whole record from a position on: where it begins, its data, and where it ends.

    The first that is torn, or whose checksum does not fit, ends the iteration.
    """
    with path.open("rb") as file:
        for start, length in record_spans(file, position):
            file.seek(start)
            data, checksum = file.read(length), file.read(_FOOTER.size)
            if checksum != _checksum(data):
                return
            yield start - _HEADER.size, data, start + length + _FOOTER.size


def records_backwards(path: Path) -> Iterator[bytes]:
    """The data of a file's whole records, the last one first."""
    with path.open("rb") as file:
        for start, length in reversed(list(record_spans(file))):
            file.seek(start)
            yield file.read(length)


def _checksum(data: bytes) -> bytes:
    return _FOOTER.pack(masked_crc32c(data))
