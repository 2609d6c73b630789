"""What dynamic quantisation does to the operands of a cell's matrix products.

The weights are stored in 8 bits. The input and the hidden state are rounded to 7 or 8 bits before
each product, on a scale from the smallest to the largest number of the tensor.

Source: aten/src/ATen/native/quantized/cpu/QuantUtils.h, `ChooseQuantizationParams`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from lstm_probe.analysis.parity.teacher_forcing import ForcedSteps, teacher_force
from lstm_probe.analysis.snapshot import Snapshot
from lstm_probe.core.arrays import Array

__all__ = ["quantised_steps"]

#: An array with no more values than these is one that is stored in 8 bits already.
_VALUES = 256


def quantised_steps(seen: Snapshot) -> Iterator[ForcedSteps]:
    """The steps of a layer with operands in 8 bits, in each of the ways in which that is done.

    Args:
        seen: what was captured, in reading order; its cell is known.
    """
    for levels in (127, 255):
        for axes in ((0, 1, 2), (0, 2)):  # the input is rounded as a whole, or at each step

            def rounded(h: Array, levels: int = levels) -> Array:
                return h if h.ndim != 3 or _is_stored(h) else _rounded(h, levels, (0, 2))

            x = _rounded(seen.x.astype(np.float64), levels, axes)
            steps = teacher_force(replace(seen, x=x), operands=rounded, keeps_exactly=True)
            if steps is not None:
                yield steps


def _is_stored(array: Array) -> bool:
    return len(np.unique(array)) <= _VALUES


def _rounded(array: Array, levels: int, axes: tuple[int, ...]) -> Array:
    """Numbers on a scale of so many levels from the smallest to the largest, 0 among them."""
    low = np.minimum(array.min(axis=axes, keepdims=True), 0.0)
    high = np.maximum(array.max(axis=axes, keepdims=True), 0.0)
    scale = (high - low) / levels
    scale = np.where(scale == 0, 0.1, scale)
    zero = np.rint(np.clip(-low / scale, 0, levels))
    return (np.clip(np.rint(array / scale) + zero, 0, 255) - zero) * scale
