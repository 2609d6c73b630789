"""Where the time of a capture goes."""

from __future__ import annotations

import time
from typing import Final

__all__ = ["STAGES", "Stopwatch"]

#: What a capture consists of: reading weights, the framework's pass on the probe, NumPy's
#: recomputation, what follows from it, drawing, and the record in the log.
STAGES: Final = ("read", "framework", "recompute", "analyse", "draw", "write")


class Stopwatch:
    """Adds up the seconds of the stages of one capture.

    Attributes:
        seconds: by stage.

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
        """The time since the last lap, or since the start, was this stage's."""
        now = time.perf_counter()
        self.seconds[stage] = self.seconds.get(stage, 0.0) + now - self._last
        self._last = now

    def resume(self) -> None:
        """Go on now: the time since the last lap was nobody's."""
        self._last = time.perf_counter()

    @property
    def total(self) -> float:
        """The seconds of all stages."""
        return sum(self.seconds.values())
