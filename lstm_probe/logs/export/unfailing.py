"""A file to which HDF5 can write although HDF5 ends the process when a write fails."""

from __future__ import annotations

import io
from typing import Any

__all__ = ["UnfailingFile"]


class UnfailingFile(io.FileIO):
    """A new file that hides failed writes from its writer; `check` raises the error later.

    HDF5 cannot close a file that it could not write to: it ends the process
    (https://github.com/h5py/h5py/issues/914). So this file reports every write as done. After the
    first one that failed, nothing more is written.

    Attributes:
        error: the error of the write that failed; None if all writes succeeded.

    Example:
        >>> with UnfailingFile("/dev/full") as file:
        ...     file.write(b"12345"), file.error.strerror
        (5, 'No space left on device')
    """

    def __init__(self, path: Any) -> None:
        super().__init__(path, "w+")
        self.error: OSError | None = None

    def write(self, data: Any) -> int:
        """Write all of the data, unless this or an earlier write fails; the size of the data."""
        rest = memoryview(data).cast("B")
        size = len(rest)
        try:
            while len(rest) and self.error is None:
                rest = rest[super().write(rest) :]
        except OSError as error:
            self.error = error
        return size

    def truncate(self, size: int | None = None) -> int:
        """Make the file longer or shorter, unless this or an earlier write fails."""
        try:
            return super().truncate(size) if self.error is None else size or 0
        except OSError as error:
            self.error = error
            return size or 0

    def check(self) -> None:
        """Raise the error of a write that failed, if there was one.

        Raises:
            OSError: the file is not whole.
        """
        if self.error is not None:
            raise self.error
