"""Who writes an event file: one that is open for writing is locked, so that others can tell."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

try:
    import fcntl
except ImportError:  # Windows: nobody can tell
    fcntl = None  # type: ignore[assignment]

__all__ = ["claim", "is_being_written"]


def claim(file: BinaryIO) -> bool:
    """Lock an open file until it is closed.

    Returns:
        False if somebody else has locked it, in this process or another. True where files cannot
        be locked.
    """
    if fcntl is not None:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:  # a file system that knows no locks
            return True
    return True


def is_being_written(path: Path) -> bool:
    """Whether somebody has claimed a file; False where that cannot be told.

    Example:
        >>> import tempfile
        >>> with tempfile.NamedTemporaryFile() as file:
        ...     free = is_being_written(Path(file.name))
        ...     claim(file), free, is_being_written(Path(file.name))
        (True, False, True)
    """
    if fcntl is None:
        return False
    with suppress(OSError), path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
