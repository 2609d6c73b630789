"""From which step on a sequence cannot be judged, because numbers leave the range of the dtype.

Where a sum of products overflows in the framework, and is finite in the wider dtype in which it is
recomputed, the two differ without a fault of either. TensorFlow's activations even make finite
numbers of infinities and NaN again, so that the output does not show it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from lstm_probe.analysis.parity.teacher_forcing import ForcedSteps
from lstm_probe.analysis.snapshot import Snapshot
from lstm_probe.core.arrays import Array, BoolArray
from lstm_probe.core.precision import LARGEST

__all__ = ["Judgeable", "judgeable_steps"]

#: A step whose values come this near to the dtype's largest number may overflow on the way there.
_NEAR_OVERFLOW = 2.0**-6
#: Rounding may take a number over the limit that is this near to it.
_AT_OVERFLOW = 1 - 2.0**-10


class Judgeable(NamedTuple):
    """How far each sequence can be judged.

    Attributes:
        stop: `(batch,)`, the number of steps that can be judged, from the first in reading order.
        overflows: `(batch,)`, whether it is an overflow that ends them.
    """

    stop: npt.NDArray[np.intp]
    overflows: BoolArray


def judgeable_steps(seen: Snapshot, steps: ForcedSteps) -> Judgeable:
    """Find the steps that can be judged: those before a number leaves the dtype's range.

    After an output that is not finite, there is no state from which a step could be recomputed. The
    step in which that output arises is judged too, unless it has simply overflowed. Each sequence
    is looked at by itself: an overflow in one excuses nothing in another.

    Args:
        seen: what was captured, in reading order.
        steps: its steps, recomputed from the framework's own states.
    """
    largest, time = LARGEST[seen.dtype], seen.timesteps
    values = _largest_values(seen, steps)
    beyond = (values > largest * _AT_OVERFLOW) | _sums_overflow(seen, steps, values, largest)
    lost = np.asarray(~np.isfinite(seen.output).all(axis=2), np.bool_)
    near = _first_of_each(lost) & (values > largest * _NEAR_OVERFLOW)
    overflow = _first(np.asarray(beyond | near, np.bool_))
    end = np.minimum(_first(lost) + 1, time)
    return Judgeable(np.minimum(overflow, end), np.asarray(overflow < end, np.bool_))


def _largest_values(seen: Snapshot, steps: ForcedSteps) -> Array:
    """`(batch, time)`, the largest absolute value of what each step reads and computes."""
    arrays = (seen.x, *steps.before.values(), *steps.arrays.values())
    with np.errstate(all="ignore"):
        each = [np.fmax.reduce(np.abs(array), axis=2, initial=0.0) for array in arrays]
    return np.asarray(np.maximum.reduce([array.astype(np.float64) for array in each]))


def _sums_overflow(
    seen: Snapshot, steps: ForcedSteps, values: Array, largest: float
) -> BoolArray | bool:
    """Whether a sum of products may overflow in some order of its terms, `(batch, time)`."""
    assert seen.cell is not None
    weights = [np.abs(array) for _, array in steps.weights.named()]
    terms = sum(array.size for array in weights) / steps.weights.units
    heaviest = max(float(np.fmax.reduce(array, axis=None, initial=1.0)) for array in weights)
    with np.errstate(all="ignore"):
        if heaviest * terms * max(1.0, values.max()) < largest * _NEAR_OVERFLOW:
            return False
        sums = seen.cell.largest_sums(
            seen.x.astype(np.float64).swapaxes(0, 1),
            {letter: array.swapaxes(0, 1) for letter, array in steps.before.items()},
            steps.weights.astype(np.float64),
        )
        return False if sums is None else np.asarray(largest * _AT_OVERFLOW < sums.T)


def _first(marked: BoolArray) -> npt.NDArray[np.intp]:
    """The index of the first marked step of each sequence; their number if none is marked."""
    return np.where(marked.any(axis=1), marked.argmax(axis=1), marked.shape[1])


def _first_of_each(marked: BoolArray) -> BoolArray:
    """The first marked step of each sequence alone, `(batch, time)`."""
    return np.asarray(marked & (np.cumsum(marked, axis=1) == 1), np.bool_)
