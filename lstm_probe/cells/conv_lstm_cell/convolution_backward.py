"""The adjoint of a convolution, which takes gradients from its result back to its input."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lstm_probe.cells.conv_lstm_cell.convolution import output_space
from lstm_probe.core.arrays import Array

__all__ = ["convolve_back"]


def convolve_back(
    change: Array,
    kernel: Array,
    space: Sequence[int],
    *,
    padding: str = "same",
    strides: Sequence[int] = (),
    dilation: Sequence[int] = (),
) -> Array:
    """Take a gradient back through `convolve`.

    Each element of the kernel adds its part of the gradient to the values that it has read.

    Args:
        change: The gradient with respect to the result, `(batch, *output_space, filters)`.
        kernel: `(*size, channels, filters)`.
        space: The extent of the input.
        padding: `same` or `valid`.
        strides: One for each dimension of space. The default is ones.
        dilation: One for each dimension of space. The default is ones.

    Returns:
        The gradient with respect to the input, `(batch, *space, channels)`.

    Example:
        >>> change = np.ones((1, 2, 1))
        >>> convolve_back(change, np.ones((2, 1, 1)), (3,), padding="valid").ravel().tolist()
        [1.0, 2.0, 1.0]
    """
    rank, size = kernel.ndim - 2, kernel.shape[:-2]
    strides, dilation = tuple(strides) or (1,) * rank, tuple(dilation) or (1,) * rank
    shown = output_space(space, size, padding=padding, strides=strides, dilation=dilation)
    reach = [(k - 1) * d + 1 for k, d in zip(size, dilation, strict=True)]
    read = [(n - 1) * step + far for n, step, far in zip(shown, strides, reach, strict=True)]
    padded = [max(n, far) for n, far in zip(space, read, strict=True)]
    # The padding before the input. If the padding is odd, the end has one more.
    before = [
        (far - n) // 2 if padding == "same" else 0 for far, n in zip(padded, space, strict=True)
    ]
    result = np.zeros((len(change), *padded, kernel.shape[-2]), change.dtype)
    flat = change.reshape(-1, change.shape[-1])
    for offset in np.ndindex(*size):
        places = tuple(
            slice(k * d, k * d + (n - 1) * step + 1, step)
            for k, d, n, step in zip(offset, dilation, shown, strides, strict=True)
        )
        result[(slice(None), *places)] += (flat @ kernel[offset].T).reshape(*change.shape[:-1], -1)
    cut = tuple(slice(start, start + n) for start, n in zip(before, space, strict=True))
    return result[(slice(None), *cut)]
