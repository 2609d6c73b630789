"""`Worker`: a thread that takes the captures' work off the training thread."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from threading import Lock, Thread
from typing import Final

__all__ = ["Worker"]

#: Captures that may wait. Each holds on to the weights of its step.
LIMIT: Final = 2


class Worker:
    """Does jobs one after another, on one thread at a time.

    The thread lives as long as there are jobs. The interpreter waits for it before it ends.

    Attributes:
        leaving: what a job has raised to end the program: `SystemExit` or `KeyboardInterrupt`,
            which the training thread has to raise in its turn. Jobs raise nothing else.

    Example:
        >>> worker, done = Worker(), []
        >>> worker.offer(lambda: done.append(1))
        True
        >>> worker.drain()
        >>> done
        [1]
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._jobs: deque[Callable[[], object]] = deque()
        self._thread: Thread | None = None
        self.leaving: BaseException | None = None

    def offer(self, job: Callable[[], object]) -> bool:
        """Take on a job; False if too many are waiting.

        Raises:
            RuntimeError: no thread can be started; the job is not done.
        """
        with self._lock:
            if len(self._jobs) > LIMIT:
                return False
            self._jobs.append(job)
            if self._thread is None:
                self._start()
            return True

    def drain(self) -> None:
        """Wait until everything is done."""
        thread = self._thread
        if thread is not None:
            thread.join()

    def _start(self) -> None:
        thread = Thread(target=self._work, name="lstm_probe")
        try:
            thread.start()
        except RuntimeError:
            self._jobs.pop()
            raise
        self._thread = thread

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._jobs:
                    self._thread = None
                    return
                job = self._jobs[0]
            try:
                job()
            except (SystemExit, KeyboardInterrupt) as leaving:
                self.leaving = leaving
            with self._lock:
                self._jobs.popleft()
