"""The norm of the whole Jacobian matrix of the last hidden state by each earlier one."""

from __future__ import annotations

import numpy as np

from lstm_probe.analysis.gradient.sequence import run_of, to_input_time
from lstm_probe.analysis.snapshot import Snapshot
from lstm_probe.cells.walk import walk_back
from lstm_probe.core.arrays import Array
from lstm_probe.core.trace import GateTrace

__all__ = ["jacobian_norms"]


def jacobian_norms(snapshot: Snapshot, trace: GateTrace) -> Array | None:
    """Measure the matrix `d h_T / d h_t` at each step, where `T` is the last step.

    Takes one backward pass for each unit.

    Args:
        snapshot: what was captured.
        trace: its gates, recomputed in float64.

    Returns:
        `(batch, time)`, float64, 0 or more: the Frobenius norm over `sqrt(units)`, so that it is 1
        at the last step, in the order of the input's time. None for a cell whose derivatives are
        not known.

    Source:
        Pascanu, Mikolov & Bengio 2013, "On the difficulty of training recurrent neural networks",
        equation 5.

    Example:
        >>> import lstm_probe
        >>> rng = np.random.default_rng(0)
        >>> w = lstm_probe.weights.from_keras(rng.normal(size=(3, 2)), np.eye(2))
        >>> x = np.zeros((1, 5, 3))
        >>> cell = lstm_probe.SimpleRnnCell("linear")
        >>> trace = cell.run(x, w)
        >>> seen = lstm_probe.Snapshot(0, "rnn", cell, w, x=x, output=trace.h)
        >>> jacobian_norms(seen, trace).round(12).tolist()
        [[1.0, 1.0, 1.0, 1.0, 1.0]]
    """
    run = run_of(snapshot, trace)
    if run is None or snapshot.cell is None:
        return None
    with np.errstate(all="ignore"):
        units = run.initial["h"].shape[1]
        seeds = {k: np.zeros((1, units, *state.shape)) for k, state in run.initial.items()}
        seeds["h"][0] = np.eye(units)[:, None]
        states = walk_back(snapshot.cell, run, seeds).states["h"]
        norms = np.sqrt(np.square(states).sum(axis=(1, 3)) / units)
    return to_input_time(norms, snapshot)
