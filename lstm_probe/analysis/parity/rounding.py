"""The largest error of each step that rounding explains."""

from __future__ import annotations

import numpy as np

from lstm_probe.analysis.parity.teacher_forcing import ForcedSteps
from lstm_probe.analysis.snapshot import Snapshot
from lstm_probe.core.arrays import Array
from lstm_probe.core.precision import SMALLEST, UNIT_ROUNDOFF

__all__ = ["LARGEST_BOUND", "step_bound"]

#: A bound is at most this part of the values: a larger one would excuse any computation.
LARGEST_BOUND = 0.5


def step_bound(snapshot: Snapshot, steps: ForcedSteps, dtype: str) -> Array | None:
    """The largest error that rounding to `dtype` explains, for each unit at each step.

    The cell bounds what rounding does to its equations; the rounding of the stored output is added.
    Each sequence is bounded by itself. No bound is larger than half of `1 + |h|`: where rounding is
    amplified beyond that, it cannot be told from another computation.

    Args:
        snapshot: what was captured, in reading order; its cell is known.
        steps: its steps, recomputed from the framework's own states.
        dtype: the dtype of the computation, a key of `UNIT_ROUNDOFF`.

    Returns:
        `(batch, time, units)`, positive and finite; None for a cell that knows no bound.

    Source:
        Higham 2002, "Accuracy and Stability of Numerical Algorithms", chapter 3.

    Example:
        >>> from lstm_probe import SimpleRnnCell, Snapshot, simple_rnn, weights
        >>> from lstm_probe.analysis.parity.teacher_forcing import teacher_force
        >>> rng = np.random.default_rng(0)
        >>> w = weights.from_keras(rng.normal(size=(3, 2)), rng.normal(size=(2, 2)))
        >>> x = rng.normal(size=(1, 5, 3))
        >>> seen = Snapshot(0, "rnn", SimpleRnnCell(), w, x=x, output=simple_rnn(x, w).h)
        >>> bound = step_bound(seen, teacher_force(seen), "float32")
        >>> bool((bound > 1e-7).all() and (bound < 1e-5).all())
        True
    """
    assert snapshot.cell is not None
    u, mask = UNIT_ROUNDOFF[dtype], snapshot.mask

    def time_major(array: Array) -> Array:
        return array.swapaxes(0, 1)

    with np.errstate(all="ignore"):
        of_step = snapshot.cell.rounding(
            time_major(snapshot.x.astype(steps.output.dtype)),
            {letter: time_major(array) for letter, array in steps.before.items()},
            {letter: time_major(array) for letter, array in steps.arrays.items()},
            steps.weights,
            None if mask is None else mask.T,
            u,
        )
        if of_step is None:
            return None
        size = np.abs(steps.output)
        bound = of_step.swapaxes(0, 1) + (SMALLEST[dtype] + u * size)
        if mask is not None:  # a masked step repeats an earlier one
            bound = np.maximum.accumulate(bound, axis=1)
        most = LARGEST_BOUND * (1 + np.where(np.isfinite(size), size, 0))
        return np.where(np.isfinite(bound), np.minimum(bound, most), most)
