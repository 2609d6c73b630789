"""The captures in a log directory, read without TensorBoard, also while trainings write them."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Any, Final

from lstm_probe.core.errors import LstmProbeError
from lstm_probe.explorer.requests import MissingError, Scope
from lstm_probe.logs.events.event_file import event_files
from lstm_probe.logs.stored.names import CAPTURE, WEIGHTS
from lstm_probe.logs.stored.point import Point
from lstm_probe.logs.stored.reader import RunReader

__all__ = ["MOST_STEPS", "LogCaptures"]

_logger = logging.getLogger(__name__)
#: So many steps of a run are kept; of longer ones those of at least half as many. TensorBoard, as
#: lstm_probe asks it to, keeps 1000.
MOST_STEPS: Final = 2000
#: Seconds between two looks at the files, and the part of the time that looking for runs may take.
_PERIOD, _PART = 0.5, 0.05
#: Who asks while the logs are read for the first time waits so long.
_PATIENCE = 0.4


class LogCaptures:
    """The runs under a directory, which are found as they appear.

    A thread reads what is written. A run that was deleted or begun anew is forgotten; so are all if
    the directory vanishes, and they are found again when it comes back.

    Args:
        log_dir: the directory.
        most: how many steps of a run are kept, as `RunReader` does it.

    Example:
        >>> import tempfile
        >>> with LogCaptures(Path(tempfile.mkdtemp())) as captures:
        ...     captures.runs(Scope(None, ""))
        []
    """

    def __init__(self, log_dir: Path, *, most: int = MOST_STEPS) -> None:
        self.log_dir, self._most = log_dir, most
        self._lock = Lock()
        self._runs: dict[str, RunReader] = {}
        self._next_search = 0.0
        self._looked, self._over = Event(), Event()
        self._thread = Thread(target=self._keep_looking, name="lstm_probe-logs", daemon=True)

    def __enter__(self) -> LogCaptures:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def runs(self, scope: Scope) -> list[dict[str, Any]]:
        """As `Captures.runs`.

        Raises:
            MissingError: the log directory is not there.
        """
        self._looked.wait(_PATIENCE)
        if not self.log_dir.is_dir():
            raise MissingError(
                f"There is no such log directory, or not any more. Received: {str(self.log_dir)!r}."
                " Expected: the log_dir of a training, or a directory above it; it is looked for "
                "again and again."
            )
        with self._lock:
            return [
                {
                    "name": name,
                    "layers": sorted(run.layers),
                    "weights": sorted(run.weighted),
                    "last": run.last_step or 0,
                }
                for name, run in sorted(self._runs.items())
                if run.layers
            ]

    def layers(self, scope: Scope, run: str) -> dict[str, list[int]]:
        """As `Captures.layers`."""
        with self._reading(run) as reader:
            latest = reader.latest
            order = [] if latest is None else list(latest.layers)
            names = sorted(reader.layers)
            names.sort(key=lambda name: order.index(name) if name in order else len(order))
            return {name: reader.steps(name) for name in names}

    def steps(self, scope: Scope, run: str, layer: str) -> list[int]:
        """As `Captures.steps`."""
        with self._reading(run) as reader:
            return reader.steps(layer)

    def timeline(self, scope: Scope, run: str) -> list[Point]:
        """As `Captures.timeline`."""
        self._looked.wait(_PATIENCE)
        with self._lock:
            return self._runs[run].course if run in self._runs else []

    def findings_steps(self, scope: Scope, run: str, layer: str) -> list[int]:
        """As `Captures.findings_steps`."""
        self._looked.wait(_PATIENCE)
        with self._lock:
            return self._runs[run].findings_steps(layer) if run in self._runs else []

    def findings(self, scope: Scope, run: str, layer: str, step: int) -> dict[str, Any]:
        """As `Captures.findings`."""
        with self._reading(run) as reader:
            return reader.findings(layer, step) or {}

    def capture(self, scope: Scope, run: str, layer: str, step: int) -> bytes:
        """As `Captures.capture`."""
        with self._reading(run) as reader:
            return reader.data(layer, CAPTURE, step)

    def weights(self, scope: Scope, run: str, layer: str, step: int) -> bytes:
        """As `Captures.weights`."""
        with self._reading(run) as reader:
            return reader.data(layer, WEIGHTS, step)

    def probe(self, scope: Scope, run: str) -> bytes:
        """As `Captures.probe`."""
        with self._reading(run) as reader:
            return reader.probe_data()

    @contextmanager
    def _reading(self, run: str) -> Iterator[RunReader]:
        """A run, while nobody else reads it. What is not there is said to be missing."""
        self._looked.wait(_PATIENCE)
        with self._lock:
            if run not in self._runs:
                raise MissingError(f"There is no such run, or not any more. Received: {run!r}.")
            try:
                yield self._runs[run]
            except LstmProbeError as error:
                raise MissingError(str(error)) from error
            except OSError as error:
                raise MissingError(
                    f"The log of the run {run!r} cannot be read any more: {error.strerror}."
                ) from error

    def _keep_looking(self) -> None:
        while not self._over.is_set():
            try:
                self.look()
            except Exception:  # a log that nobody foresaw must not end the reading of the others
                _logger.exception("The log directory %s could not be read", self.log_dir)
            self._looked.set()
            self._over.wait(_PERIOD)

    def look(self) -> None:
        """Read what has been written since the last time, and look for new runs."""
        for name, run in list(self._runs.items()):
            with self._lock:
                if run.is_stale:
                    del self._runs[name]
                    self._next_search = 0.0  # it may have been begun anew
                else:
                    _refresh(run)
        if time.monotonic() >= self._next_search:
            start = time.monotonic()
            self._search()
            # A directory with millions of files is not searched all the time.
            self._next_search = time.monotonic() + (time.monotonic() - start) / _PART

    def _search(self) -> None:
        try:
            found = sorted({path.parent for path in event_files(self.log_dir, below=True)})
        except OSError:  # the directory vanished, or a part of it, while it was searched
            return
        for directory in found:
            name = directory.relative_to(self.log_dir).as_posix()
            if name not in self._runs and not self._over.is_set():
                try:
                    run = RunReader(directory, most=self._most)
                except OSError:
                    continue
                with self._lock:
                    self._runs[name] = run


def _refresh(run: RunReader) -> None:
    with suppress(OSError):  # the next look will tell whether it is gone
        run.refresh()
