"""Measures how long the stages of a capture take."""

from __future__ import annotations

import time
from typing import Final

__all__ = ["STAGES", "Stopwatch"]

#: The stages of a capture. They read the weights, run the framework on the probe, recompute the
#: gates in NumPy, analyse them, draw the pictures, and write the record to the log.
STAGES: Final = ("read", "framework", "recompute", "analyse", "draw", "write")


class Stopwatch:
    """Adds up the seconds that each stage of one capture takes.

    Attributes:
        seconds: The seconds by stage.

    Example:
        >>> watch = Stopwatch()
        >>> watch.lap("read")
        >>> list(watch.seconds), watch.total >= watch.seconds["read"] >= 0
        (['read'], True)
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, stage: str) -> None:
        """Add the time since the last lap, or since the start, to a stage."""
        now = time.perf_counter()
        self.seconds[stage] = self.seconds.get(stage, 0.0) + now - self._last
        self._last = now

    def resume(self) -> None:
        """Continue now, so that the time since the last lap belongs to no stage."""
        self._last = time.perf_counter()

    @property
    def total(self) -> float:
        """The seconds of all stages together."""
        return sum(self.seconds.values())
