"""An event file that TensorBoard reads, written record by record."""

from __future__ import annotations

import itertools
import os
import socket
import time
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary

from lstm_probe.logs.events.records import frame, records_backwards
from lstm_probe.logs.events.writing import claim

__all__ = ["EventFile", "event_files", "last_step"]

_numbers = itertools.count()
_PATTERN = "*tfevents*"


class EventFile:
    """One event file in a directory.

    Every record is one unbuffered write, so a killed process loses nothing that was written. What
    a failed write has left is cut off again, so the file always ends with a whole record. While the
    file is open it is locked, and `is_being_written` tells others so.

    Args:
        directory: where the file is; it is made if it is missing.

    Raises:
        OSError: the directory or file cannot be made.

    Example:
        >>> import tempfile
        >>> directory = Path(tempfile.mkdtemp())
        >>> with EventFile(directory) as file:
        ...     file.write([], step=7)
        >>> last_step(directory)
        7
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.path, self._file = self._new()

    def write(self, values: Iterable[Summary.Value], *, step: int) -> None:
        """Append one event. A file that was closed is opened again; one that was deleted meanwhile
        is begun anew.

        Args:
            values: what the event holds.
            step: the training step.

        Raises:
            OSError: the record could not be written whole; nothing of it remains. The next write
                tries again.
        """
        event = Event(wall_time=time.time(), step=step)
        event.summary.value.extend(values)
        _append(self._open_file(), event)

    @property
    def size(self) -> int:
        """How many bytes the file has; 0 if it is gone."""
        if not self._file.closed:
            return self._file.tell()
        return self.path.stat().st_size if self.path.is_file() else 0

    def close(self) -> None:
        """Close the file, until it is written again; closing it twice is harmless."""
        self._file.close()

    def __enter__(self) -> EventFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _open_file(self) -> BinaryIO:
        """The file, open. It is exchanged only when the new one stands."""
        if self._file.closed:
            again = self._again()
            if again is not None:
                self._file = again
                return again
        elif os.fstat(self._file.fileno()).st_nlink > 0:
            return self._file
        path, file = self._new()
        self._file.close()
        self.path, self._file = path, file
        return file

    def _again(self) -> BinaryIO | None:
        """The same file; None if it is gone, or somebody else writes it by now."""
        try:
            file = self.path.open("r+b", buffering=0)
        except FileNotFoundError:
            return None
        if not claim(file):
            file.close()
            return None
        file.seek(0, os.SEEK_END)
        return file

    def _new(self) -> tuple[Path, BinaryIO]:
        self._directory.mkdir(parents=True, exist_ok=True)
        path = self._directory / (
            f"events.out.tfevents.{int(time.time()):010d}.{socket.gethostname()}"
            f".{os.getpid()}.{next(_numbers)}.lstm_probe"
        )
        file = path.open("xb", buffering=0)
        try:
            claim(file)
            _append(file, Event(wall_time=time.time(), file_version="brain.Event:2"))
        except OSError:
            file.close()
            path.unlink(missing_ok=True)
            raise
        return path, file


def event_files(directory: Path, *, below: bool = False) -> list[Path]:
    """The event files in a directory, by name. A pipe or a device that is called like one would
    have its reader wait for ever, so regular files alone are listed.

    Args:
        directory: where to look.
        below: whether to look in all directories below it too.

    Example:
        >>> event_files(Path("nowhere"))
        []
    """
    found = directory.rglob(_PATTERN) if below else directory.glob(_PATTERN)
    return sorted(path for path in found if path.is_file())


def last_step(directory: Path) -> int | None:
    """The largest step that the event files in a directory end with; None if there are none."""
    steps = [_last_step_of(path) for path in event_files(directory)]
    return max((step for step in steps if step is not None), default=None)


def _append(file: BinaryIO, event: Event) -> None:
    record = frame(event.SerializeToString())
    start = file.tell()
    try:
        written = file.write(record)
        if written != len(record):
            raise OSError(f"only {written} of {len(record)} bytes could be written")
    except OSError:
        file.truncate(start)
        file.seek(start)
        raise


def _last_step_of(path: Path) -> int | None:
    for record in records_backwards(path):
        try:
            event = Event.FromString(record)
        except DecodeError:  # damaged, or not an event: what stands before it may be whole
            continue
        return event.step if event.HasField("summary") else None
    return None
