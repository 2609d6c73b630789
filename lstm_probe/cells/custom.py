"""Cells of the user: `register_cell` tells lstm_probe their equations."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

import numpy as np
import numpy.typing as npt

from lstm_probe.cells.backward import Back, Run, StepBack
from lstm_probe.cells.base import Cell, Values
from lstm_probe.cells.recurrence import state_arrays
from lstm_probe.cells.shared.rounding_of_functions import own_error
from lstm_probe.core.arrays import Array, BoolArray
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.core.precision import UNIT_ROUNDOFF
from lstm_probe.core.trace import Interval
from lstm_probe.weights.named import CellWeights, NamedWeights

__all__ = [
    "CustomCell",
    "OneStepBack",
    "Recurrence",
    "Steps",
    "register_cell",
    "registered_cell",
    "registered_kinds",
]

#: Computes one step. The arguments are the input `(batch, input)`, the states `(batch, size)`, and
#: the weights by name. The results are the arrays of the trace by letter, `(batch, units)`, and the
#: new states. The output `h` is among the arrays.
Recurrence: TypeAlias = Callable[
    [Array, Sequence[Array], NamedWeights], tuple[Mapping[str, Array], Sequence[Array]]
]
#: Computes all steps at once. The arguments are the input `(time, batch, input)`, the output before
#: each step `(time, batch, output)`, the states before the first step, and the weights by name. The
#: results are the arrays of the trace by letter, `(time, batch, units)`.
Steps: TypeAlias = Callable[[Array, Array, Sequence[Array], NamedWeights], Mapping[str, Array]]
#: Takes gradients back through one step. The arguments are the input, the states before the step,
#: the weights by name, and the gradients with respect to the new states. The results are the
#: gradients with respect to the input and to the states before.
OneStepBack: TypeAlias = Callable[
    [Array, Sequence[Array], NamedWeights, Sequence[Array]], tuple[Array, Sequence[Array]]
]

#: The bound of rounding errors is this many times the largest error in a sample of them.
_SAMPLE_MARGIN = 16

_registered: dict[str, CustomCell] = {}


@dataclass(frozen=True)
class CustomCell(Cell[NamedWeights]):
    """A cell that the user has registered.

    Attributes:
        kind: The name of the class of the cell in the framework.
        recurrence: Computes one step.
        intervals: The letters of the arrays of the trace, each with the closed interval of its
            values, or None if they are not bounded.
        states: The letters of the arrays that are the states, in the order of the cell.
        keeper: The letter of the gate that keeps the old state, or None.
        own_steps: Computes all steps at once from the framework's own output, or None.
        own_back: Takes gradients back through one step, or None.
    """

    kind: str
    recurrence: Recurrence
    intervals: tuple[tuple[str, Interval], ...]
    states: tuple[str, ...] = ("h",)
    keeper: str | None = None
    own_steps: Steps | None = None
    own_back: OneStepBack | None = None

    name: ClassVar[str] = "custom"
    weights_type: ClassVar[type[CellWeights]] = NamedWeights

    def ranges(self, weights: NamedWeights | None = None) -> dict[str, Interval]:
        return dict(self.intervals)

    def inputs(self, x: Array, weights: NamedWeights) -> Array:
        return x

    def step(self, inputs: Array, before: Values, weights: NamedWeights) -> dict[str, Array]:
        lead = inputs.shape[:-1]
        states = [before[letter].reshape(-1, before[letter].shape[-1]) for letter in self.states]
        arrays, _ = self.recurrence(inputs.reshape(-1, inputs.shape[-1]), states, weights)
        return {letter: array.reshape(*lead, -1) for letter, array in arrays.items()}

    def _recur(
        self, x: Array, weights: NamedWeights, state: Values, mask: BoolArray | None
    ) -> dict[str, Array]:
        known = tuple(state) == self.states and self._shows_its_state(x, state, weights)
        values, _ = self._one_by_one(x, weights, state, mask, None, carried=known)
        return values

    def steps(
        self,
        x: Array,
        h: Array,
        initial: Values,
        weights: NamedWeights,
        mask: BoolArray | None = None,
    ) -> tuple[dict[str, Array], dict[str, Array]] | None:
        if tuple(initial) != self.states or not self._shows_its_state(x, initial, weights):
            return None
        if self.own_steps is None or mask is not None:
            values, states = self._one_by_one(x, weights, initial, mask, h, carried=True)
            return values, dict(zip(self.states, states, strict=True))
        values = dict(self.own_steps(x, h, list(initial.values()), weights))
        before = {k: np.concatenate([initial[k][None], values[k][:-1]]) for k in self.states}
        return values, {**before, "h": h}

    def _shows_its_state(self, x: Array, initial: Values, weights: NamedWeights) -> bool:
        """Whether the output `h` is the state of that name, so that a step can start from it.

        This is tried from random states, because zeros may hide a difference.
        """
        if "h" not in self.states:
            return False
        rng = np.random.default_rng(0)
        states = [rng.normal(size=each.shape).astype(each.dtype) for each in initial.values()]
        arrays, new = self.recurrence(x[0], states, weights)
        return np.array_equal(arrays["h"], new[self.states.index("h")], equal_nan=True)

    def _one_by_one(
        self,
        x: Array,
        weights: NamedWeights,
        initial: Values,
        mask: BoolArray | None,
        known: Array | None,
        *,
        carried: bool,
    ) -> tuple[dict[str, Array], list[Array]]:
        """Compute one step after the other.

        Args:
            x: The input, `(time, batch, input)`.
            weights: The weights by name.
            initial: The states before the first step.
            mask: `(time, batch)`, or None.
            known: The outputs from which the steps start, `(time, batch, output)`. None if each
                step starts from the output of the step before it.
            carried: Whether the trace contains the states, so that a masked step shows the old
                states. If not, a masked step repeats the output of the step before it, or zeros.

        Returns:
            The arrays of the trace by letter, `(time, batch, units)`, and each state before the
            steps, `(time, batch, size)`.
        """
        states = list(initial.values())
        shown: list[Mapping[str, Array]] = []
        before: list[list[Array]] = []
        for t, x_t in enumerate(x):
            if known is not None:
                states[self.states.index("h")] = known[t]
            before.append(list(states))
            arrays, new = self.recurrence(x_t, states, weights)
            if mask is not None:
                valid = mask[t][:, None]
                new = [np.where(valid, ours, old) for ours, old in zip(new, states, strict=True)]
                last = shown[-1]["h"] if shown else np.zeros_like(arrays["h"])
                arrays = {**arrays, "h": np.where(valid, arrays["h"], last)}
                if carried:
                    arrays |= dict(zip(self.states, new, strict=True))
            states = list(new)
            shown.append(arrays)
        values = {letter: np.stack([each[letter] for each in shown]) for letter in self.ranges()}
        return values, [np.stack(each) for each in zip(*before, strict=True)]

    def back(self, run: Run) -> Back | None:
        own = self.own_back
        if own is None or tuple(run.initial) != self.states:
            return None
        if not self._shows_its_state(run.x, run.initial, run.weights):
            return None
        earlier = {letter: run.before(letter) for letter in self.states}

        def back(t: int, change: Mapping[str, Array]) -> StepBack:
            states = [earlier[letter][t] for letter in self.states]
            targets = [
                own(run.x[t], states, run.weights, changes)
                for changes in zip(*(change[letter] for letter in self.states), strict=True)
            ]
            by_x = np.stack([x for x, _ in targets])[..., None, :]
            by_states = zip(*(each for _, each in targets), strict=True)
            before = dict(zip(self.states, map(np.stack, by_states), strict=True))
            return StepBack(by_x, before, change)

        return back

    def inputs_back(self, changes: Array, weights: NamedWeights) -> Array:
        return changes[..., 0, :]

    def rounding(
        self, x: Array, before: Values, values: Values, weights: NamedWeights,
        mask: BoolArray | None, u: float,
    ) -> Array:  # fmt: skip
        """The errors of NumPy's own step in float32, scaled to `u`.

        The errors of one step are proportional to the unit roundoff. The largest error over the
        units of a sequence and over its steps so far is taken. The margin covers other orders of
        summation.
        """
        narrow, wide = (
            self.step(
                x.astype(dtype),
                {letter: array.astype(dtype) for letter, array in before.items()},
                weights.astype(dtype),
            )["h"]
            for dtype in (np.float32, np.float64)
        )
        error = np.abs(wide - narrow)
        largest = np.maximum.accumulate(np.nanmax(error, axis=2, initial=0.0), axis=0)
        scale = _SAMPLE_MARGIN * u / UNIT_ROUNDOFF["float32"]
        return scale * largest[..., None] + own_error("", values["h"], u)

    def initial_states(
        self,
        given: Sequence[npt.ArrayLike] | None,
        batch: int,
        weights: NamedWeights,
        dtype: npt.DTypeLike,
    ) -> dict[str, Array]:
        if given is None:
            return {letter: np.zeros((batch, weights.output_size), dtype) for letter in self.states}
        letters, arrays = self.states, state_arrays(given)
        if len(given) != len(letters):  # the user has not said which arrays are the states
            letters = tuple(f"state {k}" for k in range(len(given)))
        sizes = {"h": (weights.output_size,)} if letters == self.states else {}
        for letter, array in zip(letters, arrays, strict=True):
            expected = sizes.get(letter, array.shape[1:])
            if array.ndim < 2 or array.shape != (batch, *expected):
                size = weights.output_size if letter in sizes else "size"
                raise LstmProbeError(
                    f"The initial state does not fit cell {self.kind!r}. Received: {letter} of "
                    f"shape {array.shape}. Expected: ({batch}, {size}), a row for each sequence."
                )
        return {k: array.astype(dtype) for k, array in zip(letters, arrays, strict=True)}


def register_cell(
    kind: str,
    *,
    ranges: Mapping[str, Interval],
    states: Sequence[str] = ("h",),
    keeper: str | None = None,
    steps: Steps | None = None,
    back: OneStepBack | None = None,
) -> Callable[[Recurrence], Recurrence]:
    """Register the equations of a cell, so that its gates are shown and its parity is checked.

    A later registration under the same name replaces the earlier one.

    Args:
        kind: The name of the class of the cell.
        ranges: The letters of the arrays of the trace, in the order of display. Each has the closed
            interval of its values, or None if they are not bounded. The output `h` must be among
            them.
        states: The letters of the arrays that are the states, in the order of the cell. With them
            each step is also recomputed from the framework's own output. This distinguishes a
            network that multiplies rounding errors from one that computes something else.
        keeper: The letter of the gate that keeps the old state. Its memory horizon is measured.
        steps: A function that computes all steps at once, if that is faster than one by one. Its
            arguments are the input `(time, batch, input)`, the output before each step `(time,
            batch, output)`, the states before the first step, and the weights. It returns the
            arrays of the trace, each `(time, batch, units)`.
        back: A function that takes gradients back through one step, for the gradient through time.
            Its arguments are the input, the states before the step, the weights, and the gradients
            with respect to the new states. It returns the gradient with respect to the input, and a
            sequence of the gradients with respect to the states before. The gradient with respect
            to a state then holds what later steps contribute. It does not hold what the state
            contributes to another state of the same step, as `c` to `h` in an LSTM.

    Returns:
        A decorator for the function that computes one step. Its arguments are the input `(batch,
        input)`, the states, each `(batch, size)`, and the weights by the names of the cell's
        variables. It returns the arrays of the trace, each `(batch, units)`, and the new states.

    Raises:
        LstmProbeError: `h` is missing, or a state or the keeper is not one of the arrays.

    Example:
        >>> @register_cell("MinimalCell", ranges={"f": (0, 1), "h": (-1, 1)})
        ... def minimal(x, states, weights):
        ...     (h,) = states
        ...     f = 0.5 * np.tanh(0.5 * (h @ weights["recurrent_kernel"])) + 0.5
        ...     h = f * h + (1 - f) * np.tanh(x @ weights["kernel"])
        ...     return {"f": f, "h": h}, [h]
        >>> weights = NamedWeights(
        ...     {"kernel": np.ones((3, 2)), "recurrent_kernel": np.ones((2, 2))}, 3, 2
        ... )
        >>> registered_cell("MinimalCell").run(np.ones((1, 5, 3)), weights).letters
        ('f', 'h')
    """
    if "h" not in ranges:
        raise LstmProbeError(
            f"The output of cell {kind!r} is missing. Received: ranges of "
            f"{', '.join(ranges) or 'nothing'}. Expected: `h` among them."
        )
    unknown = [letter for letter in (*states, keeper) if letter not in (None, *ranges)]
    if unknown:
        raise LstmProbeError(
            f"Cell {kind!r} has no such array. Received: {', '.join(map(str, unknown))}. Expected "
            f"some of {', '.join(ranges)}."
        )

    def decorate(recurrence: Recurrence) -> Recurrence:
        _registered[kind] = CustomCell(
            kind, recurrence, tuple(ranges.items()), tuple(states), keeper, steps, back
        )
        return recurrence

    return decorate


def registered_cell(kind: str) -> CustomCell | None:
    """The cell that was registered under the name of a class, or None.

    Args:
        kind: The name of the class.

    Example:
        >>> registered_cell("NeverRegistered") is None
        True
    """
    return _registered.get(kind)


def registered_kinds() -> tuple[str, ...]:
    """The names of the classes whose cells have been registered."""
    return tuple(_registered)
