"""What backpropagation starts from and what it gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lstm_probe.cells import Cell
from lstm_probe.core.arrays import Array, BoolArray
from lstm_probe.weights import GateWeights

__all__ = ["Run", "Walk", "along", "by_kernel", "transposed"]


@dataclass(frozen=True, eq=False)
class Run:
    """A sequence that was computed, time-major and in reading order.

    Attributes:
        cell: its options.
        weights: of the dtype of the gradients; the kernel in float32 where the layer has it so.
        x: `(time, batch, input)`.
        arrays: by letter, `(time, batch, units)`, in float64.
        initial: by letter of the states, `(batch, units)`.
        mask: `(time, batch)`, or None.
    """

    cell: Cell[Any]
    weights: GateWeights
    x: Array
    arrays: Mapping[str, Array]
    initial: Mapping[str, Array]
    mask: BoolArray | None

    def before(self, letter: str) -> Array:
        """The state that each step started from."""
        return np.concatenate([self.initial[letter][None], self.arrays[letter][:-1]])

    def stretch(self, start: int, stop: int) -> Run:
        """These steps alone."""
        if start == 0 and stop >= len(self.x):
            return self
        before = {k: self.arrays[k][start - 1] for k in self.initial} if start else self.initial
        return replace(
            self,
            x=self.x[start:stop],
            arrays={letter: array[start:stop] for letter, array in self.arrays.items()},
            initial=before,
            mask=None if self.mask is None else self.mask[start:stop],
        )


@dataclass(frozen=True, eq=False)
class Walk:
    """Gradients of `K` targets with respect to everything on the way.

    Attributes:
        states: by letter, `(time, K, batch, units)`: by each step's states.
        inputs: gives for the number of a target `(time, batch, input)`: by each step's input.
    """

    states: Mapping[str, Array]
    inputs: Callable[[int], Array]


def by_kernel(changes: Array, weights: GateWeights, target: int) -> Array:
    """From the gradients by what the kernel gives, `(time, K, batch, gates, units)`, to those of
    one target by the input, `(time, batch, input)`."""
    changes = changes[:, target]
    kernel = weights.kernel.reshape(weights.input_size, -1)
    flat = changes.reshape(-1, kernel.shape[1]) @ kernel.T
    return np.asarray(flat.reshape(*changes.shape[:2], -1))


def along(seeds: Array, time: int) -> Array:
    """Seeds of all timesteps, in an array that may be written to."""
    if len(seeds) == time:
        return seeds.copy()
    result = np.zeros((time, *seeds.shape[1:]), seeds.dtype)
    result[-len(seeds) :] = seeds
    return result


def transposed(weights: GateWeights) -> Array:
    """The recurrent kernel, `(gates * units, output)`."""
    # A view: BLAS reads it as it lies, and a copy would cost as much as ten steps.
    return weights.recurrent_kernel.reshape(weights.output_size, -1).T
