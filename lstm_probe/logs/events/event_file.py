"""An event file that TensorBoard reads, written record by record."""

from __future__ import annotations

import itertools
import os
import socket
import time
from collections.abc import Iterable
from pathlib import Path

from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary

from lstm_probe.logs.events.records import frame, records_backwards

__all__ = ["EventFile", "last_step"]

_numbers = itertools.count()


class EventFile:
    """One event file in a directory.

    Every record is one unbuffered write, so a killed process loses nothing that was written. What
    a failed write has left is cut off again, so the file always ends with a whole record.

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
        self._open()

    def _open(self) -> None:
        self._directory.mkdir(parents=True, exist_ok=True)
        name = (
            f"events.out.tfevents.{int(time.time()):010d}.{socket.gethostname()}"
            f".{os.getpid()}.{next(_numbers)}.lstm_probe"
        )
        self.path = self._directory / name
        self._file = self.path.open("xb", buffering=0)
        self._append(Event(wall_time=time.time(), file_version="brain.Event:2"))

    def write(self, values: Iterable[Summary.Value], *, step: int) -> None:
        """Append one event. A file that was deleted meanwhile is begun anew.

        Args:
            values: what the event holds.
            step: the training step.

        Raises:
            OSError: the record could not be written whole; nothing of it remains.
        """
        if os.fstat(self._file.fileno()).st_nlink == 0:
            self._file.close()
            self._open()
        event = Event(wall_time=time.time(), step=step, summary=Summary())
        event.summary.value.extend(values)
        self._append(event)

    def _append(self, event: Event) -> None:
        record = frame(event.SerializeToString())
        start = self._file.tell()
        try:
            written = self._file.write(record)
            if written != len(record):
                raise OSError(f"only {written} of {len(record)} bytes could be written")
        except OSError:
            self._file.truncate(start)
            self._file.seek(start)
            raise

    @property
    def size(self) -> int:
        """How many bytes have been written to the file."""
        return self._file.tell()

    def close(self) -> None:
        """Close the file; closing it twice is harmless."""
        self._file.close()

    def __enter__(self) -> EventFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def last_step(directory: Path) -> int | None:
    """The largest step that the event files in a directory end with; None if there are none."""
    steps = [_last_step_of(path) for path in directory.glob("*tfevents*")]
    return max((step for step in steps if step is not None), default=None)


def _last_step_of(path: Path) -> int | None:
    for record in records_backwards(path):
        try:
            event = Event.FromString(record)
        except DecodeError:  # damaged, or not an event: what stands before it may be whole
            continue
        return event.step if event.HasField("summary") else None
    return None
