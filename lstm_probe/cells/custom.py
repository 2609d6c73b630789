"""Cells of the user's own: a recurrence for one step, told to lstm_probe by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

import numpy as np
import numpy.typing as npt

from lstm_probe.cells.base import Cell
from lstm_probe.core.arrays import Array, BoolArray
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.core.trace import Interval
from lstm_probe.weights.named import CellWeights, NamedWeights

__all__ = ["CustomCell", "Recurrence", "register_cell", "registered_cell"]

#: One step: `x (batch, input)`, the states, each `(batch, size)`, and the weights by name, to the
#: arrays to show, each `(batch, units)`, with `h`, the output, among them; and the new states.
Recurrence: TypeAlias = Callable[
    [Array, Sequence[Array], NamedWeights], tuple[Mapping[str, Array], Sequence[Array]]
]

_registered: dict[str, CustomCell] = {}


@dataclass(frozen=True)
class CustomCell(Cell[NamedWeights]):
    """A cell whose recurrence the user has told.

    Attributes:
        kind: the name of the framework's class.
        recurrence: one step.
        intervals: the arrays to show, with the interval of their values, or None.
    """

    kind: str
    recurrence: Recurrence
    intervals: tuple[tuple[str, Interval], ...]

    name: ClassVar[str] = "custom"
    states: ClassVar[tuple[str, ...]] = ("h",)
    weights_type: ClassVar[type[CellWeights]] = NamedWeights

    def ranges(self, weights: NamedWeights | None = None) -> dict[str, Interval]:
        return dict(self.intervals)

    def _recur(
        self, x: Array, weights: NamedWeights, state: list[Array], mask: BoolArray | None
    ) -> dict[str, Array]:
        steps: list[Mapping[str, Array]] = []
        for t, x_t in enumerate(x):
            arrays, new = self.recurrence(x_t, state, weights)
            if mask is not None:
                valid = mask[t][:, None]
                new = [np.where(valid, ours, old) for ours, old in zip(new, state, strict=True)]
                before = steps[-1]["h"] if steps else np.zeros_like(arrays["h"])
                arrays = {**arrays, "h": np.where(valid, arrays["h"], before)}
            state = list(new)
            steps.append(arrays)
        return {letter: np.stack([step[letter] for step in steps]) for letter in self.ranges()}

    def _initial_state(
        self,
        given: Sequence[npt.ArrayLike] | None,
        batch: int,
        weights: NamedWeights,
        dtype: npt.DTypeLike,
    ) -> list[Array]:
        if given is None:
            return [np.zeros((batch, weights.output_size), dtype)]
        return [np.asarray(state, dtype) for state in given]


def register_cell(
    kind: str, *, ranges: Mapping[str, Interval]
) -> Callable[[Recurrence], Recurrence]:
    """Tell lstm_probe how a cell of your own computes one step, so that its gates are shown and
    its parity is proved. A later registration of the same name replaces an earlier one.

    Args:
        kind: the name of the cell's class.
        ranges: the arrays to show, in that order, each with the closed interval of its values, or
            None if they are not bounded; `h`, the cell's output, must be among them.

    Returns:
        A decorator for a function of `x (batch, input)`, the states, each `(batch, size)`, and
        the weights, by the names of the cell's variables. It returns the arrays to show, each
        `(batch, units)`, and the new states.

    Raises:
        LstmProbeError: `h` is missing.

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

    def decorate(recurrence: Recurrence) -> Recurrence:
        _registered[kind] = CustomCell(kind, recurrence, tuple(ranges.items()))
        return recurrence

    return decorate


def registered_cell(kind: str) -> CustomCell | None:
    """The cell that was registered under the name of a class; None if there is none."""
    return _registered.get(kind)
