"""How NumPy treats floating-point errors in code of ours, whatever the user has chosen."""

from __future__ import annotations

import numpy as np

__all__ = ["own_errstate"]


def own_errstate() -> np.errstate:
    """A context in which NumPy treats floating-point errors as it does by default.

    A script that calls `np.seterr(all="raise")` looks for its own errors. An underflow in a gate
    that is saturated is none of them.

    Example:
        >>> with np.errstate(all="raise"), own_errstate():
        ...     float(np.exp(np.float64(-800.0)))
        0.0
    """
    return np.errstate(divide="warn", over="warn", under="ignore", invalid="warn")
