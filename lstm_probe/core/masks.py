"""The output of a layer at the steps that its mask leaves out."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lstm_probe.core.arrays import Array, BoolArray, as_floats
from lstm_probe.core.errors import LstmProbeError

__all__ = ["as_mask", "carried", "emitted", "last_valid"]


def as_mask(mask: object) -> BoolArray:
    """A mask of truth values, made of ones and zeros of any type.

    Args:
        mask: `(batch, time)`, an array, a tensor or lists of truth values or of ones and zeros.

    Returns:
        bool, of the same shape. An array of bool is not copied.

    Raises:
        LstmProbeError: Some values are neither 0 nor 1.

    Example:
        >>> as_mask([[1.0, 0.0]]).tolist()
        [[True, False]]
    """
    if isinstance(mask, np.ndarray) and mask.dtype == np.bool_:
        return mask
    values = as_floats(mask, "The mask", "(batch, time), True where a step counts")
    others = values[(values != 0) & (values != 1)]
    if others.size:
        raise LstmProbeError(
            f"The mask holds more than truth values. Received: {float(others[0])!r} among its "
            "values. Expected: (batch, time), True or 1 where a step counts, False or 0 where not."
        )
    return values != 0


def emitted(
    h: Array,
    mask: BoolArray | None,
    *,
    zero_output_for_mask: bool,
    initial_output_for_mask: bool = False,
) -> Array:
    """The output of a layer, given its hidden states. They differ only where the mask is False.

    A masked step repeats the output of the step before it. Before the first valid step the output
    is zero, and not the initial state. Keras on JAX is an exception to that.

    Args:
        h: The hidden states, carried through the masked steps, `(batch, time, units)`.
        mask: `(batch, time)`. It is True where a step counts. None if all steps count.
        zero_output_for_mask: Whether every masked step gives zero. Keras's layers have this option.
        initial_output_for_mask: Whether the steps before the first valid step give the initial
            state.

    Returns:
        The output, `(batch, time, units)`. Without a mask it is `h` itself.

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
    """The number of the last valid step up to each step, counted from 1.

    Args:
        mask: `(batch, time)`. It is True where a step counts.

    Returns:
        `(batch, time)`. It is 0 where no step was valid yet.

    Example:
        >>> last_valid(np.array([[False, True, False]])).tolist()
        [[0, 2, 2]]
    """
    numbers = np.where(mask, np.arange(1, mask.shape[1] + 1), 0)
    return np.maximum.accumulate(numbers, axis=1)


def carried(h: Array, mask: BoolArray, initial: Array) -> Array:
    """Replace the state of each masked step by that of the last valid step before it.

    Args:
        h: The states, `(batch, time, units)`.
        mask: `(batch, time)`. It is True where a step counts.
        initial: The states before the first valid step, `(batch, units)`.

    Returns:
        `(batch, time, units)`.

    Example:
        >>> mask = np.array([[False, True, False]])
        >>> carried(np.array([[[0.5], [0.7], [0.9]]]), mask, np.zeros((1, 1))).ravel().tolist()
        [0.0, 0.7, 0.7]
    """
    states = np.concatenate([initial[:, None], h], axis=1)
    return states[np.arange(len(states))[:, None], last_valid(mask)]
