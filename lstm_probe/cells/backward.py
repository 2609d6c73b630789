"""What a cell gets and returns when it takes gradients back through its steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from lstm_probe.core.arrays import Array, BoolArray

__all__ = ["Back", "Run", "StepBack"]


class StepBack(NamedTuple):
    """The gradients of `K` targets after they were taken back through one step.

    Attributes:
        inputs: The gradients with respect to what `Cell.inputs` returned,
            `(K, batch, ..., gates, units)`.
        before: The gradients with respect to the states before the step, by letter,
            `(K, batch, ..., units)`.
        states: The gradients with respect to the states after the step, by letter. They include
            what one state contributes through another: an LSTM computes `h` from `c`.
    """

    inputs: Array
    before: dict[str, Array]
    states: Mapping[str, Array]


#: Takes gradients back through one step. The arguments are the number of the step and, by letter,
#: the gradients with respect to the states after it, `(K, batch, ..., units)`. These hold what the
#: later steps and the targets themselves contribute.
Back: TypeAlias = Callable[[int, Mapping[str, Array]], StepBack]


@dataclass(frozen=True, eq=False)
class Run:
    """A sequence as it was computed. Time is the first axis, in the order of reading.

    Attributes:
        weights: The weights, of the dtype of the gradients.
        x: The input, `(time, batch, input)`.
        arrays: The gates and states by letter, `(time, batch, size)`, in float64.
        initial: The states before the first step, by letter, `(batch, size)`.
        mask: `(time, batch)`. It is False where a step was skipped. None if all steps count.
    """

    weights: Any
    x: Array
    arrays: Mapping[str, Array]
    initial: Mapping[str, Array]
    mask: BoolArray | None

    def before(self, letter: str) -> Array:
        """The state from which each step started, `(time, batch, size)`."""
        return np.concatenate([self.initial[letter][None], self.arrays[letter][:-1]])

    def stretch(self, start: int, stop: int) -> Run:
        """The steps from `start` up to `stop`, without `stop`, as a run of their own."""
        before = {k: self.arrays[k][start - 1] for k in self.initial} if start else self.initial
        return replace(
            self,
            x=self.x[start:stop],
            arrays={letter: array[start:stop] for letter, array in self.arrays.items()},
            initial=before,
            mask=None if self.mask is None else self.mask[start:stop],
        )
