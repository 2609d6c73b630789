"""`TrainingSteps`: how many steps a model has been trained, whoever trains it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np

from lstm_probe.core.arrays import Array
from lstm_probe.core.warn import warn

__all__ = ["TrainingSteps"]

_log = logging.getLogger(__name__)

#: Reads the weights that are probed, as they are now.
Weights: TypeAlias = Callable[[], Sequence[Array]]


class TrainingSteps:
    """Takes the step from the optimizer, or counts batches where its count stands still.

    A `train_step` or a loop may use other optimizers than the model's own, whose count then stays
    where it is while the weights change. From there on batches are counted, which is said once. A
    count that stands still while the weights do too is that of an optimizer that accumulates
    gradients or leaves out steps, and is believed.

    Example:
        >>> steps = TrainingSteps()
        >>> steps.begin(0, lambda: [np.zeros(2)])
        0
        >>> steps.train(3)
        >>> steps.now(0, lambda: [np.ones(2)])
        3
    """

    def __init__(self) -> None:
        self._batches = 0
        self._counts_batches = False
        # What the optimizer had counted, and the weights, when they were looked at last.
        self._counted: int | None = None
        self._weights: Sequence[Array] | None = None
        # The step at which the count was seen to move last, and the batches until then.
        self._first, self._before = 0, 0

    def begin(self, counted: int | None, weights: Weights) -> int:
        """A fit begins; returns the step.

        Args:
            counted: the steps that the optimizer has counted; None if the model has none.
            weights: is kept to be compared with.
        """
        if not self._counts_batches and counted is not None:
            self._counted, self._weights = counted, _copies(weights())
            self._first, self._before = counted, self._batches
        return self.now(counted, weights)

    def train(self, batches: int) -> None:
        """So many batches have been trained."""
        self._batches += batches

    def now(self, counted: int | None, weights: Weights) -> int:
        """The step.

        Args:
            counted: as of `begin`.
            weights: is kept to be compared with, or compared if the optimizer's count stands
                still.
        """
        if counted is None:
            return self._batches
        if not self._counts_batches and counted != self._counted:  # it moves
            self._counted, self._weights = counted, _copies(weights())
            self._first, self._before = counted, self._batches
        if self._counts_batches or self._has_trained_uncounted(weights):
            return self._first + self._batches - self._before
        return counted

    def _has_trained_uncounted(self, weights: Weights) -> bool:
        if self._weights is None or self._batches == self._before:
            return False
        changed = any(
            not np.array_equal(now, before)
            for now, before in zip(weights(), self._weights, strict=True)
        )
        if changed:
            self._counts_batches, self._weights = True, None
            warn(
                _log,
                "lstm_probe: the model is trained, but its own optimizer has counted no step since "
                "step %d: another optimizer trains it. Batches are counted instead.",
                self._counted,
            )
        return changed


def _copies(arrays: Sequence[Array]) -> Sequence[Array]:
    return [np.array(each) for each in arrays]
