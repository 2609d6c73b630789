"""Checks of a file before its content is read into memory.

A file from elsewhere may be damaged, or somebody may have made it to do harm. These checks read
headers only.
"""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np

from lstm_probe.core.arrays import Array
from lstm_probe.core.errors import LstmProbeError

__all__ = ["RATIO", "allow", "check_zip", "damaged", "npy_shape", "read_npy", "read_npz", "reading"]

#: Weights hardly compress. A file that unpacks to more than this many times its size is refused.
RATIO = 100
#: Files that unpack to fewer bytes than this are harmless.
_SMALL = 2**28


def damaged(path: Path, what: str, reason: object) -> LstmProbeError:
    """The error for a file that cannot be read as its name or its place promises.

    Args:
        path: The file.
        what: What the file should be, such as `an .npz file`.
        reason: What is wrong with it.

    Example:
        >>> print(damaged(Path("a.npz"), "an .npz file", "no zip file"))
        a.npz cannot be read as an .npz file. Received: no zip file. Expected: a whole file, as it \
was saved. Copy or save it again.
    """
    shown = " ".join(str(reason).split())[:300].rstrip(". ") or type(reason).__name__
    return LstmProbeError(
        f"{path} cannot be read as {what}. Received: {shown}. Expected: a whole file, as it was "
        "saved. Copy or save it again."
    )


@contextmanager
def reading(path: Path, what: str) -> Iterator[None]:
    """A context in which any error means that a file is damaged.

    Args:
        path: The file.
        what: What the file should be, such as `an .npz file`.

    Raises:
        LstmProbeError: Something raised an error. The errors of a missing file, of missing
            permissions and of a directory are raised as they are.

    Example:
        >>> with reading(Path("a.json"), "a configuration"):
        ...     raise ValueError("no JSON")
        Traceback (most recent call last):
            ...
        lstm_probe.core.errors.LstmProbeError: a.json cannot be read as a configuration. Received: \
no JSON. Expected: a whole file, as it was saved. Copy or save it again.
    """
    try:
        yield
    except (LstmProbeError, FileNotFoundError, PermissionError, IsADirectoryError):
        raise
    except Exception as error:  # json, zipfile, zlib, HDF5 and protobuf share no base class
        raise damaged(path, what, error) from error


def allow(path: Path, unpacked: int) -> None:
    """Refuse a file that would fill the memory.

    Args:
        path: The file.
        unpacked: The number of bytes that the file claims to contain.

    Raises:
        LstmProbeError: The number is far too large for the size of the file.
    """
    size = path.stat().st_size
    if unpacked > max(_SMALL, RATIO * size):
        raise LstmProbeError(
            f"{path} is not read: it would fill the memory. Received: {size:,} bytes that unpack "
            f"to {unpacked:,}. Expected: at most {RATIO} times its size, which weights never "
            "reach. Use a file whose origin you know."
        )


def check_zip(path: Path, what: str) -> list[str]:
    """The names of the members of a zip archive, after a check of their sizes.

    Args:
        path: The file.
        what: What the file should be, such as `an .npz file`.

    Raises:
        LstmProbeError: The archive is damaged, or it would fill the memory.
    """
    with reading(path, what), zipfile.ZipFile(path) as archive:
        members = archive.infolist()
    allow(path, sum(member.file_size for member in members))
    return [member.filename for member in members]


def npy_shape(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """The shape and dtype in the header of an .npy stream.

    Args:
        file: The stream, which is read up to the end of the header.

    Raises:
        ValueError: It is not such a stream, or it contains Python objects.
    """
    version = np.lib.format.read_magic(file)
    reader = np.lib.format.read_array_header_1_0
    shape, _, dtype = (reader if version == (1, 0) else np.lib.format.read_array_header_2_0)(file)
    if dtype.hasobject:
        raise ValueError("pickled Python objects, which may run code")
    return shape, dtype


def read_npy(path: Path) -> Array:
    """Read the array of an .npy file. No pickle is loaded.

    Args:
        path: The file.

    Raises:
        LstmProbeError: The file is damaged, or it contains Python objects.
    """
    with reading(path, "an .npy file"), path.open("rb") as file:
        shape, dtype = npy_shape(file)
        _fits(shape, dtype, path.stat().st_size - file.tell())
        file.seek(0)
        array: Array = np.lib.format.read_array(file, allow_pickle=False)
    return array


def read_npz(path: Path) -> dict[str, Array]:
    """Read the arrays of an .npz file by name. No pickle is loaded.

    Args:
        path: The file.

    Raises:
        LstmProbeError: The file is damaged, it would fill the memory, or it contains Python
            objects.
    """
    what = "an .npz file"
    check_zip(path, what)
    with reading(path, what), zipfile.ZipFile(path) as archive:
        return dict(_members(archive))


def _members(archive: zipfile.ZipFile) -> Iterator[tuple[str, Array]]:
    """The arrays of an archive with their names. A header is checked before its array is read."""
    for member in archive.infolist():
        if not member.filename.endswith(".npy"):
            continue
        with archive.open(member) as file:
            shape, dtype = npy_shape(file)
            _fits(shape, dtype, member.file_size - file.tell())
        with archive.open(member) as file:
            name = member.filename.removesuffix(".npy")
            yield name, np.lib.format.read_array(file, allow_pickle=False)


def _fits(shape: tuple[int, ...], dtype: np.dtype[Any], bytes_left: int) -> None:
    """Raise a ValueError if an array is larger than the bytes that are there."""
    if min(shape, default=1) < 0 or math.prod(shape) * dtype.itemsize > bytes_left:
        raise ValueError(
            f"an array {shape} of {dtype}, of which only {max(bytes_left, 0):,} bytes are there"
        )
