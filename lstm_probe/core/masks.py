"""What a layer shows at the steps that its mask leaves out."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lstm_probe.core.arrays import Array, BoolArray

__all__ = ["carried", "emitted", "last_valid"]


def emitted(
    h: Array,
    mask: BoolArray | None,
    *,
    zero_output_for_mask: bool,
    initial_output_for_mask: bool = False,
) -> Array:
    """The output of a layer, given its hidden states: they differ only where the mask is False.

    A masked step repeats the output of the step before it, which is zero (not the initial state,
    but for Keras on JAX) as long as no step was valid. With `zero_output_for_mask` every masked
    step gives zero.

    Args:
        h: `(batch, time, units)`, hidden states carried through the masked steps.
        mask: `(batch, time)`, True where a step counts; None if all do.
        zero_output_for_mask: as in Keras's layers.
        initial_output_for_mask: before the first valid step the initial state is given.

    Returns:
        `(batch, time, units)`; `h` itself where there is no mask.

    Source:
        keras/src/backend/tensorflow/rnn.py and keras/src/backend/jax/rnn.py, `rnn`.

    Example:
        >>> h = np.array([[[0.5], [0.7], [0.7]]])
        >>> mask = np.array([[False, True, False]])
        >>> emitted(h, mask, zero_output_for_mask=False).ravel().tolist()
        [0.0, 0.7, 0.7]
    """
    if mask is None or (initial_output_for_mask and not zero_output_for_mask):
        return h
    shown = mask if zero_output_for_mask else np.logical_or.accumulate(mask, axis=1)
    return np.where(shown[:, :, None], h, h.dtype.type(0))


def last_valid(mask: BoolArray) -> npt.NDArray[np.intp]:
    """`(batch, time)`: the number of the last valid step up to each step, counted from 1.

    Example:
        >>> last_valid(np.array([[False, True, False]])).tolist()
        [[0, 2, 2]]
    """
    numbers = np.where(mask, np.arange(1, mask.shape[1] + 1), 0)
    return np.maximum.accumulate(numbers, axis=1)


def carried(h: Array, mask: BoolArray, initial: Array) -> Array:
    """States, each masked one replaced by the last valid one before it.

    Args:
        h: `(batch, time, units)`.
        mask: `(batch, time)`, True where a step counts.
        initial: `(batch, units)`, what stands before the first valid step.

    Example:
        >>> mask = np.array([[False, True, False]])
        >>> carried(np.array([[[0.5], [0.7], [0.9]]]), mask, np.zeros((1, 1))).ravel().tolist()
        [0.0, 0.7, 0.7]
    """
    states = np.concatenate([initial[:, None], h], axis=1)
    return states[np.arange(len(states))[:, None], last_valid(mask)]
