"""Products of inputs and states with the kernels of all gates, and the way back."""

from __future__ import annotations

from lstm_probe.core.arrays import Array

__all__ = ["product", "product_back"]


def product(values: Array, kernel: Array) -> Array:
    """`values @ kernel`, for all gates at once.

    Args:
        values: `(..., n)`.
        kernel: `(n, gates, units)`.

    Returns:
        `(..., gates, units)`.

    Example:
        >>> import numpy as np
        >>> product(np.ones((1, 3)), np.ones((3, 4, 2))).shape
        (1, 4, 2)
    """
    n, gates, units = kernel.shape
    flat = values.reshape(-1, n).dot(kernel.reshape(n, gates * units))
    return flat.reshape(*values.shape[:-1], gates, units)


def product_back(changes: Array, kernel: Array) -> Array:
    """From the gradient by `product`, `(..., gates, units)`, to that by its values, `(..., n)`.

    Example:
        >>> import numpy as np
        >>> product_back(np.ones((1, 4, 2)), np.ones((3, 4, 2))).tolist()
        [[8.0, 8.0, 8.0]]
    """
    n, gates, units = kernel.shape
    # In this order BLAS reads a large kernel as it lies; for few rows that is three times as fast.
    flat = kernel.reshape(n, gates * units).dot(changes.reshape(-1, gates * units).T).T
    return flat.reshape(*changes.shape[:-2], n)
