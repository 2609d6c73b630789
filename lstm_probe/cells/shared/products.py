"""The products of inputs and states with the kernels of all gates, and their derivatives."""

from __future__ import annotations

import numpy as np

from lstm_probe.core.arrays import Array

__all__ = ["largest_sum", "product", "product_back"]


def product(values: Array, kernel: Array) -> Array:
    """Multiply by the kernels of all gates at once.

    Args:
        values: Inputs or hidden states, `(..., n)`.
        kernel: `(n, gates, units)`.

    Returns:
        `(..., gates, units)`, of the common dtype.

    Example:
        >>> import numpy as np
        >>> product(np.ones((1, 3)), np.ones((3, 4, 2))).shape
        (1, 4, 2)
    """
    n, gates, units = kernel.shape
    flat = values.reshape(-1, n).dot(kernel.reshape(n, gates * units))
    return flat.reshape(*values.shape[:-1], gates, units)


def largest_sum(sums: Array) -> Array:
    """The largest of the sums of each step, `(time, batch)`. NaN is left out.

    Args:
        sums: Sums of absolute values, `(time, batch, ...)`.

    Example:
        >>> largest_sum(np.array([[[1.0, 3.0, np.nan]]])).tolist()
        [[3.0]]
    """
    return np.asarray(np.fmax.reduce(sums.reshape(*sums.shape[:2], -1), axis=2, initial=0.0))


def product_back(changes: Array, kernel: Array) -> Array:
    """Take gradients back through `product`.

    Args:
        changes: The gradients with respect to the product, `(..., gates, units)`.
        kernel: `(n, gates, units)`.

    Returns:
        The gradients with respect to the values, `(..., n)`.

    Example:
        >>> import numpy as np
        >>> product_back(np.ones((1, 4, 2)), np.ones((3, 4, 2))).tolist()
        [[8.0, 8.0, 8.0]]
    """
    n, gates, units = kernel.shape
    # With the kernel on the right, BLAS takes three times as long for a large kernel and few rows.
    flat = kernel.reshape(n, gates * units).dot(changes.reshape(-1, gates * units).T).T
    return flat.reshape(*changes.shape[:-2], n)
