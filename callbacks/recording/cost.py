"""`CaptureCost`: what one capture costs, and whom."""

from __future__ import annotations

import time

from lstm_probe.core.stopwatch import Stopwatch

__all__ = ["CaptureCost"]


class CaptureCost:
    """Measures one capture, which may begin on the training thread and end on another.

    Attributes:
        watch: adds up the seconds of each stage.

    Example:
        >>> cost = CaptureCost()
        >>> cost.watch.lap("read")
        >>> cost.leave_training_thread()
        >>> cost.begin_work()
        >>> cost.watch.lap("draw")
        >>> cost.stall == cost.watch.seconds["read"]
        True
    """

    def __init__(self) -> None:
        self.watch = Stopwatch()
        self._stall: float | None = None
        self._began = 0.0

    def leave_training_thread(self) -> None:
        """The training goes on now; another thread does the rest."""
        self._stall = self.watch.total

    def begin_work(self) -> None:
        """The rest of the capture begins, on whichever thread. The time in between was waiting."""
        self._began = time.thread_time()
        self.watch.resume()

    @property
    def stall(self) -> float:
        """The seconds for which the training has waited."""
        return self.watch.total if self._stall is None else self._stall

    @property
    def charged(self) -> float:
        """The seconds that count in the budget. A thread of its own is charged with the processor's
        time, because much of its time it waits for the training."""
        if self._stall is None:
            return self.watch.total
        return self._stall + time.thread_time() - self._began
