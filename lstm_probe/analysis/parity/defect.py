"""How far each step of a framework is from the equations, and how that compares with a bound."""

from __future__ import annotations

import numpy as np

from lstm_probe.analysis.parity.error import difference
from lstm_probe.analysis.parity.teacher_forcing import Forced
from lstm_probe.analysis.snapshot import Snapshot
from lstm_probe.core.arrays import Array, BoolArray
from lstm_probe.core.precision import LARGEST

__all__ = ["defect_of", "errors_of", "multiple"]

#: A step whose values come this near to the dtype's largest number may overflow on the way there.
_NEAR_OVERFLOW = 2.0**-6


def defect_of(seen: Snapshot, forced: Forced) -> Array:
    """`(batch, time, units)`, without what overflows in the layer's dtype and all after it."""
    defect = errors_of(seen, forced)
    lost: BoolArray = np.asarray(~np.isfinite(seen.output).all(axis=2), np.bool_)
    if not lost.any():
        return defect
    sequences = np.flatnonzero(lost.any(axis=1))
    first = lost.argmax(axis=1)
    for sequence in sequences:
        start = int(first[sequence])
        values = [np.abs(array[sequence, start]).max() for array in forced.arrays.values()]
        values.append(np.abs(forced.before["h"][sequence, start]).max())
        # Past the first value that is not finite there is no state to judge a step by.
        overflows = max(values) > LARGEST[seen.dtype] * _NEAR_OVERFLOW
        defect[sequence, start if overflows else start + 1 :] = 0.0
    return defect


def errors_of(seen: Snapshot, forced: Forced) -> Array:
    """`(batch, time, units)`, between what the layer should have shown and what it did."""
    error = difference(forced.output, seen.output)
    if seen.final_output is not None:
        last = difference(forced.output[:, -1], seen.final_output)
        error[:, -1] = np.maximum(error[:, -1], last)
    return error


def multiple(defect: Array, bound: Array) -> Array:
    """The defect as a multiple of the bound; 0 where neither is a number."""
    with np.errstate(invalid="ignore", over="ignore"):
        ratio = defect / bound
    ratio[np.isnan(ratio)] = 0.0 if not np.isinf(defect).any() else np.inf
    return np.asarray(ratio)
