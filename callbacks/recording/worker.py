"""`Worker`: one thread that takes the captures' work off the training thread."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

__all__ = ["Worker"]

#: Captures that may wait. Each holds on to the weights of its step.
LIMIT: Final = 2


class Worker:
    """Does jobs one after another, on one thread of its own.

    The interpreter waits for what has been taken on before it ends.

    Example:
        >>> worker, done = Worker(), []
        >>> worker.offer(lambda: done.append(1))
        True
        >>> worker.drain()
        >>> done
        [1]
    """

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="lstm_probe")
        self._jobs: list[Future[object]] = []

    def offer(self, job: Callable[[], object]) -> bool:
        """Take on a job that does not raise; False if too many are waiting."""
        self._jobs = [waiting for waiting in self._jobs if not waiting.done()]
        if len(self._jobs) > LIMIT:
            return False
        self._jobs.append(self._pool.submit(job))
        return True

    def drain(self) -> None:
        """Wait until everything is done; the thread ends."""
        self._pool.shutdown(wait=True)
