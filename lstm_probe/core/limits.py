"""What a file may ask for before anything of it is read into memory.

A file from elsewhere may be damaged, or made to do harm. Everything here looks at headers only.
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

__all__ = ["allow", "check_zip", "damaged", "npy_shape", "read_npy", "read_npz", "reading"]

#: Weights hardly compress: what unpacks to more than this many times the file is no weights.
_RATIO = 100
#: Files that unpack to less than this are harmless.
_SMALL = 2**28


def damaged(path: Path, what: str, reason: object) -> LstmProbeError:
    """The error for a file that is not what it seems to be.

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
    """Says that a file is damaged, when looking through it raises anything.

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
        path: the file.
        unpacked: how many bytes it says that it holds.

    Raises:
        LstmProbeError: that is far more than its size explains.
    """
    size = path.stat().st_size
    if unpacked > max(_SMALL, _RATIO * size):
        raise LstmProbeError(
            f"{path} is not read: it would fill the memory. Received: {size:,} bytes that unpack "
            f"to {unpacked:,}. Expected: at most {_RATIO} times its size, which weights never "
            "reach. Use a file whose origin you know."
        )


def check_zip(path: Path, what: str) -> list[str]:
    """The members of a zip archive, which is neither damaged nor a bomb.

    Raises:
        LstmProbeError: it is one of these.
    """
    with reading(path, what), zipfile.ZipFile(path) as archive:
        members = archive.infolist()
    allow(path, sum(member.file_size for member in members))
    return [member.filename for member in members]


def npy_shape(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """The shape and dtype that the header of an .npy stream gives.

    Raises:
        ValueError: it is none, or holds Python objects.
    """
    version = np.lib.format.read_magic(file)
    reader = np.lib.format.read_array_header_1_0
    shape, _, dtype = (reader if version == (1, 0) else np.lib.format.read_array_header_2_0)(file)
    if dtype.hasobject:
        raise ValueError("pickled Python objects, which may run code")
    return shape, dtype


def read_npy(path: Path) -> Array:
    """An array out of an .npy file, without pickles.

    Raises:
        LstmProbeError: it is damaged, or holds Python objects.
    """
    with reading(path, "an .npy file"), path.open("rb") as file:
        shape, dtype = npy_shape(file)
        _fits(shape, dtype, path.stat().st_size - file.tell())
        file.seek(0)
        array: Array = np.lib.format.read_array(file, allow_pickle=False)
    return array


def read_npz(path: Path) -> dict[str, Array]:
    """The arrays of an .npz file by name, without pickles.

    Raises:
        LstmProbeError: it is damaged, a bomb, or holds Python objects.
    """
    what = "an .npz file"
    check_zip(path, what)
    with reading(path, what), zipfile.ZipFile(path) as archive:
        return dict(_members(archive))


def _members(archive: zipfile.ZipFile) -> Iterator[tuple[str, Array]]:
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
    if min(shape, default=1) < 0 or math.prod(shape) * dtype.itemsize > bytes_left:
        raise ValueError(
            f"an array {shape} of {dtype}, of which only {max(bytes_left, 0):,} bytes are there"
        )
