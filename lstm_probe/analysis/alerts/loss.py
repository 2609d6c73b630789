"""`LossCourse`: whether the loss of the training falls or stands still."""

from __future__ import annotations

from collections import deque
from math import isfinite
from typing import Literal, TypeAlias

__all__ = ["LossCourse", "LossState"]

#: `falling` also where the loss has not been followed for long enough to say that it is `still`.
LossState: TypeAlias = Literal["unknown", "falling", "still"]

#: The first loss is left out of the comparison: within a few steps a network learns the mean of its
#: targets, whatever its recurrent layers do.
_LEARNED_THE_MEAN = 1
#: So many losses are needed after it: one to compare with, and two whose mean is compared.
_LATEST = 2


class LossCourse:
    """Follows the loss from capture to capture.

    Args:
        improvement: the loss stands still if it has fallen by less than this part of itself.

    Example:
        >>> course = LossCourse()
        >>> for loss in (1.2, 0.170, 0.168, 0.169):
        ...     course.add(loss)
        >>> course.state
        'still'
        >>> course.add(0.10), course.add(0.09)
        (None, None)
        >>> course.state
        'falling'
    """

    def __init__(self, improvement: float = 0.05) -> None:
        self._improvement = improvement
        self._count = 0
        self._reference: float | None = None
        self._latest: deque[float] = deque(maxlen=_LATEST)

    def add(self, loss: float | None) -> None:
        """Take note of the mean loss since the capture before; None if it is not known."""
        if loss is None:
            return
        if self._count == _LEARNED_THE_MEAN:
            self._reference = loss
        elif self._count > _LEARNED_THE_MEAN:
            self._latest.append(loss)
        self._count += 1

    @property
    def state(self) -> LossState:
        """Whether it falls or stands still. A loss that rises or is NaN does not fall."""
        if not self._count:
            return "unknown"
        if self._reference is None:
            return "falling"
        if not all(map(isfinite, (self._reference, *self._latest))):
            return "still"
        if len(self._latest) < _LATEST:
            return "falling"
        fallen = self._reference - sum(self._latest) / _LATEST
        return "still" if fallen < self._improvement * abs(self._reference) else "falling"
