"""What a process uses, as its parent sees it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

__all__ = ["Usage", "usage_of"]


class Usage(NamedTuple):
    """What a process has taken.

    Attributes:
        resident: bytes of memory that are in use now.
        processor: seconds of the processor so far, of all threads.
    """

    resident: int
    processor: float


def usage_of(pid: int) -> Usage | None:
    """What a process uses; None where the system does not tell, or it has ended.

    Linux tells it in `/proc`. Elsewhere the limits of memory and processor are the system's own.

    Example:
        >>> used = usage_of(os.getpid())
        >>> used is None or used.resident > 2**20
        True
    """
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        # The name of the program comes second, in brackets, and may hold anything.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (OSError, ValueError, IndexError):
        return None
    ticks = int(fields[11]) + int(fields[12])
    return Usage(pages * os.sysconf("SC_PAGE_SIZE"), ticks / os.sysconf("SC_CLK_TCK"))
