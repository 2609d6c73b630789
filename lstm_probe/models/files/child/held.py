"""What the child asks the system to hold it back by, where the system can.

Its parent looks at memory and time as well, and ends it: these limits are for what happens between
two looks, and for files and descriptors, which nobody looks at.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

try:
    import resource
except ModuleNotFoundError:  # Windows
    resource = None  # type: ignore[assignment]

__all__ = ["hold_back", "hold_back_files"]

_DESCRIPTORS = 1024
#: What a framework may write for any file, such as an archive that it unpacks.
_WRITTEN = 2**28
#: Frameworks reserve addresses that they never use: threads' stacks, arenas.
_RESERVED = 16 * 2**30
_SECONDS_MORE = 10


def hold_back_files(size: int) -> None:
    """Limit the size of each file that is written, and the number of open files; no core is left.

    Args:
        size: bytes of the file that is read.
    """
    _limit("RLIMIT_CORE", 0)
    _limit("RLIMIT_NOFILE", _DESCRIPTORS)
    _limit("RLIMIT_FSIZE", max(_WRITTEN, 2 * size))


def hold_back(limits: Mapping[str, float]) -> None:
    """Limit addresses and seconds of the processor, from now on.

    Args:
        limits: bytes of `memory`, and seconds of the `processor`.
    """
    used = os.times()
    seconds = used.user + used.system + limits["processor"] + _SECONDS_MORE
    _limit("RLIMIT_CPU", int(seconds))
    reserved = _addresses()
    if reserved:
        _limit("RLIMIT_AS", int(reserved + limits["memory"] + _RESERVED))


def _limit(name: str, value: int) -> None:
    kind = getattr(resource, name, None)
    if kind is None:
        return
    _, hard = resource.getrlimit(kind)
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    try:
        resource.setrlimit(kind, (value, hard))
    except (ValueError, OSError):  # macOS has no limit of addresses
        return


def _addresses() -> int:
    """Bytes of addresses that this process has reserved; 0 where the system does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")
