"""The sequence that a network ran through on its probe, made ready for its Jacobians."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lstm_probe.analysis.gradient.sequence import run_of
from lstm_probe.analysis.subject import Subject, traced
from lstm_probe.cells.backward import Run
from lstm_probe.cells.base import Cell
from lstm_probe.cells.jacobian import joined, one_step, state_jacobians
from lstm_probe.core.arrays import Array, BoolArray

__all__ = ["LARGEST", "NOT_FINITE", "Driven", "driven"]

#: What is said of a layer whose derivatives are no numbers.
NOT_FINITE = "The Jacobian holds NaN or infinity, so nothing is said of its eigenvalues."

#: The largest whole state whose Jacobians are computed: their time grows with its cube.
_MOST = 1024
#: Beyond such states squares and products overflow.
LARGEST = 1e50
#: So many values of Jacobians are held at once.
_VALUES = 2**22


@dataclass(frozen=True, eq=False)
class Driven:
    """The sequences of a probe, time-major and in the order of reading.

    Attributes:
        cell: the cell.
        run: what it computed, in float64.
        valid: `(time, batch)`, False at masked steps.
        whole: the size of the whole state, `(h, c)` for an LSTM.
        reverse: whether the layer reads from the last timestep to the first.
    """

    cell: Cell[Any]
    run: Run
    valid: BoolArray
    whole: int
    reverse: bool = False

    @property
    def lengths(self) -> Array:
        """How many steps of each sequence count, `(batch,)`."""
        return np.asarray(self.valid.sum(axis=0))

    def states(self) -> dict[str, Array]:
        """The states at the start and after every step that counts, by letter, `(count, size)`."""
        return {
            letter: np.concatenate([self.run.initial[letter], self.run.arrays[letter][self.valid]])
            for letter in self.cell.states
        }

    def whole_states(self) -> Array:
        """The same as one array, `(count, whole)`."""
        return joined(self.states(), self.cell)

    def parts(self) -> Iterator[tuple[slice, Driven]]:
        """The sequences in parts whose Jacobians fit into memory, each with its place."""
        count = max(1, _VALUES // self.whole**2)
        for start in range(0, self.valid.shape[1], count):
            place = slice(start, start + count)
            run = self.run
            part = replace(
                run,
                x=run.x[:, place],
                arrays={letter: array[:, place] for letter, array in run.arrays.items()},
                initial={letter: array[place] for letter, array in run.initial.items()},
                mask=None if run.mask is None else run.mask[:, place],
            )
            yield place, replace(self, run=part, valid=self.valid[:, place])

    def jacobian_at(self, t: int, sequence: int) -> Array:
        """The Jacobian of one step, `(whole, whole)`."""
        place = slice(sequence, sequence + 1)
        before = {letter: self.run.before(letter)[t, place] for letter in self.cell.states}
        x = self.run.x[t, place]
        jacobian = one_step(self.cell, self.run.weights, x, before)[1]
        assert jacobian is not None
        return np.asarray(jacobian[0])

    def jacobians(self) -> Iterator[Array]:
        """The Jacobian of each step, `(batch, whole, whole)`."""
        return state_jacobians(self.cell, self.run)


def driven(subject: Subject) -> Driven | str:
    """Make a layer ready, or say in words what is missing.

    Args:
        subject: the layer.

    Returns:
        The sequences, or a sentence that says why there are no Jacobians.
    """
    snapshot, trace = traced(subject)
    cell = snapshot.cell
    if cell is None:
        return "The recurrence of this cell is not known, so nothing is said of its stability."
    run = run_of(snapshot, trace)
    if run is None:
        return "The derivatives of this cell are not known, so there are no Jacobians."
    valid = np.ones(run.x.shape[:2], np.bool_) if run.mask is None else np.asarray(run.mask)
    whole = sum(run.initial[letter].shape[-1] for letter in cell.states)
    if not valid.any():
        return "Every step of the probe is masked, so there is no step to look at."
    if whole > _MOST:
        return f"The state has {whole} values; Jacobians are computed for up to {_MOST}."
    ready = Driven(cell, run, valid, whole, snapshot.reverse)
    most = max(float(np.abs(array).max()) for array in ready.states().values())
    if not np.isfinite(most):
        return "The states hold NaN or infinity, so nothing is said of their stability."
    if most > LARGEST:
        return f"The states grow to {most:.0e}: the network explodes, and no more is said of it."
    return ready
