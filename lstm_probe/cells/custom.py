"""Cells of the user's own: a recurrence for one step, told to lstm_probe by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

import numpy as np
import numpy.typing as npt

from lstm_probe.cells.backward import Back, Run, StepBack
from lstm_probe.cells.base import Cell, Values
from lstm_probe.cells.shared.rounding_of_functions import own_error
from lstm_probe.core.arrays import Array, BoolArray
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.core.precision import UNIT_ROUNDOFF
from lstm_probe.core.trace import Interval
from lstm_probe.weights.named import CellWeights, NamedWeights

__all__ = ["CustomCell", "OneStepBack", "Recurrence", "Steps", "register_cell", "registered_cell"]

#: One step: `x (batch, input)`, the states, each `(batch, size)`, and the weights by name, to the
#: arrays to show, each `(batch, units)`, with `h`, the output, among them; and the new states.
Recurrence: TypeAlias = Callable[
    [Array, Sequence[Array], NamedWeights], tuple[Mapping[str, Array], Sequence[Array]]
]
#: All steps at once: `x (time, batch, input)`, the output before each, `(time, batch, output)`, the
#: states before the first, and the weights, to the arrays to show, each `(time, batch, units)`.
Steps: TypeAlias = Callable[[Array, Array, Sequence[Array], NamedWeights], Mapping[str, Array]]
#: Back through one step: `x`, the states before it, the weights, and the gradients by the new
#: states, to the gradients by `x` and by the states before.
OneStepBack: TypeAlias = Callable[
    [Array, Sequence[Array], NamedWeights, Sequence[Array]], tuple[Array, Sequence[Array]]
]

#: How much larger than a sample of its own kind, of one unit at one step, a rounding error may be.
_SAMPLE_MARGIN = 16

_registered: dict[str, CustomCell] = {}


@dataclass(frozen=True)
class CustomCell(Cell[NamedWeights]):
    """A cell whose recurrence the user has told.

    Attributes:
        kind: the name of the framework's class.
        recurrence: one step.
        intervals: the arrays to show, with the interval of their values, or None.
        states: the arrays that are the states, in the cell's order.
        keeper: the gate that keeps the old state.
        own_steps: all steps at once, from the framework's own output.
        own_back: back through one step.
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
        told = tuple(state) == self.states and self._shows_its_state(x, state, weights)
        values, _ = self._one_by_one(x, weights, state, mask, None, carried=told)
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
        """Whether the output is the state of that name, so that a step can start from it: tried
        from random states, as zeros may hide that they are two things."""
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
        """What each step shows, and the states before it.

        Args:
            x: `(time, batch, input)`.
            weights: by name.
            initial: the states before the first step.
            mask: `(time, batch)`, or None.
            known: the outputs before each step, `(time, batch, output)`, to start from; or None.
            carried: the states are shown, so that a masked step shows them as they were. If not, it
                repeats the output of the step before it, which is zero at first.
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
        """The errors of float32, scaled to `u`: one step's errors are linear in it.

        The largest over all units of a sequence and its steps so far is a sample of many, so a
        margin covers what another order of summation makes of it.
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
        letters = self.states
        if len(given) != len(letters):  # a cell that has not told which arrays are its states
            letters = tuple(f"state {k}" for k in range(len(given)))
        return {k: np.asarray(v, dtype) for k, v in zip(letters, given, strict=True)}


def register_cell(
    kind: str,
    *,
    ranges: Mapping[str, Interval],
    states: Sequence[str] = ("h",),
    keeper: str | None = None,
    steps: Steps | None = None,
    back: OneStepBack | None = None,
) -> Callable[[Recurrence], Recurrence]:
    """Tell lstm_probe how a cell of your own computes one step, so that its gates are shown and
    its parity is proved. A later registration of the same name replaces an earlier one.

    Args:
        kind: the name of the cell's class.
        ranges: the arrays to show, in that order, each with the closed interval of its values, or
            None if they are not bounded; `h`, the cell's output, must be among them.
        states: which of these arrays are the states, in the cell's own order. With that, each
            step is also recomputed from the framework's own output, which tells a network that
            multiplies rounding errors from one that computes something else.
        keeper: the gate that keeps the old state, whose memory horizon is measured.
        steps: all steps at once, if there is a quicker way than one by one: a function of `x
            (time, batch, input)`, the output before each step, `(time, batch, output)`, the
            states before the first, and the weights. It returns the arrays to show, each
            `(time, batch, units)`.
        back: back through one step, for the gradient through time: a function of `x`, the states
            before the step, the weights, and the gradients by the new states. It returns the
            gradient by `x` and a sequence of those by the states before. The gradient by a state is
            then what later steps owe it; what another state of the same step is made of it, as an
            LSTM's `h` of its `c`, is not counted.

    Returns:
        A decorator for a function of `x (batch, input)`, the states, each `(batch, size)`, and
        the weights, by the names of the cell's variables. It returns the arrays to show, each
        `(batch, units)`, and the new states.

    Raises:
        LstmProbeError: `h` is missing, or a state or the keeper is none of the arrays.

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
    """The cell that was registered under the name of a class; None if there is none."""
    return _registered.get(kind)
