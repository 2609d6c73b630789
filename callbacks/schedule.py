"""When to capture."""

from __future__ import annotations

from collections.abc import Callable

from lstm_probe.errors import LstmProbeError

__all__ = ["StepWatch"]


class StepWatch:
    """Tells when the training step has crossed a multiple of `every`.

    Reading the step from an optimizer takes a tenth of a millisecond, so it is not read at every
    call, but halfway to where the next capture would be due at the fastest pace seen so far, then
    halfway again, until it is due. Steps that advance by several at a time
    (`steps_per_execution`) are met where they cross the multiple.

    Args:
        every: the interval, in training steps.
        read_step: gives the current training step.

    Raises:
        LstmProbeError: `every` is not a whole number of at least 1.

    Example:
        >>> steps = iter([0, 4, 8, 12, 16])
        >>> watch = StepWatch(10, lambda: next(steps))
        >>> watch.start()
        0
        >>> [watch.due() for _ in range(4)]
        [None, None, 12, None]
    """

    def __init__(self, every: int, read_step: Callable[[], int]) -> None:
        if isinstance(every, bool) or not isinstance(every, int) or every < 1:
            raise LstmProbeError(
                f"The interval of captures is not valid. Received: every={every!r}. "
                "Expected: a whole number of training steps, at least 1."
            )
        self._every = every
        self._read_step = read_step
        self._step = self._next = 0
        self._calls = self._wait = 1
        self._pace = 1.0

    def start(self) -> int:
        """Begin to watch; returns the current step."""
        self._step = self._read_step()
        self._next = self._multiple_after(self._step)
        self._calls, self._wait = 0, 1
        return self._step

    def due(self) -> int | None:
        """To be called after every batch: the current step if a capture is due, else None."""
        self._calls += 1
        if self._calls < self._wait:
            return None
        step = self._read_step()
        self._pace = max(self._pace, (step - self._step) / self._calls)
        self._step = step
        is_due = self.crossed(step)
        self._calls = 0
        self._wait = max(1, int((self._next - step) / self._pace / 2))
        return step if is_due else None

    def crossed(self, step: int) -> bool:
        """Whether a capture is due at a step that is known without reading it."""
        is_due = step >= self._next
        if is_due:
            self._next = self._multiple_after(step)
        return is_due

    def _multiple_after(self, step: int) -> int:
        return (step // self._every + 1) * self._every
