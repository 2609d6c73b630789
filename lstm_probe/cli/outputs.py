"""Files that are written whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from lstm_probe.core.errors import LstmProbeError

__all__ = ["check_ending", "new_runs_or_none", "whole_file"]


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a path to write to, and move the file to its name at the end of the block.

    If the block fails, nothing is left, and an older file of that name stays as it was.

    Args:
        path: the name of the file.

    Example:
        >>> import tempfile
        >>> target = Path(tempfile.mkdtemp()) / "numbers.txt"
        >>> with whole_file(target) as path:
        ...     _ = path.write_text("1")
        >>> target.read_text()
        '1'
    """
    if not path.parent.is_dir():
        raise LstmProbeError(
            f"There is no directory to write to. Received: {path}. Expected: a path in a "
            "directory that exists."
        )
    unfinished = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        yield unfinished
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


@contextmanager
def new_runs_or_none(log_dir: Path) -> Iterator[None]:
    """Remove what the block has written to a log directory, if the block fails.

    These are the event files of new runs, those that were added to other runs, and the directory
    itself if it is new.

    Args:
        log_dir: the log directory.
    """
    before, existed = {*_run_files(log_dir)}, log_dir.exists()
    try:
        yield
    except BaseException:  # also after Ctrl-C nothing is left behind
        for path in {*_run_files(log_dir)} - before:
            path.unlink()
            if not any(path.parent.iterdir()):
                path.parent.rmdir()
        if not existed and log_dir.is_dir() and not any(log_dir.iterdir()):
            log_dir.rmdir()
        raise


def _run_files(log_dir: Path) -> Iterator[Path]:
    """The event files of our runs. A log directory may hold many others."""
    from lstm_probe.logs.events.event_file import event_files
    from lstm_probe.logs.stored.names import RUN_NAME

    return (path for run in log_dir.glob(f"{RUN_NAME}*") for path in event_files(run))


def check_ending(path: Path, endings: Sequence[str]) -> None:
    """Check that the name of a file says what to write, before anything is computed.

    Args:
        path: the name of the file.
        endings: those that are allowed.

    Raises:
        LstmProbeError: the name ends with something else.
    """
    if path.suffix.lower() not in endings:
        raise LstmProbeError(
            f"The name does not say what to write. Received: {path}. Expected: a name that ends "
            f"with {', '.join(endings)}."
        )
