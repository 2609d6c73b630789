"""What NumPy recomputes of a snapshot: in float64, which is the truth, and in the layer's dtype."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from lstm_probe.analysis.parity.error import ParityError
from lstm_probe.analysis.snapshot import Snapshot
from lstm_probe.cells import Cell
from lstm_probe.core.arrays import Array, computing_dtype
from lstm_probe.core.blas import on_one_blas_thread
from lstm_probe.core.trace import GateTrace

__all__ = ["InOwnDtype", "recompute", "recompute_in_own_dtype"]


def recompute(
    snapshot: Snapshot, cell: Cell[Any], dtype: np.dtype[Any]
) -> tuple[GateTrace, Array, ParityError]:
    """Recompute every gate of a snapshot, and compare the output with the framework's.

    Args:
        snapshot: what was captured.
        cell: its cell.
        dtype: float32 or float64.

    Returns:
        The trace; the output that the layer should have given, `(batch, time, units)` of `dtype`,
        in the order of the input's time; and the framework's distance from that output.

    Raises:
        LstmProbeError: the snapshot's input, mask or state does not fit the cell.
    """
    trace = cell.run(
        snapshot.x,
        snapshot.weights,
        initial_state=snapshot.initial_state,
        mask=snapshot.mask,
        dtype=dtype,
        reverse=snapshot.reverse,
    )
    output = trace.shown(
        zero_output_for_mask=snapshot.zero_output_for_mask,
        initial_output_for_mask=snapshot.initial_output_for_mask,
    )
    error = ParityError.between(output, snapshot.output, snapshot.final_output, snapshot.last)
    return replace(trace, layer=snapshot.layer, step=snapshot.step), output, error


class InOwnDtype(NamedTuple):
    """How far the framework and the truth are from a recomputation in the layer's own dtype.

    Attributes:
        error: the framework's distance from this recomputation.
        rounding: the truth's distance from it, which is the rounding error of NumPy itself.
    """

    error: ParityError
    rounding: ParityError


@on_one_blas_thread
def recompute_in_own_dtype(snapshot: Snapshot, truth: Array, exact: ParityError) -> InOwnDtype:
    """Recompute a snapshot in the dtype of its layer; the half precisions in float32.

    Args:
        snapshot: what was captured; its cell is known.
        truth: `(batch, time, units)`, the hidden states recomputed in float64.
        exact: the framework's distance from the recomputation in float64.
    """
    dtype = computing_dtype(snapshot.dtype)
    if dtype == np.float64:
        return InOwnDtype(exact, ParityError.between(truth, truth, None, snapshot.last))
    assert snapshot.cell is not None
    trace, _, error = recompute(snapshot, snapshot.cell, dtype)
    return InOwnDtype(error, ParityError.between(truth, trace.h, None, snapshot.last))
