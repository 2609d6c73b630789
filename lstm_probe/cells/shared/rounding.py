"""How far rounding can take one step of a recurrence from its equations.

This is a running error analysis: a bound of its error is computed beside each value (Wilkinson
1986; Higham 2002, section 3.3). For a layer in float32 or float64 with unit roundoff `u`, whose
sums have `n` terms,

    |error of a|   <=  u ((1 + sqrt(n)) sqrt(5.3 (x^2 W^2 + h^2 U^2) + 1.7 ((x W)^2 + (h U)^2))
                          + 2 |b|)

A sum rounds `n` times, each time by at most `u` times the partial sum. If the terms have one sign,
the partial sum grows linearly to `|x W|`. If they have different signs, or if one term is much
larger than the others, it is about `sqrt(x^2 W^2)`. The roundings are nearly independent, so `n` of
them add up to about `sqrt(n)` (Higham & Mary 2019, "A new approach to probabilistic rounding error
analysis"). Each is uniform in `-u..u`, so the standard deviation is `u sqrt(n) / 3` of `|x W|` in
the first case, and `u sqrt(n / 3)` of `sqrt(x^2 W^2)` in the second. The bound takes four standard
deviations: 1.7 and 5.3 are the squares of `4 / 3` and of `4 / sqrt(3)`. For float64 the bound is
twice as large, because NumPy rounds as much when it recomputes. Half precisions sum in float32 and
round the result:

    |error of a|   <=  1.5 u (|x W| + |h U| + |x W + h U| + |b|)

What the rest of the equations does to the error of `a` stands in the room of each cell. Every step
starts from the framework's own hidden state. So only the gate that keeps the cell state carries a
bound from step to step.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from lstm_probe.core.arrays import Array
from lstm_probe.core.precision import UNIT_ROUNDOFF, is_half, smallest

__all__ = ["error_of_sum", "of_flushing"]

#: The squares of four standard deviations of the error of a sum: see the top of this module.
_SCATTERED, _COHERENT = 16 / 3, 16 / 9


def error_of_sum(
    products: tuple[Array, ...],
    squares: Callable[[], Array],
    terms: int,
    others: Array | float,
    u: float,
    *,
    in_half_precision: bool = False,
) -> Array:
    """Bound the error of a sum of matrix products, such as `x W + h U + b`.

    Args:
        products: The products, all of one shape.
        squares: Computes the sum of the products of the squares, `x^2 W^2 + h^2 U^2`. It is not
            called for half precisions whose sums are made in float32.
        terms: The number of terms that are summed for each value.
        others: The absolute values of what is added to the products: `|b|`.
        u: The unit roundoff of the framework's computation.
        in_half_precision: Whether half precisions are summed in that type, term by term.

    Returns:
        A bound of the absolute error, of the shape of the products.

    Source:
        Higham & Mary 2019. The derivation stands at the top of this module.

    Example:
        >>> ones = np.ones(1)
        >>> error = error_of_sum((2 * ones, ones), lambda: 4 * ones, 3, ones, 2.0**-24)
        >>> bool(error < 2e-6)
        True
    """
    of_result = np.asarray(0.0)
    if is_half(u):
        size = sum(np.abs(each) for each in products) + np.abs(sum(products))
        of_result = np.asarray(1.5 * u * (size + others))
        if not in_half_precision:
            return of_result
    coherent = _COHERENT * sum(np.square(each) for each in products)
    error = (1 + np.sqrt(terms)) * np.sqrt(coherent + _SCATTERED * squares()) + 2 * others
    # In float64, NumPy rounds as much when it recomputes.
    return np.asarray(of_result + error * (u if u > UNIT_ROUNDOFF["float64"] else 2 * u))


def of_flushing(
    values: tuple[Array, ...], kernels: tuple[Array, ...], u: float, *, rank: int = 4
) -> Array:
    """Bound what it does to a sum that numbers near 0 become 0, as in TensorFlow.

    Large weights make a difference of a number that was flushed to 0, and so do large values.

    Args:
        values: What the kernels multiply, each `(time, batch, ...)`.
        kernels: The kernels, each `(..., gates, units)`.
        u: The unit roundoff of the framework's computation.
        rank: The number of axes of the sum.

    Returns:
        `(time, batch, 1, ...)`, with `rank` axes.

    Example:
        >>> x, kernel = np.full((1, 1, 2), 1e-40), np.full((2, 1, 3), 1e38)
        >>> of_flushing((x,), (kernel,), 2.0**-24).shape
        (1, 1, 1, 1)
    """
    result = np.zeros(values[0].shape[:2])
    for each, kernel in zip(values, kernels, strict=True):
        flat = np.abs(each).reshape(*each.shape[:2], -1)
        largest = flat.max(axis=2).astype(np.float64)
        terms = kernel[..., 0, 0].size
        result = result + smallest(u) * terms * (1 + largest + np.abs(kernel).max())
    return result.reshape(*result.shape, *[1] * (rank - 2))
