"""Back through the equation in `cells/simple_rnn/cell.py`."""

from __future__ import annotations

from functools import partial

import numpy as np

from lstm_probe.cells import SimpleRnnCell
from lstm_probe.cells.shared.run import Run, Walk, along, by_kernel, transposed
from lstm_probe.cells.shared.slopes import Slopes
from lstm_probe.core.arrays import Array

__all__ = ["walk_simple_rnn"]


def walk_simple_rnn(run: Run, cell: SimpleRnnCell, seeds: Array) -> Walk:
    """Take gradients back through a plain recurrent cell.

    Args:
        run: the sequence.
        cell: the cell of the run.
        seeds: those of `h`, as for `walk_back`.
    """
    factors = Slopes(run)("h", cell.activation)
    if run.mask is not None:
        factors = np.where(run.mask[:, :, None], factors, 0.0)
    hidden, back = along(seeds, len(run.x)), transposed(run.weights)
    time, targets, batch, units = hidden.shape
    flat = hidden.reshape(time, targets * batch, units)
    changes = np.empty((time, targets, batch, units))
    flat_changes = changes.reshape(flat.shape)
    for t in reversed(range(time)):
        if t + 1 < time:
            flat[t] += flat_changes[t + 1] @ back
            if run.mask is not None:
                hidden[t] += np.where(run.mask[t + 1, :, None], 0.0, hidden[t + 1])
        np.multiply(hidden[t], factors[t], out=changes[t])
    return Walk({"h": hidden}, partial(by_kernel, changes[:, :, :, None], run.weights))
