"""`Tally`: which captures that were due have been taken, were lost, or were left out."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Final

from lstm_probe.core.warn import warn
from lstm_probe.logs.report import Report

__all__ = ["COSTLY", "FAILING", "QUEUED", "UNANALYSED", "Tally"]

_log = logging.getLogger(__name__)

# Why captures are left out.
FAILING: Final = (
    "lstm_probe: %d captures in a row have failed; only that at the end of the training is still "
    "tried."
)
COSTLY: Final = (
    "lstm_probe: a capture takes %.1f ms, and captures so far have taken %.1f %% of the training "
    "time. To keep to max_overhead=%g, the interval is stretched: at this pace one in %d of those "
    "that are due is taken. Capture less often or in less detail, or set max_overhead=None."
)
UNANALYSED: Final = (
    "lstm_probe: the analyses take %.1f s. To keep to max_overhead=%g, some of those that are due "
    "during the training are left out. Ask for fewer analyses or a larger analyses_every, or set "
    "max_overhead=None."
)
QUEUED: Final = (
    "lstm_probe: captures are due faster than the background thread works them off; from now on "
    "some are left out. Capture less often or in less detail."
)


@dataclass
class Tally:
    """Counts captures, so that each step counts once, also if it is tried again.

    Attributes:
        report: where the counts go.
        captured: the latest step that was captured.
        failed: the latest that was lost to an error.
        skipped: the latest that was left out.
        in_a_row: how many were lost since the last that was captured.

    Example:
        >>> tally = Tally(Report())
        >>> tally.fail(100)
        >>> tally.succeed(100)  # at the end of the training
        >>> tally.report.failed, tally.in_a_row
        (0, 0)
    """

    report: Report
    captured: int | None = None
    failed: int | None = None
    skipped: int | None = None
    in_a_row: int = 0
    _said: set[str] = field(default_factory=set, repr=False)
    _told: tuple[int, int] = (0, 0)
    _warned: int = 0

    @property
    def latest(self) -> int:
        """The latest step at which a capture was due; 0 if there was none."""
        steps = (self.captured, self.failed, self.skipped)
        return max((step for step in steps if step is not None), default=0)

    def begin(self) -> None:
        """Another training begins, whose steps have nothing to do with those so far."""
        self.captured = self.failed = self.skipped = None
        self.in_a_row = 0

    def has_news(self) -> bool:
        """Whether captures were lost or left out since this was asked last."""
        told, self._told = self._told, (self.report.failed, self.report.skipped)
        return told != self._told

    def has_news_of_failures(self) -> bool:
        """Whether captures were lost since this was asked last."""
        warned, self._warned = self._warned, self.report.failed
        return self._warned > warned

    def succeed(self, step: int) -> None:
        """What was due at a step has been dealt with."""
        self.report.failed -= step == self.failed
        self.in_a_row = 0

    def fail(self, step: int) -> None:
        """The capture at a step was lost."""
        self.report.failed += step != self.failed
        self.failed = step
        self.in_a_row += 1

    def skip(self, step: int, why: str, *values: float | None) -> None:
        """The capture at a step is left out; why is said once."""
        self.report.skipped += 1
        self.skipped = step
        self.say_once(why, *values)

    def say_once(self, why: str, *values: float | None) -> None:
        """Warn of something, the first time that it is so."""
        if why not in self._said:
            self._said.add(why)
            warn(_log, why, *values)

    def take_after_all(self, step: int) -> None:
        """A step that may have been left out is captured nevertheless."""
        self.report.skipped -= step == self.skipped
