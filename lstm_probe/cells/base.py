"""What a cell knows about itself beyond the loop over time.

A cell owns its mathematics: it computes a step (`step`), takes gradients back through it (`back`),
and bounds what rounding does to it (`rounding`). The code that recomputes a layer, judges a parity
error or measures a gradient asks the cell and does not need to know which cell it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from lstm_probe.cells.backward import Back, Run
from lstm_probe.cells.recurrence import Clamp, Recurrence, Values, WeightsT
from lstm_probe.core.arrays import Array, BoolArray
from lstm_probe.weights.named import CellWeights

__all__ = ["Cell", "Clamp", "Reading", "UnknownBiases", "Values"]

#: A set of biases that may be unknown. Each has the index of its gate, and the sign with which it
#: is added to arrays of the weights, by the name of the array.
UnknownBiases = list[tuple[int, Mapping[str, float]]]


class Reading(NamedTuple):
    """Another convention: what a framework may compute under the same name from the same arrays.

    Attributes:
        name: The name of the convention, such as `reset_after`.
        explanation: What the framework does, in words. The framework is the subject.
        cell: The options under this convention.
        weights: The weights under this convention.
    """

    name: str
    explanation: str
    cell: Cell[Any]
    weights: CellWeights


class Cell(Recurrence[WeightsT]):
    """A recurrent cell and everything that an analysis asks of it.

    A cell that has `back` gets gradients. A cell that has `rounding` gets a verdict on its parity
    error.
    """

    #: The letter of the gate that keeps the old state, or None if the cell has no such gate.
    keeper: str | None = None

    def steps(
        self, x: Array, h: Array, initial: Values, weights: WeightsT, mask: BoolArray | None = None
    ) -> tuple[dict[str, Array], dict[str, Array]] | None:
        """Compute every step from the hidden state that a framework reached before it.

        This is teacher forcing. The states that a framework does not show, such as the cell state
        of an LSTM, are carried from step to step.

        Args:
            x: The input, `(time, batch, input)`.
            h: The hidden state before each step, `(time, batch, output)`.
            initial: The states before the first step, by letter, `(batch, size)`.
            weights: The weights, of the dtype of `x`.
            mask: `(time, batch)`. Where it is False the step is skipped. None if all steps count.

        Returns:
            What each step computes, and the states before each step. Both are by letter,
            `(time, batch, size)`. None for a cell whose output is not one of its states.
        """
        inputs, h = self.inputs(x, weights), self.unflattened(h, weights)
        if self.states == ("h",):  # every state before is known, so all steps are computed at once
            values, before = self.step(inputs, {"h": h}, weights), {"h": h}
            return self._all_flattened(values), self._all_flattened(before)
        carried = {letter: self.unflattened(initial[letter], weights) for letter in self.states}
        taken: list[Values] = []

        def step(t: int, before: Values) -> dict[str, Array]:
            taken.append({**before, "h": h[t]})
            return self.step(inputs[t], taken[-1], weights)

        values = self._walk(step, len(x), carried, mask)
        before = {k: np.stack([each[k] for each in taken]) for k in self.states}
        return self._all_flattened(values), self._all_flattened(before)

    def back(self, run: Run) -> Back | None:
        """Prepare the vector-Jacobian product of each step, which takes gradients back through it.

        Args:
            run: The steps as they were computed.

        Returns:
            A function that takes gradients back through one of the steps. None if the derivatives
            of the cell are not known.
        """
        return None

    def inputs_back(self, changes: Array, weights: WeightsT) -> Array:
        """Take gradients back through `inputs`. Only a cell that has `back` needs this.

        Args:
            changes: The gradients with respect to what `inputs` returned, `(..., gates, units)`.
            weights: The weights, of the dtype of the gradients.

        Returns:
            The gradients with respect to the input, `(..., input)`.
        """
        raise NotImplementedError

    def rounding(
        self, x: Array, before: Values, values: Values, weights: WeightsT, mask: BoolArray | None,
        u: float,
    ) -> Array | None:  # fmt: skip
        """Bound how far rounding can take each step from the equations.

        Args:
            x: The input, `(time, batch, input)`.
            before: The states before each step, by letter, `(time, batch, size)`.
            values: What each step computes, by letter, `(time, batch, size)`.
            weights: The weights, of the dtype of `x`.
            mask: `(time, batch)`, or None.
            u: The unit roundoff of the framework's computation.

        Returns:
            A bound of the error of `h`, `(time, batch, output)`. None if the cell knows no bound.
        """
        return None

    def largest_sums(self, x: Array, before: Values, weights: WeightsT) -> Array | None:
        """The largest sum that each step may reach, whatever the order and the signs of its terms.

        Args:
            x: The input, `(time, batch, input)`.
            before: The states before each step, by letter, `(time, batch, size)`.
            weights: The weights, of the dtype of `x`.

        Returns:
            The largest sum of absolute values, over all gates and units, `(time, batch)`. None if
            the cell does not know its sums.
        """
        return None

    def explaining(
        self, before: Values, values: Values, shown: Array, weights: WeightsT, unit: int
    ) -> dict[str, Array]:
        """For each gate, the change of its pre-activation that would explain a unit's output.

        Args:
            before: The states before each step, by letter, `(time, batch, size)`.
            values: What each step computes, by letter, `(time, batch, size)`.
            shown: The hidden state of the unit in the framework, `(time, batch)`.
            weights: The weights, of the dtype of `x`.
            unit: The index of the unit.

        Returns:
            The changes by gate, `(time, batch)`. Empty if the cell cannot tell.
        """
        return {}

    def readings(self, weights: WeightsT) -> Iterator[Reading]:
        """The other conventions under which frameworks are known to compute this cell.

        Args:
            weights: The weights as the user gave them.
        """
        yield from ()

    def unknown_biases(self, weights: WeightsT) -> list[UnknownBiases]:
        """Sets of biases that can be inferred from the output of the cell, the likeliest set first.

        The output of each unit depends on no biases but its own.

        Args:
            weights: The weights as the user gave them.
        """
        return []

    def unseen_states(
        self, values: Values, shown: Array, mask: BoolArray, weights: WeightsT
    ) -> list[Array] | None:
        """Infer the initial states other than `h` from the output of a sequence.

        Args:
            values: What each step computes from the framework's own `h` and from zeros for the
                other states, by letter, `(time, batch, size)`.
            shown: The framework's own hidden states, `(time, batch, output)`.
            mask: `(time, batch)`. It is True where a step counts.
            weights: The weights that the cell computes with.

        Returns:
            `(batch, size)` for each state but the first. None if they cannot be inferred.
        """
        return [] if self.states == ("h",) else None
