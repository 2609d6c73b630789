"""Convolutions over one, two or three dimensions of space, as Keras defines them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from lstm_probe.core.arrays import Array

__all__ = ["convolve", "output_space"]

#: A convolution lays out at most this many values at a time.
_VALUES = 2**20


def convolve(
    x: Array,
    kernel: Array,
    *,
    padding: str = "same",
    strides: Sequence[int] = (),
    dilation: Sequence[int] = (),
) -> Array:
    """Convolve a batch with a kernel. As in every framework this is a cross-correlation.

    Args:
        x: `(batch, *space, channels)`.
        kernel: `(*size, channels, filters)`.
        padding: `same` or `valid`.
        strides: One for each dimension of space. The default is ones.
        dilation: One for each dimension of space. The default is ones.

    Returns:
        `(batch, *output_space, filters)`, of the common dtype.

    Source:
        keras.ops.conv on the TensorFlow backend.

    Example:
        >>> x, kernel = np.arange(4.0).reshape(1, 4, 1), np.ones((2, 1, 1))
        >>> convolve(x, kernel).ravel().tolist()
        [1.0, 3.0, 5.0, 3.0]
    """
    size, rank = kernel.shape[:-2], kernel.ndim - 2
    strides, dilation = tuple(strides) or (1,) * rank, tuple(dilation) or (1,) * rank
    axes = tuple(range(1, rank + 1))
    reach = tuple((k - 1) * d + 1 for k, d in zip(size, dilation, strict=True))
    if padding == "same":
        pads = [_same(*sizes) for sizes in zip(x.shape[1:-1], reach, strides, strict=True)]
        x = np.pad(x, [(0, 0), *pads, (0, 0)])
    windows = sliding_window_view(x, reach, axis=axes)  # (batch, *positions, channels, *reach)
    taken = tuple(slice(None, None, step) for step in strides)
    within = tuple(slice(None, None, step) for step in dilation)
    windows = windows[(slice(None), *taken, slice(None), *within)]
    space = windows.shape[1 : rank + 1]
    flat = np.moveaxis(kernel, -2, 0).reshape(-1, kernel.shape[-1])
    result = np.empty((len(x), math.prod(space), kernel.shape[-1]), np.result_type(x, kernel))
    count = max(1, _VALUES // (math.prod(space) * len(flat)))
    for start in range(0, len(x), count):
        images = windows[start : start + count]
        columns = images.reshape(len(images), math.prod(space), len(flat))
        result[start : start + count] = columns @ flat
    return result.reshape(len(x), *space, -1)


def output_space(
    space: Sequence[int],
    size: Sequence[int],
    *,
    padding: str,
    strides: Sequence[int] = (),
    dilation: Sequence[int] = (),
) -> tuple[int, ...]:
    """The extent of the result of a convolution.

    Args:
        space: The extent of the input.
        size: The extent of the kernel.
        padding: `same` or `valid`.
        strides: One for each dimension of space. The default is ones.
        dilation: One for each dimension of space. The default is ones.

    Returns:
        One number for each dimension. It is 0 or less where the kernel does not fit.

    Source:
        keras/src/ops/operation_utils.py, `compute_conv_output_shape`.

    Example:
        >>> output_space((7, 7), (3, 2), padding="valid", strides=(2, 1))
        (3, 6)
    """
    strides, dilation = tuple(strides) or (1,) * len(size), tuple(dilation) or (1,) * len(size)
    if padding == "same":
        return tuple(-(-n // step) for n, step in zip(space, strides, strict=True))
    return tuple(
        (n - (k - 1) * d - 1) // step + 1
        for n, k, d, step in zip(space, size, dilation, strides, strict=True)
    )


def _same(n: int, reach: int, stride: int) -> tuple[int, int]:
    """The padding before and after. If it is odd, the end gets one more."""
    total = max((-(-n // stride) - 1) * stride + reach - n, 0)
    return total // 2, total - total // 2
