"""The recurrence, run once for many copies of the probe, in each of which one unit is clamped."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lstm_probe.analysis.captured import Captured
from lstm_probe.core.arrays import Array

__all__ = ["Clamps", "Deviation", "deviations"]

#: Copies are run in groups, so that a group's values take about this many numbers.
_NUMBERS = 2**22
#: On common processors, products of a multiple of this many rows sum all rows in the same order.
_ROWS = 16


@dataclass(frozen=True, eq=False)
class Clamps:
    """Units, and the values to which each of them is clamped.

    Attributes:
        units: the units; there is a copy of the probe for each.
        values: by the letter of each array that is clamped, one value for each of these units.
    """

    units: Sequence[int]
    values: dict[str, Array]

    def part(self, start: int, stop: int) -> Clamps:
        """The same for some of the units."""
        values = {k: v[start:stop] for k, v in self.values.items()}
        return Clamps(self.units[start:stop], values)


@dataclass(frozen=True, eq=False)
class Deviation:
    """What a group of copies computes, and what they would compute with nothing clamped.

    Attributes:
        units: the unit that is clamped in each copy.
        clamped: `(time, copies, batch, output)`, `h` in the order of reading.
        free: the same with nothing clamped; one copy for all, or one for each. What a clamp does
            not reach is equal to the last bit.
    """

    units: Sequence[int]
    clamped: Array
    free: Array


def deviations(seen: Captured, clamps: Clamps) -> Iterator[Deviation]:
    """Run the layer with one unit clamped in each copy of the probe.

    Initial states are not clamped, and neither is a step that the mask leaves out.

    Args:
        seen: the layer on the probe.
        clamps: what is clamped to which values.

    Returns:
        An iterator over groups of copies.
    """
    batch, time = seen.snapshot.x.shape[:2]
    width = seen.units.of_state.size * 8 + time * seen.units.of_output.size
    most = max(1, min(len(clamps.units), _NUMBERS // (batch * width)))
    for start in range(0, len(clamps.units), most):
        part = clamps.part(start, start + most)
        copies = len(part.units)
        free = 1 + -(copies + 1) % _ROWS
        rerun = _Rerun(seen, copies + free)
        if rerun.rows_are_alike():
            h = rerun.run(part)
            yield Deviation(part.units, h[:, :copies], h[:, copies : copies + 1])
        else:
            rerun = _Rerun(seen, copies)
            yield Deviation(part.units, rerun.run(part), rerun.run(part.part(0, 0)))


class _Rerun:
    """Runs a layer on copies of its probe.

    Args:
        seen: the layer on the probe.
        copies: the number of copies.
    """

    def __init__(self, seen: Captured, copies: int) -> None:
        snapshot, cell = seen.snapshot, seen.cell
        self._cell, self._copies, self._output = cell, copies, seen.units.of_output.size
        self._weights = cell.prepared(snapshot.weights, np.float64)
        flip = slice(None, None, -1 if snapshot.reverse else 1)
        self._x = np.ascontiguousarray(snapshot.x[:, flip].swapaxes(0, 1), np.float64)
        masked = snapshot.mask is not None and not snapshot.mask.all()
        self._mask = snapshot.mask[:, flip].T if masked and snapshot.mask is not None else None
        states = cell.initial_states(
            snapshot.initial_state, self._x.shape[1], self._weights, np.float64
        )
        self._initial = {
            letter: cell.unflattened(np.tile(state, (copies, 1)), self._weights)
            for letter, state in states.items()
        }

    def rows_are_alike(self) -> bool:
        """Whether each copy gives the same bits for the same numbers.

        A matrix product may sum the rows at its end in another order than the others. That depends
        on the shape alone, so one step shows it.
        """
        first = self._step(0, self._initial, Clamps([], {}))
        with np.errstate(all="ignore"):
            after = self._step(len(self._x) - 1, first, Clamps([], {}))["h"]
        rows = after.reshape(self._copies, -1)
        return bool(np.array_equal(rows, np.broadcast_to(rows[:1], rows.shape), equal_nan=True))

    def run(self, clamps: Clamps) -> Array:
        """`h` of all copies, `(time, copies, batch, output)`, in the order of reading.

        Args:
            clamps: what is clamped in the first copies. The others run free.
        """
        time, batch = self._x.shape[:2]
        found = np.empty((time, self._copies, batch, self._output))
        before = self._initial
        with np.errstate(all="ignore"):  # infinity and NaN are values, as in a framework
            for t in range(time):
                after = self._step(t, before, clamps)
                before = {k: self._kept(after[k], before[k], t) for k in before}
                found[t] = self._cell.flattened(before["h"]).reshape(self._copies, batch, -1)
        return found

    def _step(self, t: int, before: Mapping[str, Array], clamps: Clamps) -> dict[str, Array]:
        rows, batch = np.arange(len(clamps.units)), self._x.shape[1]

        def clamp(letter: str, array: Array) -> Array:
            if letter not in clamps.values:
                return array
            changed = array.copy().reshape(self._copies, batch, -1, array.shape[-1])
            changed[rows, :, :, clamps.units] = clamps.values[letter][:, None, None]
            return changed.reshape(array.shape)

        inputs = self._cell.inputs(self._x[t], self._weights)
        tiled = np.tile(inputs, (self._copies, *[1] * (inputs.ndim - 1)))
        return self._cell.clamped_step(tiled, before, self._weights, clamp)

    def _kept(self, after: Array, before: Array, t: int) -> Array:
        """The new states, and the old ones where the mask leaves the step out."""
        if self._mask is None:
            return after
        valid = np.tile(self._mask[t], self._copies).reshape(-1, *[1] * (after.ndim - 1))
        return np.where(valid, after, before)
