"""The loop over time that every cell shares.

The equations work on arrays `(time, batch, ...)`. Callers pass and get `(batch, time, size)`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Generic, TypeAlias, TypeVar, cast

import numpy as np
import numpy.typing as npt

from lstm_probe.core.arrays import Array, BoolArray, as_floats, computing_dtype, dtype_name
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.core.masks import as_mask
from lstm_probe.core.trace import GateTrace, Interval
from lstm_probe.weights.named import CellWeights

__all__ = ["Clamp", "Recurrence", "Values", "WeightsT", "state_arrays", "unclamped"]

WeightsT = TypeVar("WeightsT", bound=CellWeights)
#: What a cell computes at one step or at many steps: its gates and its states, by letter.
Values = Mapping[str, Array]
#: Puts other values in the place of an array that a step has computed. The arguments are the letter
#: of the array and the array, `(..., units)`. It returns the array that the step goes on with.
Clamp: TypeAlias = Callable[[str, Array], Array]

#: The inputs of this many steps are multiplied at once. A longer stretch would need more memory.
_STRETCH = 64


def unclamped(letter: str, array: Array) -> Array:
    """The clamp that changes nothing."""
    return array


class Recurrence(ABC, Generic[WeightsT]):
    """A recurrent cell: a frozen record of its options, and the equations of one step.

    A subclass says its name and its states, the interval of each array of its trace (`ranges`),
    what the kernel makes of the inputs (`inputs`), and what one step computes (`step`).
    """

    #: The name of the cell in logs and files.
    name: ClassVar[str]
    #: The letters of the states, in the order of `initial_state`. The first is the output.
    states: tuple[str, ...]
    #: The class of the weights that the cell computes with.
    weights_type: ClassVar[type[CellWeights]]

    # What a cell says about itself.

    @abstractmethod
    def ranges(self, weights: WeightsT | None = None) -> dict[str, Interval]:
        """The closed interval of the values of each array of the trace, in the order of display.

        Args:
            weights: The weights, if they are known. They tell whether the output is a projection,
                which has no bounds.

        Returns:
            The intervals by letter. None stands for an array that has no bounds.
        """

    def input_size(self, weights: WeightsT) -> int:
        """The number of values that the cell reads at each step."""
        return weights.input_size

    def output_size(self, weights: WeightsT) -> int:
        """The number of values of the hidden state `h`."""
        return weights.output_size

    def state_size(self, letter: str, weights: WeightsT) -> int:
        """The number of values of one of the states."""
        return self.output_size(weights) if letter == "h" else weights.units

    # The equations. `...` stands for `batch`, or for `time, batch`. All weights come from
    # `prepared`.

    def prepared(self, weights: CellWeights, dtype: npt.DTypeLike) -> WeightsT:
        """The weights in one dtype, with every bias that the equations add.

        Args:
            weights: The weights as `lstm_probe.weights` makes them.
            dtype: float32 or float64.

        Raises:
            LstmProbeError: The weights belong to another cell.
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
        """The part of each gate that needs no state: the product with the kernel, and the bias.

        Args:
            x: The input, `(..., input)`.
            weights: The weights, of the dtype of `x`.

        Returns:
            `(..., gates, units)`.
        """

    @abstractmethod
    def step(self, inputs: Array, before: Values, weights: WeightsT) -> dict[str, Array]:
        """The equations of one step, or of many steps whose states before are all known.

        Args:
            inputs: What `inputs` returned, `(..., gates, units)`.
            before: The states before, by letter, `(..., units)`.
            weights: The weights, of the dtype of the inputs.

        Returns:
            The gates and the new states by letter, `(..., units)`.
        """

    def clamped_step(
        self, inputs: Array, before: Values, weights: WeightsT, clamp: Clamp
    ) -> dict[str, Array]:
        """The equations of one step, of which a clamp may change what it has computed.

        A cell of the package clamps each array as soon as it has been computed, so that all that
        the step computes from it follows. Another cell clamps its states after the step.

        Args:
            inputs: As for `step`.
            before: As for `step`.
            weights: As for `step`.
            clamp: Is given each array of the step, by its letter.

        Returns:
            The gates and the new states by letter, `(..., units)`.
        """
        values = self.step(inputs, before, weights)
        return {k: clamp(k, v) if k in self.states else v for k, v in values.items()}

    def unflattened(self, state: Array, weights: WeightsT) -> Array:
        """A state or a gate in the shape that the equations work on.

        Args:
            state: `(..., size)`, as a trace shows it.
            weights: The weights, which tell the shape.

        Returns:
            `(..., *space, units)` for a convolutional cell. Other cells return `state` itself.
        """
        return state

    def flattened(self, array: Array) -> Array:
        """The inverse of `unflattened`: `(..., size)`, as a trace shows it."""
        return array

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
            x: The input, `(batch, time, input)`.
            weights: The weights of the cell, as `lstm_probe.weights` makes them.
            initial_state: One array for each state of the cell, `(batch, units)`. An `h` that is
                projected is `(batch, output)`. The default is zeros.
            mask: `(batch, time)`. Where it is False the step is skipped and the states stay the
                same.
            dtype: float32 or float64. The default is that of the weights, but at least float32.
            reverse: Read from the last timestep to the first.

        Returns:
            The trace. Each array is `(batch, time, units)` of `dtype`, in the order of the input.
            NaN and infinity in the input or in the weights reach the trace, as they do in a
            framework.

        Raises:
            LstmProbeError: The shapes do not fit, there is no sequence or no timestep, or the
                weights belong to another cell.
        """
        x = as_floats(x, "The input", "(batch, time, input)")
        mask = None if mask is None else as_mask(mask)
        if reverse and x.ndim > 1:
            x, mask = x[:, ::-1], None if mask is None else mask[:, ::-1]
        dtype = computing_dtype(weights.dtype if dtype is None else dtype_name(dtype))
        own = self.prepared(weights, dtype)
        self._check(x, own, mask)
        state = self.initial_states(initial_state, x.shape[0], own, dtype)
        steps = None if mask is None or mask.all() else np.ascontiguousarray(mask.T)
        with np.errstate(all="ignore"):  # infinity and NaN are values, as in a framework
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
        """Run the equations over `x`, `(time, batch, input)`. All arrays have one dtype."""
        before = {letter: self.unflattened(array, weights) for letter, array in state.items()}
        inputs = self._inputs_of_steps(x, weights)

        def step(t: int, before: Values) -> dict[str, Array]:
            return self.step(next(inputs), before, weights)

        return self._all_flattened(self._walk(step, len(x), before, mask))

    def _inputs_of_steps(self, x: Array, weights: WeightsT) -> Iterator[Array]:
        """What `inputs` makes of each step."""
        for start in range(0, len(x), _STRETCH):
            yield from self.inputs(x[start : start + _STRETCH], weights)

    def _walk(
        self,
        step: Callable[[int, Values], dict[str, Array]],
        time: int,
        before: Values,
        mask: BoolArray | None,
    ) -> dict[str, Array]:
        """Compute one step after the other. Where the mask is False, the states stay the same.

        Args:
            step: What computes a step, given its number and the states before it.
            time: The number of steps.
            before: The states before the first step, by letter.
            mask: `(time, batch)`, or None.

        Returns:
            What all steps computed, by letter, `(time, batch, ...)`.
        """
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
            for letter, array in kept.items():
                np.stack([each[letter] for each in trace], out=array[start:stop])
        return kept

    def _all_flattened(self, values: Values) -> dict[str, Array]:
        return {letter: self.flattened(array) for letter, array in values.items()}

    # Checks of the arguments.

    def _check(self, x: npt.NDArray[Any], weights: WeightsT, mask: npt.NDArray[Any] | None) -> None:
        """Raise an LstmProbeError if the shapes of the input and of the mask do not fit."""
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
        """The states before the first step.

        Args:
            given: One array `(batch, size)` for each state, or None for zeros.
            batch: The number of sequences.
            weights: The weights, which tell the sizes.
            dtype: The dtype of the result.

        Returns:
            The states by letter, `(batch, size)`.

        Raises:
            LstmProbeError: The number of arrays or their shapes do not fit the cell.
        """
        shapes = [(batch, self.state_size(letter, weights)) for letter in self.states]
        if given is None:
            given = [np.zeros(shape, dtype) for shape in shapes]
        arrays = state_arrays(given)
        if [state.shape for state in arrays] != shapes:
            raise LstmProbeError(
                f"The initial state does not fit the {self.name} cell. Received: shapes "
                f"{[state.shape for state in arrays]}. Expected: one array for each of the states "
                f"{', '.join(self.states)}, (batch, units), of shapes {shapes}."
            )
        return {
            letter: state.astype(dtype) for letter, state in zip(self.states, arrays, strict=True)
        }


def state_arrays(given: Sequence[npt.ArrayLike]) -> list[Array]:
    """The initial states that a user gives, as arrays.

    Args:
        given: One array or nested list for each state.

    Raises:
        LstmProbeError: One of them is no array of numbers.
    """
    return [as_floats(state, "An initial state", "(batch, units)") for state in given]
