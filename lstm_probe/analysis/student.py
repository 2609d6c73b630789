"""Student's t distribution, as far as a 95 % band needs it."""

from __future__ import annotations

__all__ = ["student_975"]

#: The 97.5 % quantile for 1 to 10 degrees of freedom.
_FEW = (12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060, 2.2622, 2.2281)
_NORMAL = 1.959963984540054


def student_975(freedom: int) -> float:
    """The 97.5 % quantile of Student's t distribution.

    From 11 degrees of freedom on it is the expansion of Cornish and Fisher, right to 2e-4.

    Args:
        freedom: the degrees of freedom, 1 or more.

    Source:
        Abramowitz & Stegun 1964, 26.7.5.

    Example:
        >>> [round(student_975(n), 4) for n in (3, 11, 30)]
        [3.1824, 2.2009, 2.0423]
    """
    if freedom <= len(_FEW):
        return _FEW[freedom - 1]
    z, n = _NORMAL, float(freedom)
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / n + second / n**2 + third / n**3
