"""What a layer shows at the steps that its mask leaves out."""

from __future__ import annotations

import numpy as np

from lstm_probe.arrays import Array, BoolArray

__all__ = ["emitted"]


def emitted(h: Array, mask: BoolArray | None, *, zero_output_for_mask: bool) -> Array:
    """The output of a layer, given its hidden states: they differ only where the mask is False.

    A masked step repeats the output of the step before it, which is zero (not the initial state)
    as long as no step was valid. With `zero_output_for_mask` every masked step gives zero.

    Args:
        h: `(batch, time, units)`, hidden states carried through the masked steps.
        mask: `(batch, time)`, True where a step counts; None if all do.
        zero_output_for_mask: as in Keras's layers.

    Returns:
        `(batch, time, units)`; `h` itself where there is no mask.

    Source:
        keras/src/backend/tensorflow/rnn.py, `rnn`.

    Example:
        >>> h = np.array([[[0.5], [0.7], [0.7]]])
        >>> mask = np.array([[False, True, False]])
        >>> emitted(h, mask, zero_output_for_mask=False).ravel().tolist()
        [0.0, 0.7, 0.7]
    """
    if mask is None:
        return h
    shown = mask if zero_output_for_mask else np.logical_or.accumulate(mask, axis=1)
    return np.where(shown[:, :, None], h, h.dtype.type(0))
