"""When to capture."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeAlias, runtime_checkable

from lstm_probe.core.errors import LstmProbeError

__all__ = ["Every", "Linear", "Logarithmic", "Schedule", "StepWatch", "as_schedule"]


@runtime_checkable
class Schedule(Protocol):
    """Knows the steps at which captures are due."""

    def next_after(self, step: int) -> int:
        """The first step after this one at which a capture is due."""


#: When to capture, as users say it: an interval in steps, a schedule, or a function that tells
#: for a step whether a capture is due.
Every: TypeAlias = "int | Schedule | Callable[[int], bool]"


@dataclass(frozen=True)
class Linear:
    """At every multiple of an interval, from `first` on.

    Example:
        >>> Linear(100).next_after(0), Linear(100, first=50).next_after(50)
        (100, 150)
    """

    every: int
    first: int = 0

    def __post_init__(self) -> None:
        _check_whole(every=self.every)
        _check_whole(first=self.first, least=0)

    def next_after(self, step: int) -> int:
        """See `Schedule`."""
        if step < self.first:
            return self.first
        return self.first + ((step - self.first) // self.every + 1) * self.every


@dataclass(frozen=True)
class Logarithmic:
    """Ever more rarely: so many times between a step and its tenfold.

    Example:
        >>> schedule, steps = Logarithmic(per_decade=3), [0]
        >>> while steps[-1] < 100:
        ...     steps.append(schedule.next_after(steps[-1]))
        >>> steps
        [0, 1, 2, 5, 10, 22, 46, 100]
    """

    per_decade: int = 8
    first: int = 1

    def __post_init__(self) -> None:
        _check_whole(per_decade=self.per_decade)
        _check_whole(first=self.first)

    def next_after(self, step: int) -> int:
        """See `Schedule`."""
        power, due = 0, self.first
        while due <= step:
            power += 1
            due = round(self.first * 10 ** (power / self.per_decade))
        return due


@dataclass(frozen=True)
class _Told:
    """A function of the user's, which has to be asked about every step."""

    is_due: Callable[[int], bool]

    def next_after(self, step: int) -> int:
        return step + 1


def as_schedule(every: Every) -> Schedule:
    """What users give for `every`, as a schedule.

    Raises:
        LstmProbeError: it is none.

    Example:
        >>> as_schedule(100)
        Linear(every=100, first=0)
    """
    if isinstance(every, Schedule):
        return every
    if callable(every):
        return _Told(every)
    _check_whole(every=every)
    return Linear(every)


class StepWatch:
    """Tells when the training step has come to, or past, a step at which a capture is due.

    Reading the step takes up to half a millisecond, so it is not read at every call, but halfway
    to where the next capture would be due at the fastest pace seen so far, then halfway again,
    until it is due; of a training that keeps its pace, only where it is due. Steps that advance
    by several at a time (`steps_per_execution`) are met where they cross the step that is due.

    Args:
        every: the interval in training steps, a schedule, or a function of the step.
        read_step: gives the current training step.
        steady: the pace is not expected to grow. If it does, a capture may be late, and from then
            on the step is read more often.

    Raises:
        LstmProbeError: `every` is none of these.

    Example:
        >>> steps = iter([0, 4, 8, 12, 16])
        >>> watch = StepWatch(10, lambda: next(steps))
        >>> watch.start()
        0
        >>> [watch.due() for _ in range(4)]
        [None, None, 12, None]
    """

    def __init__(self, every: Every, read_step: Callable[[], int], *, steady: bool = False) -> None:
        self._schedule = as_schedule(every)
        self._read_step = read_step
        self._steady = steady
        self._step = self._next = 0
        self._batches, self._wait = 0, 1
        self._pace: float | None = None

    def start(self) -> int:
        """Begin to watch; returns the current step."""
        self._step = self._read_step()
        self._next = self._schedule.next_after(self._step)
        self._batches, self._wait = 0, 1
        return self._step

    def due(self) -> int | None:
        """To be called after every batch: the current step if a capture is due, else None."""
        return self.look() if self.is_time() else None

    def is_time(self, batches: int = 1) -> bool:
        """Whether to `look`; to be asked after every batch, or execution of several.

        Args:
            batches: how many have been trained since it was asked last, as far as that is known.
        """
        self._batches += batches
        return self._batches >= self._wait

    def look(self) -> int | None:
        """Read the step: what it is if a capture is due, else None."""
        step = self._read_step()
        pace = (step - self._step) / self._batches
        if self._pace is not None and pace > self._pace:
            self._steady = False
        self._pace = max(self._pace or 1.0, pace)
        self._step = step
        is_due = self.crossed(step)
        self._batches = 0
        rest = (self._next - step) / self._pace
        self._wait = max(1, int(rest if self._steady else rest / 2))
        return step if is_due else None

    def crossed(self, step: int) -> bool:
        """Whether a capture is due at a step that is known without reading it."""
        if step < self._next:
            return False
        passed, self._next = range(self._next, step + 1), self._schedule.next_after(step)
        if isinstance(self._schedule, _Told):
            return any(self._schedule.is_due(each) for each in passed)
        return True


def _check_whole(*, least: int = 1, **named: object) -> None:
    for name, value in named.items():
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise LstmProbeError(
                f"The interval of captures is not valid. Received: {name}={value!r}. "
                f"Expected: a whole number of training steps, at least {least}; for every also a "
                "schedule, such as lstm_probe.callbacks.schedule.Logarithmic(), or a function "
                "that tells for a step whether to capture."
            )
