"""What the analyses of a network's computation begin with: a snapshot, its trace, its units."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lstm_probe.analysis.analysis import Analysis
from lstm_probe.analysis.snapshot import Snapshot
from lstm_probe.analysis.subject import traced
from lstm_probe.cells import Cell
from lstm_probe.core.arrays import Array
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.core.trace import GateTrace

__all__ = ["Captured", "Units", "captured"]


@dataclass(frozen=True, eq=False)
class Units:
    """The units of a layer: those of its gates, or the filters of a convolutional cell.

    Attributes:
        word: `unit` or `filter`.
        of_state: `(size,)`, int: the unit of each value of a gate or of the cell state.
        of_output: `(output,)`, int: the unit of each value of `h`; -1 where `h` is a projection,
            whose values belong to no unit.
    """

    word: str
    of_state: npt.NDArray[np.intp]
    of_output: npt.NDArray[np.intp]

    @property
    def count(self) -> int:
        """The number of units."""
        return int(self.of_state.max()) + 1

    @property
    def projected(self) -> bool:
        """Whether `h` is a projection, so that its values are not those of the units."""
        return bool((self.of_output < 0).any())


@dataclass(frozen=True, eq=False)
class Captured:
    """One layer on the probe, recomputed in float64.

    Attributes:
        snapshot: what was captured.
        cell: its cell.
        trace: its gates, in the order of the input's time.
        units: its units.
    """

    snapshot: Snapshot
    cell: Cell[Any]
    trace: GateTrace
    units: Units

    @property
    def memory(self) -> str:
        """The letter of the state that holds the memory: `c` where there is one, else `h`."""
        letters = [each for each in self.cell.states if each in self.trace.letters]
        return "c" if "c" in letters else letters[0] if letters else "h"

    @property
    def output(self) -> Array:
        """`(batch, time, output)`: `h` as the layer gives it, in the order of the input's time."""
        return self.trace.shown(
            zero_output_for_mask=self.snapshot.zero_output_for_mask,
            initial_output_for_mask=self.snapshot.initial_output_for_mask,
        )

    def valid(self) -> npt.NDArray[np.bool_]:
        """`(batch, time)`: where a step counts."""
        mask = self.snapshot.mask
        return np.ones(self.snapshot.x.shape[:2], bool) if mask is None else mask


def captured(seen: Analysis | Snapshot) -> Captured:
    """Take up what was captured of a layer.

    Args:
        seen: an analysis, or a snapshot, which is recomputed first.

    Raises:
        LstmProbeError: the recurrence of the cell is not known, or no step of the probe counts.

    Example:
        >>> from lstm_probe import LstmCell, weights
        >>> cell = weights.from_keras(np.zeros((3, 8)), np.zeros((2, 8)))
        >>> x, h = np.zeros((1, 5, 3)), np.zeros((1, 5, 2))
        >>> found = captured(Snapshot(0, "memory", LstmCell(), cell, x=x, output=h))
        >>> found.memory, found.units.count, found.units.word
        ('c', 2, 'unit')
    """
    snapshot, trace = traced(seen)
    cell = snapshot.cell
    if cell is None:
        raise LstmProbeError(
            f"The recurrence of layer {snapshot.layer!r} is not known. Received: a cell without "
            "equations. Expected: a cell that lstm_probe.register_cell knows."
        )
    if snapshot.mask is not None and not snapshot.mask.any():
        raise LstmProbeError(
            f"No step of the probe counts in layer {snapshot.layer!r}. Received: a mask that is "
            "False everywhere. Expected: a probe with at least one step that is not masked."
        )
    return Captured(snapshot, cell, trace, _units(snapshot, cell, trace))


def _units(snapshot: Snapshot, cell: Cell[Any], trace: GateTrace) -> Units:
    outputs = trace["h"].shape[-1]
    size = next((trace[k].shape[-1] for k in trace.letters if k != "h"), outputs)
    images = cell.unflattened(np.arange(float(size))[None], snapshot.weights)[0]
    of_state = np.empty(size, np.intp)
    of_state[images.astype(np.intp)] = np.arange(images.shape[-1])
    projected = outputs != size or getattr(snapshot.weights, "projection", None) is not None
    of_output = np.full(outputs, -1, np.intp) if projected else of_state
    return Units("filter" if images.ndim > 1 else "unit", of_state, of_output)
