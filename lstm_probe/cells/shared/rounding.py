"""How far rounding can take one step of a recurrence from the equations.

Running error analysis: alongside each value goes a bound of its error (Wilkinson 1986; Higham
2002, section 3.3). For a layer in float32 or float64, with unit roundoff `u` and sums of `n` terms,

    |error of a|   <=  u ((1 + sqrt(n)) sqrt(5.3 (x^2 W^2 + h^2 U^2) + 1.7 ((x W)^2 + (h U)^2))
                          + 2 |b|)

A sum rounds `n` times, each time by at most `u` of what it has come to. That is `|x W|` at the end
and grows like a straight line where the terms have one sign, and is about `sqrt(x^2 W^2)` where
they have not, or where one of them outweighs the others. The roundings are as good as independent,
so `n` of them add up like `sqrt(n)` (Higham & Mary 2019, "A new approach to probabilistic rounding
error analysis"): uniform in `-u..u`, their standard deviation is `u sqrt(n / 3)` of the latter and
`u sqrt(n) / 3` of the former; 5.3 and 1.7 are the squares of four of them. For float64 the bound is
twice that, because NumPy rounds too when it recomputes. Half precisions sum in float32 and round
what comes out:

    |error of a|   <=  1.5 u (|x W| + |h U| + |x W + h U| + |b|)

What a cell makes of `a` from there on stands beside its equations. Since every step starts from
the framework's own hidden state, nothing multiplies these bounds from step to step but the gate
that keeps the cell state.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from lstm_probe.core.arrays import Array
from lstm_probe.core.precision import UNIT_ROUNDOFF

__all__ = ["error_of_sum", "is_half"]

#: Four standard deviations of a sum's error, squared, by roundoff, term and size: see above.
_SCATTERED, _COHERENT = 16 / 3, 16 / 9


def is_half(u: float) -> bool:
    """Whether a unit roundoff is that of a half precision, which sums in float32."""
    return u > UNIT_ROUNDOFF["float32"]


def error_of_sum(
    products: tuple[Array, ...],
    squares: Callable[[], Array],
    terms: int,
    others: Array | float,
    u: float,
) -> Array:
    """The error of a sum of matrix products, such as `x W + h U + b`.

    Args:
        products: each of them, all of one shape.
        squares: works out the sum of the products of the squares, `x^2 W^2 + h^2 U^2`.
        terms: how many terms are added up for each value.
        others: the sizes of what is added beside: `|b|`.
        u: the unit roundoff of the computation.

    Example:
        >>> ones = np.ones(1)
        >>> error = error_of_sum((2 * ones, ones), lambda: 4 * ones, 3, ones, 2.0**-24)
        >>> bool(error < 2e-6)
        True
    """
    if is_half(u):
        size = sum(np.abs(each) for each in products) + np.abs(sum(products))
        return np.asarray(1.5 * u * (size + others))
    coherent = _COHERENT * sum(np.square(each) for each in products)
    error = (1 + np.sqrt(terms)) * np.sqrt(coherent + _SCATTERED * squares()) + 2 * others
    # NumPy rounds too, where it recomputes in the same type.
    return np.asarray(error * (u if u > UNIT_ROUNDOFF["float64"] else 2 * u))
