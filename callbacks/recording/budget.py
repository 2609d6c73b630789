"""`Budget`: how much of a training's time its captures may take."""

from __future__ import annotations

import time
from collections import deque
from math import ceil
from statistics import median
from typing import Final

from lstm_probe.core.errors import LstmProbeError

__all__ = ["Budget"]

#: Seconds of captures that are always allowed, so that a short training is captured as asked for.
GRACE: Final = 2.0
_RECENT: Final = 9
_FITS_GRANTED: Final = 10


class Budget:
    """Says whether a capture that is due is affordable, and stretches the interval if not.

    Captures may take `max_overhead` of the time that the training itself takes, and two seconds in
    all in any case. Beyond that the interval between them is stretched: to what that fraction of
    the time pays for, or to twice that as long as the two seconds have to be made up for. The first
    capture, which compiles, comes before training begins and is not counted.

    Args:
        max_overhead: a fraction of the training's time, above 0; None for no limit.

    Raises:
        LstmProbeError: it is neither.

    Attributes:
        spent: seconds that captures have taken.

    Example:
        >>> budget = Budget(0.01)
        >>> budget.start()
        >>> budget.spend(0.005)
        >>> budget.allows()
        True
    """

    def __init__(self, max_overhead: float | None) -> None:
        valid = isinstance(max_overhead, (int, float)) and not isinstance(max_overhead, bool)
        if max_overhead is not None and not (valid and max_overhead > 0):
            raise LstmProbeError(
                f"The budget of captures is not valid. Received: max_overhead={max_overhead!r}. "
                "Expected: a fraction of the training time above 0, such as 0.01, or None for no "
                "limit."
            )
        self._max_overhead = max_overhead
        self._recent: deque[float] = deque(maxlen=_RECENT)
        self._trained = 0.0
        self._began: float | None = None
        self.spent = 0.0
        # Since the latest capture: how many have been due; and when it was, in seconds of training.
        self._due = 0
        self._latest = 0.0

    def start(self) -> None:
        """Training begins, or goes on."""
        self.stop()
        self._began = time.perf_counter()

    def stop(self) -> None:
        """Training pauses."""
        if self._began is not None:
            self._trained += time.perf_counter() - self._began
        self._began = None

    def spend(self, seconds: float) -> None:
        """A capture has taken so long."""
        self.spent += seconds
        self._recent.append(seconds)

    def allows(self) -> bool:
        """Whether a capture that is due is to be taken; to be asked once for each."""
        self._due += 1
        if self._since_latest < self._interval:
            return False
        self._due, self._latest = 0, self.trained
        return True

    def allows_more(self, seconds: float) -> bool:
        """Whether something beside captures is affordable that takes about so many seconds. To be
        added to `spent` when it has been done."""
        after = self.spent + seconds
        return self._max_overhead is None or after <= max(GRACE, self._max_overhead * self.trained)

    def allows_end(self, *, of_fit: int) -> bool:
        """Whether to capture the end of a fit that went on from another. None is due there, so that
        what is due later does not wait for it.

        Args:
            of_fit: the number of the fit, counted from 1. The two seconds are for the first ten: a
                loop of hundreds of fits would use them up, where each is shorter than a capture.
        """
        if self._max_overhead is None:
            return True
        after = self.spent + self.usual
        granted = after <= GRACE and of_fit <= _FITS_GRANTED
        return granted or after <= self._max_overhead * self.trained

    @property
    def stretch(self) -> int:
        """Of how many captures that are due one is taken, at the pace since the latest."""
        pace = self._since_latest / max(self._due, 1)
        return max(1, ceil(self._interval / pace)) if pace > 0 else 1

    @property
    def _since_latest(self) -> float:
        """Seconds of training. What a thread of its own has worked off since then is taken from
        them, and may be more."""
        return max(self.trained - self._latest, 0.0)

    @property
    def _interval(self) -> float:
        """Seconds of training from the latest capture to the next that is affordable."""
        if self._max_overhead is None or self.spent + self.usual <= GRACE:
            return 0.0
        paid_for = (self.spent + self.usual) / self._max_overhead - self._latest
        return min(paid_for, 2 * self.usual / self._max_overhead)

    @property
    def usual(self) -> float:
        """Seconds that a capture takes at present."""
        return median(self._recent) if self._recent else 0.0

    @property
    def trained(self) -> float:
        """Seconds of training, captures not included."""
        running = 0.0 if self._began is None else time.perf_counter() - self._began
        return max(self._trained + running - self.spent, 0.0)

    @property
    def fraction(self) -> float:
        """What captures have added to the time of the training; 0 before it began."""
        return self.spent / self.trained if self.trained > 0 else 0.0
