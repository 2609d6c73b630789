"""`TrainingLogs`: the loss and the metrics that the training hands over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["TrainingLogs", "TrainingValues"]

_LOSS = "loss"
_OF_VALIDATION = "val_"


@dataclass(frozen=True)
class TrainingValues:
    """What the training has said of itself at a capture.

    Attributes:
        mean_loss: that of the steps since the capture before; None if it is not known.
        latest: loss and metrics by name, as they were handed over.
    """

    mean_loss: float | None = None
    latest: Mapping[str, float] = field(default_factory=dict)


class TrainingLogs:
    """Keeps what the training says of itself, for the next capture.

    Nothing is converted before a capture asks: a loss may still be on its way from a GPU.

    Example:
        >>> logs = TrainingLogs()
        >>> logs.running({"loss": 0.5}, batches=10)
        >>> logs.take()
        TrainingValues(mean_loss=0.5, latest={'loss': 0.5})
        >>> logs.running({"loss": 0.4}, batches=20)
        >>> round(logs.take().mean_loss, 3)
        0.3
    """

    def __init__(self) -> None:
        self._logs: Mapping[str, Any] = {}
        self._of_validation: Mapping[str, Any] = {}
        #: How many batches the means in `_logs` are over; 0 where they are values of one step.
        self._batches = 0
        self._captured: tuple[int, float] = 0, 0.0

    def running(self, logs: Mapping[str, Any] | None, batches: int) -> None:
        """Take note of means over the batches of an epoch so far, as Keras hands them over.

        Args:
            logs: by name.
            batches: how many batches of the epoch there have been; 1 or more.
        """
        self._logs, self._batches = logs or {}, batches

    def given(self, logs: Mapping[str, Any] | None) -> None:
        """Take note of the values of one step."""
        self._logs, self._batches = logs or {}, 0

    def validated(self, logs: Mapping[str, Any] | None) -> None:
        """Take note of what an epoch's validation has found."""
        given = logs or {}
        found = {name: each for name, each in given.items() if name.startswith(_OF_VALIDATION)}
        self._of_validation = found or self._of_validation

    def take(self) -> TrainingValues:
        """What is known now. Values that are no numbers are left out."""
        return TrainingValues(self._since_last_capture(), self._latest())

    def _latest(self) -> dict[str, float]:
        numbers = {
            name: _number(each)
            for name, each in {**self._logs, **self._of_validation}.items()
            if name.isprintable()
        }
        return {name: each for name, each in numbers.items() if each is not None}

    def _since_last_capture(self) -> float | None:
        loss = _number(self._logs.get(_LOSS))
        if loss is None or not self._batches:
            return loss
        batches, mean = self._captured
        self._captured = self._batches, loss
        if self._batches <= batches:  # another epoch
            return loss
        return (self._batches * loss - batches * mean) / (self._batches - batches)


def _number(value: Any) -> float | None:
    try:
        return None if value is None else float(value)
    except (TypeError, ValueError, RuntimeError):  # a tensor of another shape, or one that is gone
        return None
