"""Watching over the child while it answers a question, and ending it when a limit is reached."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType

from lstm_probe.core.errors import LstmProbeError
from lstm_probe.models.files.child.allowance import Allowance
from lstm_probe.models.files.child.usage import Usage, usage_of

__all__ = ["LARGEST_FRAMEWORK", "Watch"]

#: Seconds between two looks.
_EVERY = 0.02
#: What importing a framework may take in all: seconds by the clock, and bytes.
_IMPORT_SECONDS, LARGEST_FRAMEWORK = 300.0, 3 * 2**30
#: Python itself, and one framework: who says more often that it imports gains time.
_IMPORTS = 2


class Watch:
    """Looks at the child from the first to the last line of a `with` block.

    Args:
        pid: the child.
        end: ends it.
        allowance: what the file may take.
        framework: bytes of memory that are the framework's; None for what the child has now.

    Attributes:
        framework: bytes of memory that are the framework's.
        refusal: what is to be said, once a limit has been reached.
    """

    def __init__(
        self, pid: int, end: Callable[[], None], allowance: Allowance, framework: int | None
    ) -> None:
        self._pid, self._end, self._allowance = pid, end, allowance
        self._over = threading.Event()
        self._began = self._now()
        self._importing: float | None = None
        self._import_seconds_left, self._imports_left = _IMPORT_SECONDS, _IMPORTS
        self.framework = self._used().resident if framework is None else framework
        self.refusal: LstmProbeError | None = None
        self._thread = threading.Thread(target=self._look_on, name="lstm_probe child", daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join()

    def import_begins(self) -> None:
        """A framework is imported, which is none of the file's doing."""
        if self._imports_left > 0:
            self._imports_left -= 1
            self._importing = time.monotonic()

    def import_ends(self) -> None:
        """The framework is there: what comes now is the file's doing."""
        if self._importing is None:
            return
        self._import_seconds_left -= time.monotonic() - self._importing
        self.framework = min(self._used().resident, LARGEST_FRAMEWORK)
        self._began = self._now()
        self._importing = None

    def _now(self) -> tuple[float, float]:
        return time.monotonic(), self._used().processor

    def _used(self) -> Usage:
        return usage_of(self._pid) or Usage(0, 0.0)

    def _look_on(self) -> None:
        while not self._over.wait(_EVERY):
            self.refusal = self._refusal()
            if self.refusal is not None:
                self._end()
                return

    def _refusal(self) -> LstmProbeError | None:
        used, clock, allowance = self._used(), time.monotonic(), self._allowance
        importing = self._importing
        if importing is not None:
            if used.resident > LARGEST_FRAMEWORK + allowance.memory:
                return allowance.memory_reached(used.resident)
            over = clock - importing > self._import_seconds_left
            return allowance.time_reached(clock - importing) if over else None
        began, processor = self._began
        if used.resident - self.framework > allowance.memory:
            return allowance.memory_reached(used.resident - self.framework)
        if clock - began > allowance.clock or used.processor - processor > allowance.processor:
            return allowance.time_reached(clock - began)
        return None
