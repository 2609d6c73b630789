"""What every cell has in common: it is described by its options and recomputes a sequence."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, Generic, TypeVar, cast

import numpy as np
import numpy.typing as npt

from lstm_probe.core.arrays import Array, BoolArray, computing_dtype
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.core.trace import GateTrace, Interval
from lstm_probe.weights.named import CellWeights

__all__ = ["Cell"]

WeightsT = TypeVar("WeightsT", bound=CellWeights)


class Cell(ABC, Generic[WeightsT]):
    """A recurrent cell: a frozen record of its options, and the recurrence itself.

    A subclass names itself and its states, says in which interval each array of its trace lies,
    and writes its equations in `_recur`.
    """

    #: The cell's name in logs and files.
    name: ClassVar[str]
    #: The letters of the states, in the order of `initial_state`.
    states: ClassVar[tuple[str, ...]]
    #: The weights that the cell computes with.
    weights_type: ClassVar[type[CellWeights]]

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

    @abstractmethod
    def _recur(
        self, x: Array, weights: WeightsT, state: list[Array], mask: BoolArray | None
    ) -> dict[str, Array]:
        """Run the equations; everything is time-major, `(time, batch, ...)`, and of one dtype."""

    def run(
        self,
        x: npt.ArrayLike,
        weights: CellWeights,
        *,
        initial_state: Sequence[npt.ArrayLike] | None = None,
        mask: npt.ArrayLike | None = None,
        dtype: npt.DTypeLike | None = None,
    ) -> GateTrace:
        """Recompute every gate of every timestep.

        Args:
            x: `(batch, time, input)`.
            weights: the cell's canonical weights.
            initial_state: one array for each of the cell's states, `(batch, units)`, or
                `(batch, output)` for an `h` that is projected; None for zeros.
            mask: `(batch, time)`, False where a step is skipped: the state is carried over it.
            dtype: float32 or float64; by default that of the weights, at least float32.

        Returns:
            The trace; each array is `(batch, time, units)` of `dtype`. NaN and infinity flow
            through as they do in a framework.

        Raises:
            LstmProbeError: the shapes do not fit, there is nothing to compute, or the weights
                are those of another cell.
        """
        x = np.asarray(x)
        mask = None if mask is None else np.asarray(mask, dtype=bool)
        dtype = computing_dtype(weights.dtype if dtype is None else np.dtype(dtype))
        own = self._converted(self._own(weights), dtype)
        self._check(x, own, mask)
        state = self._initial_state(initial_state, x.shape[0], own, dtype)
        steps = None if mask is None or mask.all() else np.ascontiguousarray(mask.T)
        with np.errstate(all="ignore"):  # as in a framework, infinity and NaN are values
            arrays = self._recur(
                np.ascontiguousarray(x.swapaxes(0, 1), dtype=dtype), own, state, steps
            )
        ranges = self.ranges(own)
        return GateTrace(
            arrays={letter: arrays[letter].swapaxes(0, 1) for letter in ranges},
            ranges=ranges,
            cell=self.name,
            mask=mask,
        )

    def _converted(self, weights: WeightsT, dtype: np.dtype[Any]) -> WeightsT:
        """The weights as `_recur` takes them."""
        return cast(WeightsT, weights.astype(dtype))

    def _own(self, weights: CellWeights) -> WeightsT:
        if not isinstance(weights, self.weights_type):
            raise LstmProbeError(
                f"These are not the weights of the {self.name} cell. Received: "
                f"{type(weights).__name__}. Expected: {self.weights_type.__name__}, as "
                "lstm_probe.weights makes them from a framework's layout."
            )
        return cast(WeightsT, weights)

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

    def _initial_state(
        self,
        given: Sequence[npt.ArrayLike] | None,
        batch: int,
        weights: WeightsT,
        dtype: npt.DTypeLike,
    ) -> list[Array]:
        shapes = [(batch, self.state_size(letter, weights)) for letter in self.states]
        if given is None:
            return [np.zeros(shape, dtype) for shape in shapes]
        arrays = [np.asarray(state) for state in given]
        if [state.shape for state in arrays] != shapes:
            raise LstmProbeError(
                f"The initial state does not fit the {self.name} cell. Received: shapes "
                f"{[state.shape for state in arrays]}. Expected: one array for each of the states "
                f"{', '.join(self.states)}, (batch, units), of shapes {shapes}."
            )
        return [state.astype(dtype) for state in arrays]
