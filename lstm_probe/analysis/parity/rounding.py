"""The largest error of each step that rounding explains."""

from __future__ import annotations

import numpy as np

from lstm_probe.analysis.parity.teacher_forcing import Forced
from lstm_probe.analysis.snapshot import Snapshot
from lstm_probe.core.arrays import Array
from lstm_probe.core.precision import SMALLEST, UNIT_ROUNDOFF

__all__ = ["step_bound"]

#: A bound beyond this part of the values themselves proves nothing, and excuses nothing.
_MOST = 0.5


def step_bound(snapshot: Snapshot, forced: Forced, dtype: str) -> Array | None:
    """The largest error that rounding to `dtype` explains, of each unit at each step.

    The cell bounds what rounding does to its equations. To that comes what storing the output
    costs. Each sequence is bounded by itself, and no bound is larger than half of the value and
    one: what rounding blows up further cannot be told from any other computation.

    Args:
        snapshot: in reading order; its cell is known.
        forced: its steps.
        dtype: of the computation: a key of `UNIT_ROUNDOFF`.

    Returns:
        `(batch, time, units)`, positive and finite; None for a cell that knows no bound.

    Example:
        >>> from lstm_probe import SimpleRnnCell, Snapshot, simple_rnn, weights
        >>> from lstm_probe.analysis.parity.teacher_forcing import force
        >>> rng = np.random.default_rng(0)
        >>> w = weights.from_keras(rng.normal(size=(3, 2)), rng.normal(size=(2, 2)))
        >>> x = rng.normal(size=(1, 5, 3))
        >>> seen = Snapshot(0, "rnn", SimpleRnnCell(), w, x=x, output=simple_rnn(x, w).h)
        >>> bound = step_bound(seen, force(seen), "float32")
        >>> bool((bound > 1e-7).all() and (bound < 1e-5).all())
        True
    """
    assert snapshot.cell is not None
    u, mask = UNIT_ROUNDOFF[dtype], snapshot.mask

    def major(array: Array) -> Array:
        return array.swapaxes(0, 1)

    with np.errstate(all="ignore"):
        of_step = snapshot.cell.rounding(
            major(snapshot.x.astype(forced.output.dtype)),
            {letter: major(array) for letter, array in forced.before.items()},
            {letter: major(array) for letter, array in forced.arrays.items()},
            forced.weights,
            None if mask is None else mask.T,
            u,
        )
        if of_step is None:
            return None
        size = np.abs(forced.output)
        bound = major(of_step) + (SMALLEST[dtype] + u * size)
        if mask is not None:  # a masked step repeats an earlier one
            bound = np.maximum.accumulate(bound, axis=1)
        most = _MOST * (1 + np.where(np.isfinite(size), size, 0))
        return np.where(np.isfinite(bound), np.minimum(bound, most), most)
