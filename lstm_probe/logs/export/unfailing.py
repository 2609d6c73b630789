"""A file for HDF5, which brings the process down when a write fails."""

from __future__ import annotations

import io
from typing import Any

__all__ = ["UnfailingFile"]


class UnfailingFile(io.FileIO):
    """A new file whose writes fail without a word; `check` says so.

    HDF5 cannot close a file that it could not write to, and ends the process
    (https://github.com/h5py/h5py/issues/914). So it is not told: from the first write that failed
    on, nothing more is written.

    Attributes:
        error: what the system said; None while all is well.

    Example:
        >>> with UnfailingFile("/dev/full") as file:
        ...     file.write(b"12345"), file.error.strerror
        (5, 'No space left on device')
    """

    def __init__(self, path: Any) -> None:
        super().__init__(path, "w+")
        self.error: OSError | None = None

    def write(self, data: Any) -> int:
        """All of the data, or none if that or an earlier write has failed."""
        rest = memoryview(data).cast("B")
        size = len(rest)
        try:
            while len(rest) and self.error is None:
                rest = rest[super().write(rest) :]
        except OSError as error:
            self.error = error
        return size

    def truncate(self, size: int | None = None) -> int:
        """Make the file longer or shorter, if that can be done."""
        try:
            return super().truncate(size) if self.error is None else size or 0
        except OSError as error:
            self.error = error
            return size or 0

    def check(self) -> None:
        """Raise what a write has failed with.

        Raises:
            OSError: the file is not whole.
        """
        if self.error is not None:
            raise self.error
