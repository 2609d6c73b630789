"""What NumPy recomputes of a snapshot: in float64, which is the truth, and in the layer's dtype."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np

from lstm_probe.analysis.parity.error import ParityError
from lstm_probe.analysis.snapshot import Snapshot
from lstm_probe.cells import Cell
from lstm_probe.core.arrays import Array, computing_dtype
from lstm_probe.core.blas import on_one_blas_thread
from lstm_probe.core.trace import GateTrace

__all__ = ["InOwnDtype", "recompute"]


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


class InOwnDtype:
    """The recomputation in the layer's own dtype, which is made when one of its errors is needed.

    Args:
        snapshot: what was captured; its cell is known.
        truth: `(batch, time, units)`, the hidden states recomputed in float64.
        exact: the framework's distance from the recomputation in float64.
    """

    def __init__(self, snapshot: Snapshot, truth: Array, exact: ParityError) -> None:
        self._snapshot, self._truth, self._exact = snapshot, truth, exact

    def error(self) -> ParityError:
        """The framework's distance from this recomputation."""
        return self._errors[0]

    def rounding(self) -> ParityError:
        """The distance between NumPy's two recomputations: the rounding error of NumPy itself."""
        return self._errors[1]

    @property
    def made(self) -> bool:
        """Whether the recomputation has been made already."""
        return "_errors" in vars(self)

    @cached_property
    def _errors(self) -> tuple[ParityError, ParityError]:
        return self._compare()

    @on_one_blas_thread
    def _compare(self) -> tuple[ParityError, ParityError]:
        snapshot, truth, dtype = self._snapshot, self._truth, computing_dtype(self._snapshot.dtype)
        if dtype == np.float64:
            return self._exact, ParityError.between(truth, truth, None, snapshot.last)
        assert snapshot.cell is not None
        trace, _, error = recompute(snapshot, snapshot.cell, dtype)
        return error, ParityError.between(truth, trace.h, None, snapshot.last)
