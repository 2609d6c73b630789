"""What a cell is given to take gradients back through its steps, and what it gives back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from lstm_probe.core.arrays import Array, BoolArray

__all__ = ["Back", "Run", "StepBack"]


class StepBack(NamedTuple):
    """Gradients of `K` targets, taken back through one step.

    Attributes:
        inputs: by what `Cell.inputs` gave, `(K, batch, ..., gates, units)`.
        before: by the states before, by letter, `(K, batch, ..., units)`.
        states: by the states after, with what one of them owes another: an LSTM's hidden state is
            made of its cell state.
    """

    inputs: Array
    before: dict[str, Array]
    states: Mapping[str, Array]


#: Takes the number of a step, and the gradients by the states after it as far as later steps and
#: the targets themselves depend on them, by letter, `(K, batch, ..., units)`.
Back: TypeAlias = Callable[[int, Mapping[str, Array]], StepBack]


@dataclass(frozen=True, eq=False)
class Run:
    """A sequence that was computed, time-major and in reading order.

    Attributes:
        weights: of the dtype of the gradients.
        x: `(time, batch, input)`.
        arrays: by letter, `(time, batch, size)`, in float64.
        initial: by letter of the states, `(batch, size)`.
        mask: `(time, batch)`, or None.
    """

    weights: Any
    x: Array
    arrays: Mapping[str, Array]
    initial: Mapping[str, Array]
    mask: BoolArray | None

    def before(self, letter: str) -> Array:
        """`(time, batch, size)`, the state that each step started from."""
        return np.concatenate([self.initial[letter][None], self.arrays[letter][:-1]])

    def stretch(self, start: int, stop: int) -> Run:
        """These steps alone."""
        before = {k: self.arrays[k][start - 1] for k in self.initial} if start else self.initial
        return replace(
            self,
            x=self.x[start:stop],
            arrays={letter: array[start:stop] for letter, array in self.arrays.items()},
            initial=before,
            mask=None if self.mask is None else self.mask[start:stop],
        )
