"""What a file may cost while a framework loads and runs it, and what is said beyond that."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from lstm_probe.core.errors import LstmProbeError

__all__ = ["Allowance", "allowance_for"]

_GIB = 2**30
#: Bytes beyond what the framework takes, for any file, and for each byte of a large one.
_BYTES, _TIMES = 2 * _GIB, 8
#: Seconds of the processor for any file, and bytes of a file for each second more.
_SECONDS, _BYTES_PER_SECOND = 15.0, 2e6
#: A machine that others use takes longer: seconds by the clock, for each of the processor.
_BY_THE_CLOCK = 4.0


@dataclass(frozen=True)
class Allowance:
    """The limits of one file.

    Attributes:
        shown: the file, as messages call it.
        memory: bytes of resident memory beyond what the framework itself takes.
        processor: seconds of the processor, of all threads together.
        clock: seconds by the clock.
        size: bytes of the file.
    """

    shown: str
    memory: int
    processor: float
    clock: float
    size: int

    def memory_reached(self, taken: int) -> LstmProbeError:
        """The refusal of a model that takes more memory.

        Args:
            taken: bytes beyond the framework's own; 0 where it could not get them at all.
        """
        seen = f"{taken / _GIB:.3g} GiB" if taken else "a request for more than there may be"
        return LstmProbeError(
            f"{self.shown} takes more memory than a file may. Received: {seen}, beyond what the "
            f"framework itself takes. Expected: at most {self.memory / _GIB:.3g} GiB. If you know "
            f"who made it, --max-memory {max(round(4 * self.memory / _GIB), 1)} "
            f"(max_memory={max(round(4 * self.memory / _GIB), 1)}) allows more GiB."
        )

    def time_reached(self, seconds: float) -> LstmProbeError:
        """The refusal of a model that takes longer.

        Args:
            seconds: how long it has taken.
        """
        return LstmProbeError(
            f"{self.shown} takes longer than a file may. Received: no answer after "
            f"{seconds:.3g} s. Expected: one within {self.processor:.3g} s of the processor "
            f"and {self.clock:.3g} s by the clock. If you know who made it, --timeout "
            f"{4 * self.clock:.3g} (timeout={4 * self.clock:.3g}) allows more seconds."
        )


def allowance_for(
    path: Path,
    *,
    max_memory: float | None = None,
    timeout: float | None = None,
    seconds: float = _SECONDS,
) -> Allowance:
    """The limits for a file or a folder.

    Args:
        path: the file.
        max_memory: GiB beyond what the framework takes; by default 2, or 8 times the file.
        timeout: seconds, of the processor and by the clock; by default 15 of the processor, and
            more for a large file.
        seconds: what stands for those 15, where a framework takes less.

    Raises:
        LstmProbeError: a limit is no positive number.

    Example:
        >>> import tempfile
        >>> small = allowance_for(Path(tempfile.mkdtemp()))
        >>> small.memory == 2 * 2**30, small.processor, small.clock
        (True, 15.0, 60.0)
        >>> allowance_for(Path(tempfile.mkdtemp()), timeout=5).clock
        5
    """
    for name, value in (("max_memory", max_memory), ("timeout", timeout)):
        if value is not None and not 0 < value < 1e9:
            raise LstmProbeError(
                f"This is no limit. Received: {name}={value}. Expected: a number above 0, of "
                f"{'GiB' if name == 'max_memory' else 'seconds'}."
            )
    size = _size(path)
    seconds += size / _BYTES_PER_SECOND
    return Allowance(
        str(path),
        max(_BYTES, _TIMES * size) if max_memory is None else int(max_memory * _GIB),
        seconds if timeout is None else timeout,
        _BY_THE_CLOCK * seconds if timeout is None else timeout,
        size,
    )


def _size(path: Path) -> int:
    """How many bytes a file, a folder or a checkpoint, which is several files, has on the disk."""
    if path.is_dir():
        files = list(path.rglob("*"))
    else:
        files = [path, *path.parent.glob(f"{path.name.removesuffix('.index')}.data-*")]
    return sum(_taken(each.stat()) for each in files if each.is_file())


def _taken(state: os.stat_result) -> int:
    """What is left out of a file counts for nothing; a small one may lie in its folder's entry."""
    blocks = getattr(state, "st_blocks", None)
    return state.st_size if blocks is None else min(state.st_size, max(512 * blocks, 2**20))
