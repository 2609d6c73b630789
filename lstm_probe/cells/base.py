"""What a cell knows of itself beyond its equations.

A cell owns its mathematics. It says what one step computes (`step`), takes gradients back through
it (`back`), and bounds what rounding does to it (`rounding`). Whoever recomputes a layer, judges a
parity error or measures how far learning reaches asks the cell, and knows no cell by its name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, NamedTuple

import numpy as np

from lstm_probe.cells.backward import Back, Run
from lstm_probe.cells.recurrence import Recurrence, Values, WeightsT
from lstm_probe.core.arrays import Array, BoolArray
from lstm_probe.weights.named import CellWeights

__all__ = ["Cell", "Reading", "UnknownBiases", "Values"]

#: Biases that may be unknown: for each, its gate, and in which arrays of the weights it is added
#: and with which sign.
UnknownBiases = list[tuple[int, Mapping[str, float]]]


class Reading(NamedTuple):
    """Another way to read a cell: what a framework might compute with the same name and arrays.

    Attributes:
        name: of the convention, such as `reset_after`.
        explanation: what the framework does, in words.
        cell: the options.
        weights: the weights.
    """

    name: str
    explanation: str
    cell: Cell[Any]
    weights: CellWeights


class Cell(Recurrence[WeightsT]):
    """A recurrent cell, with what others ask of it.

    With `back` a cell gets gradients, with `rounding` a verdict on its parity error.
    """

    #: The letter of the gate that keeps the old state; None for a cell without such a gate.
    keeper: ClassVar[str | None] = None

    def steps(
        self,
        x: Array,
        h: Array,
        initial: Values,
        weights: WeightsT,
        mask: BoolArray | None = None,
    ) -> tuple[dict[str, Array], dict[str, Array]] | None:
        """Every step from the hidden state that somebody else had reached (teacher forcing).

        States that cannot be seen from outside, such as an LSTM's cell state, are carried along.

        Args:
            x: `(time, batch, input)`.
            h: `(time, batch, output)`, the hidden state before each step.
            initial: the states before the first step, by letter, `(batch, size)`.
            weights: of the dtype of `x`.
            mask: `(time, batch)`, False where a step is skipped; None if all count.

        Returns:
            By letter, `(time, batch, size)`: what each step computes, and the states before it.
            None for a cell whose output is none of its states.
        """
        inputs, h = self.inputs(x, weights), self._inside(h, weights)
        if self.states == ("h",):  # all is known beforehand
            return self._outside(self.step(inputs, {"h": h}, weights)), self._outside({"h": h})
        carried = {letter: self._inside(initial[letter], weights) for letter in self.states}
        taken = []

        def step(t: int, before: Values) -> dict[str, Array]:
            taken.append({**before, "h": h[t]})
            return self.step(inputs[t], taken[-1], weights)

        values = self._walk(step, len(x), carried, mask)
        before = {
            letter: np.concatenate([each[letter] for each in taken]).reshape(len(x), *array.shape)
            for letter, array in taken[0].items()
        }
        return self._outside(values), self._outside(before)

    def back(self, run: Run) -> Back | None:
        """Take gradients back through steps: the vector-Jacobian product of each.

        Args:
            run: the steps, as they were computed.

        Returns:
            A function that takes gradients back through one of them; None where the derivatives
            are not known.
        """
        return None

    def inputs_back(self, changes: Array, weights: WeightsT) -> Array:
        """From gradients by what `inputs` gave to those by the inputs, `(..., input)`."""
        raise NotImplementedError  # asked only of a cell that has `back`

    def rounding(
        self, x: Array, before: Values, values: Values, weights: WeightsT, mask: BoolArray | None,
        u: float,
    ) -> Array | None:  # fmt: skip
        """How far rounding can take each step from the equations.

        Args:
            x: `(time, batch, input)`.
            before: the states before each step, by letter, `(time, batch, size)`.
            values: what each step computes, likewise.
            weights: of the dtype of `x`.
            mask: `(time, batch)`, or None.
            u: the unit roundoff of the computation.

        Returns:
            `(time, batch, output)`, a bound of the error of `h`. None for a cell that does not
            know one.
        """
        return None

    def explaining(
        self, before: Values, values: Values, shown: Array, weights: WeightsT, unit: int
    ) -> dict[str, Array]:
        """The change of each gate's pre-activation that would explain what a unit shows.

        Args:
            before: the states before each step, by letter, `(time, batch, size)`.
            values: what each step computes, likewise.
            shown: `(time, batch)`, the hidden state of the unit in the framework.
            weights: of the dtype of `x`.
            unit: which unit.

        Returns:
            By gate, `(time, batch)`; empty where it cannot be told.
        """
        return {}

    def readings(self, weights: WeightsT) -> Iterator[Reading]:
        """Other ways in which frameworks are known to compute this cell."""
        yield from ()

    def unknown_biases(self, weights: WeightsT) -> list[UnknownBiases]:
        """Sets of biases that could be inferred from the cell's output, the likeliest first. Each
        unit's output depends on no biases but its own."""
        return []

    def unseen_states(
        self, values: Values, shown: Array, mask: BoolArray, weights: WeightsT
    ) -> list[Array] | None:
        """The states beside `h` at the start of a sequence, inferred from what follows.

        Args:
            values: what each step computes from the framework's own `h` and from zeros for the
                other states, by letter, `(time, batch, size)`.
            shown: `(time, batch, output)`, the framework's own hidden states.
            mask: `(time, batch)`, True where a step counts.
            weights: what the cell computes with.

        Returns:
            `(batch, size)` for each state but the first; None where they cannot be inferred.
        """
        return [] if self.states == ("h",) else None
