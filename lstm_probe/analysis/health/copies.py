"""Units whose hidden state repeats that of another unit."""

from __future__ import annotations

import numpy as np

from lstm_probe.core.arrays import Array, BoolArray

__all__ = ["find_copies"]

#: The correlation of two units' hidden states above which one counts as a copy of the other.
_CORRELATION = 0.999
#: Fewer steps correlate by chance: of 8 random points, 1 pair in 1e7 exceeds that correlation.
_FEWEST_STEPS = 8


def find_copies(hidden: Array, dead: BoolArray) -> Array:
    """Find the units that do the same as an earlier unit, up to scale, sign and shift.

    Args:
        hidden: `(steps, units)`, float, the hidden states at the valid steps.
        dead: `(units,)`, True for a unit that does not move. It copies nothing.

    Returns:
        `(units,)`, int: the index of the first unit that each one copies; -1 if there is none.

    Example:
        >>> wave = np.sin(np.arange(20.0))
        >>> find_copies(np.stack([wave, 1 - 3 * wave], axis=1), np.zeros(2, np.bool_)).tolist()
        [-1, 0]
    """
    steps, units = hidden.shape
    copy_of = np.full(units, -1)
    if steps < _FEWEST_STEPS:
        return copy_of
    centred = np.subtract(hidden, hidden.mean(axis=0), dtype=np.float32, casting="same_kind")
    scale = np.sqrt(np.einsum("su,su->u", centred, centred))
    living = np.flatnonzero(~dead & np.isfinite(scale) & (scale > 0))
    if not living.size:
        return copy_of
    centred = centred[:, living] / scale[living]
    same = np.abs(centred.T @ centred) > _CORRELATION
    earlier = np.tril(same, -1)  # [unit, other]: True where the other comes before the unit
    copying = earlier.any(axis=1)
    copy_of[living[copying]] = living[earlier.argmax(axis=1)[copying]]
    return copy_of
