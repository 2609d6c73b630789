"""Between a snapshot in the order of the input's time and the sequence that is walked back."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lstm_probe.analysis.snapshot import Snapshot
from lstm_probe.cells.backward import Run
from lstm_probe.core.arrays import Array
from lstm_probe.core.trace import GateTrace

__all__ = ["run_of", "to_input_time", "to_states"]


def run_of(
    snapshot: Snapshot, trace: GateTrace, *, dtype: npt.DTypeLike = np.float64
) -> Run | None:
    """The computed sequence of a snapshot, time-major and in the order in which the layer reads.

    Args:
        snapshot: what was captured.
        trace: its gates, in float64.
        dtype: the dtype of the gradients.

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


def to_states(by_output: Array, run: Run, snapshot: Snapshot) -> Array:
    """From the gradient with respect to the output to that with respect to the hidden states.

    Where a layer outputs zeros at masked steps, the output depends on no state.

    Args:
        by_output: `(time, batch, units)`, in reading order.
        run: the sequence.
        snapshot: says what the layer outputs at masked steps.

    Returns:
        `(time, batch, units)`.
    """
    mask = run.mask
    if mask is None or (snapshot.initial_output_for_mask and not snapshot.zero_output_for_mask):
        return by_output
    seen = mask if snapshot.zero_output_for_mask else np.logical_or.accumulate(mask, axis=0)
    return np.where(seen[:, :, None], by_output, 0.0)


def to_input_time(array: Array, snapshot: Snapshot) -> Array:
    """From `(time, batch, ...)` in reading order to `(batch, time, ...)` in the input's order."""
    return array.swapaxes(0, 1)[:, :: -1 if snapshot.reverse else 1]
