"""From a snapshot and its trace to what backpropagation walks along, and back."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lstm_probe.analysis.snapshot import Snapshot
from lstm_probe.cells.backward import Run
from lstm_probe.core.arrays import Array
from lstm_probe.core.trace import GateTrace

__all__ = ["run_of", "shown", "to_input_time"]


def run_of(snapshot: Snapshot, trace: GateTrace, dtype: npt.DTypeLike = np.float64) -> Run | None:
    """The sequence of a snapshot, time-major and in reading order.

    Args:
        snapshot: what was captured.
        trace: its gates, in float64.
        dtype: of the gradients.

    Returns:
        None for a cell whose derivatives are not known.
    """
    cell = snapshot.cell
    if cell is None or "h" not in cell.states:
        return None
    flip = slice(None, None, -1 if snapshot.reverse else 1)
    weights = cell.prepared(snapshot.weights, dtype)
    run = Run(
        weights,
        x=np.ascontiguousarray(snapshot.x[:, flip].swapaxes(0, 1), np.float64),
        arrays={letter: trace[letter][:, flip].swapaxes(0, 1) for letter in trace.letters},
        initial=cell.initial_states(snapshot.initial_state, len(snapshot.x), weights, np.float64),
        mask=None if snapshot.mask is None or snapshot.mask.all() else snapshot.mask[:, flip].T,
    )
    return None if cell.back(run.stretch(0, 1)) is None else run


def shown(cotangent: Array, run: Run, snapshot: Snapshot) -> Array:
    """From the gradient by the output to that by the states, time-major: zeros that a layer shows
    at masked steps depend on nothing."""
    mask = run.mask
    if mask is None or (snapshot.initial_output_for_mask and not snapshot.zero_output_for_mask):
        return cotangent
    seen = mask if snapshot.zero_output_for_mask else np.logical_or.accumulate(mask, axis=0)
    return np.where(seen[:, :, None], cotangent, 0.0)


def to_input_time(array: Array, snapshot: Snapshot) -> Array:
    """Time-major in reading order to `(batch, time, ...)` in the order of the input's time."""
    return array.swapaxes(0, 1)[:, :: -1 if snapshot.reverse else 1]
