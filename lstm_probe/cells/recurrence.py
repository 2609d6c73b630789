"""Running a cell's equations over a whole sequence.

Inside, arrays are time-major: `(time, batch, ...)`. What a cell shows of itself is `(batch, time,
size)`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Generic, TypeVar, cast

import numpy as np
import numpy.typing as npt

from lstm_probe.core.arrays import Array, BoolArray, computing_dtype
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.core.trace import GateTrace, Interval
from lstm_probe.weights.named import CellWeights

__all__ = ["Recurrence", "Values", "WeightsT"]

WeightsT = TypeVar("WeightsT", bound=CellWeights)
#: What a cell computes at one step, or at many, by letter: its gates and its states.
Values = Mapping[str, Array]

#: The inputs of so many steps are multiplied at once: more would need much memory.
_STRETCH = 64


class Recurrence(ABC, Generic[WeightsT]):
    """A recurrent cell: a frozen record of its options, and the equations of a step.

    A subclass names itself and its states, says in which interval each array of its trace lies
    (`ranges`), and writes down what the kernel makes of the inputs (`inputs`) and what one step
    computes (`step`).
    """

    #: The cell's name in logs and files.
    name: ClassVar[str]
    #: The letters of the states, in the order of `initial_state`; the first is the output.
    states: ClassVar[tuple[str, ...]]
    #: The weights that the cell computes with.
    weights_type: ClassVar[type[CellWeights]]

    # What a cell tells of itself.

    @abstractmethod
    def ranges(self, weights: WeightsT | None = None) -> dict[str, Interval]:
        """The arrays of the trace in the order in which they are shown, each with the closed
        interval of its values, or None where they are not bounded.

        Args:
            weights: what the cell computes with, if that is known: a projection has no bounds.
        """

    def input_size(self, weights: WeightsT) -> int:
        """The number of values that the cell reads at each step."""
        return weights.input_size

    def output_size(self, weights: WeightsT) -> int:
        """The number of values of the hidden state `h`."""
        return weights.output_size

    def state_size(self, letter: str, weights: WeightsT) -> int:
        """The number of values of one of the cell's states."""
        return self.output_size(weights) if letter == "h" else weights.units

    # The mathematics. `...` stands for the batch, or for time and batch. The weights are those that
    # `prepared` gives.

    def prepared(self, weights: CellWeights, dtype: npt.DTypeLike) -> WeightsT:
        """The weights as the equations take them: of one dtype, and with all biases.

        Raises:
            LstmProbeError: they are those of another cell.
        """
        if not isinstance(weights, self.weights_type):
            raise LstmProbeError(
                f"These are not the weights of the {self.name} cell. Received: "
                f"{type(weights).__name__}. Expected: {self.weights_type.__name__}, as "
                "lstm_probe.weights makes them from a framework's layout."
            )
        return cast(WeightsT, weights.astype(dtype))

    @abstractmethod
    def inputs(self, x: Array, weights: WeightsT) -> Array:
        """What the kernel makes of inputs, with the bias: all that needs no state.

        Args:
            x: `(..., input)`.
            weights: of the dtype of `x`.

        Returns:
            `(..., gates, units)`.
        """

    @abstractmethod
    def step(self, inputs: Array, before: Values, weights: WeightsT) -> dict[str, Array]:
        """The equations: one step, or many whose states before are all known.

        Args:
            inputs: `(..., gates, units)`, as `inputs` gives them.
            before: the states before, by letter, `(..., units)`.
            weights: of the dtype of the inputs.

        Returns:
            By letter, `(..., units)`: the gates, and the new states.
        """

    # A whole sequence.

    def run(
        self,
        x: npt.ArrayLike,
        weights: CellWeights,
        *,
        initial_state: Sequence[npt.ArrayLike] | None = None,
        mask: npt.ArrayLike | None = None,
        dtype: npt.DTypeLike | None = None,
        reverse: bool = False,
    ) -> GateTrace:
        """Recompute every gate of every timestep.

        Args:
            x: `(batch, time, input)`.
            weights: the cell's canonical weights.
            initial_state: one array for each of the cell's states, `(batch, units)`, or
                `(batch, output)` for an `h` that is projected; None for zeros.
            mask: `(batch, time)`, False where a step is skipped: the state is carried over it.
            dtype: float32 or float64; by default that of the weights, at least float32.
            reverse: read from the last timestep to the first.

        Returns:
            The trace; each array is `(batch, time, units)` of `dtype`, in the order of the input's
            time. NaN and infinity flow through as they do in a framework.

        Raises:
            LstmProbeError: the shapes do not fit, there is nothing to compute, or the weights
                are those of another cell.
        """
        x = np.asarray(x)
        mask = None if mask is None else np.asarray(mask, dtype=bool)
        if reverse and x.ndim > 1:
            x, mask = x[:, ::-1], None if mask is None else mask[:, ::-1]
        dtype = computing_dtype(weights.dtype if dtype is None else np.dtype(dtype))
        own = self.prepared(weights, dtype)
        self._check(x, own, mask)
        state = self.initial_states(initial_state, x.shape[0], own, dtype)
        steps = None if mask is None or mask.all() else np.ascontiguousarray(mask.T)
        with np.errstate(all="ignore"):  # as in a framework, infinity and NaN are values
            values = self._recur(
                np.ascontiguousarray(x.swapaxes(0, 1), dtype=dtype), own, state, steps
            )
        ranges = self.ranges(own)
        trace = GateTrace(
            arrays={letter: values[letter].swapaxes(0, 1) for letter in ranges},
            ranges=ranges,
            cell=self.name,
            mask=mask,
            states=tuple(letter for letter in self.states if letter in ranges),
        )
        return trace.reversed_in_time() if reverse else trace

    def _recur(
        self, x: Array, weights: WeightsT, state: Values, mask: BoolArray | None
    ) -> dict[str, Array]:
        """Run the equations over `(time, batch, input)`; all arrays are of one dtype."""
        before = {letter: self._inside(array, weights) for letter, array in state.items()}
        inputs = self._inputs_of_steps(x, weights)

        def step(t: int, before: Values) -> dict[str, Array]:
            return self.step(next(inputs), before, weights)

        return self._outside(self._walk(step, len(x), before, mask))

    def _inputs_of_steps(self, x: Array, weights: WeightsT) -> Iterator[Array]:
        for start in range(0, len(x), _STRETCH):
            yield from self.inputs(x[start : start + _STRETCH], weights)

    def _walk(
        self,
        step: Callable[[int, Values], dict[str, Array]],
        time: int,
        before: Values,
        mask: BoolArray | None,
    ) -> dict[str, Array]:
        """Step after step; where the mask is False, the states stay as they are."""
        kept: dict[str, Array] = {}
        for start in range(0, time, _STRETCH):
            stop = min(start + _STRETCH, time)
            trace = []
            for t in range(start, stop):
                after = step(t, before)
                if mask is not None:
                    for letter in self.states:
                        valid = mask[t].reshape(-1, *[1] * (before[letter].ndim - 1))
                        after[letter] = np.where(valid, after[letter], before[letter])
                trace.append(after)
                before = after  # the states are among the values
            kept = kept or {k: np.empty((time, *v.shape), v.dtype) for k, v in before.items()}
            for letter, array in kept.items():  # together: one by one takes longer
                rows = array[start:stop].reshape(-1, *array.shape[2:])
                np.concatenate([each[letter] for each in trace], out=rows)
        return kept

    def _inside(self, array: Array, weights: WeightsT) -> Array:
        """A state as the equations take it, from `(..., size)`."""
        return array

    def _flat(self, array: Array) -> Array:
        """What the equations give, as a trace shows it: `(..., size)`."""
        return array

    def _outside(self, values: Values) -> dict[str, Array]:
        return {letter: self._flat(array) for letter, array in values.items()}

    # Checks of what a cell is given.

    def _check(self, x: npt.NDArray[Any], weights: WeightsT, mask: npt.NDArray[Any] | None) -> None:
        features = self.input_size(weights)
        if x.ndim != 3 or x.shape[2] != features or 0 in x.shape[:2]:
            raise LstmProbeError(
                f"The input does not fit the {self.name} cell. Received: shape {x.shape}. "
                f"Expected: (batch, time, {features}) with at least one sequence and one timestep."
            )
        if mask is not None and mask.shape != x.shape[:2]:
            raise LstmProbeError(
                f"The mask does not fit the input. Received: shape {mask.shape}. "
                f"Expected: (batch, time) = {x.shape[:2]}."
            )

    def initial_states(
        self,
        given: Sequence[npt.ArrayLike] | None,
        batch: int,
        weights: WeightsT,
        dtype: npt.DTypeLike,
    ) -> dict[str, Array]:
        """The states before the first step, by letter, `(batch, size)`; zeros where none is given.

        Raises:
            LstmProbeError: they do not fit the cell.
        """
        shapes = [(batch, self.state_size(letter, weights)) for letter in self.states]
        if given is None:
            arrays = [np.zeros(shape, dtype) for shape in shapes]
            return dict(zip(self.states, arrays, strict=True))
        arrays = [np.asarray(state) for state in given]
        if [state.shape for state in arrays] != shapes:
            raise LstmProbeError(
                f"The initial state does not fit the {self.name} cell. Received: shapes "
                f"{[state.shape for state in arrays]}. Expected: one array for each of the states "
                f"{', '.join(self.states)}, (batch, units), of shapes {shapes}."
            )
        return {
            letter: state.astype(dtype) for letter, state in zip(self.states, arrays, strict=True)
        }
