"""Types of the arrays that pass through the core, and the float types it computes in."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = ["Array", "BoolArray", "computing_dtype"]

#: A floating-point array; the shape stands in the docstring of whoever takes or returns it.
Array: TypeAlias = npt.NDArray[Any]
#: An array of truth values, such as a mask.
BoolArray: TypeAlias = npt.NDArray[np.bool_]


@lru_cache(maxsize=64)  # a dtype's name takes as long as a small array's sum
def computing_dtype(dtype: str | np.dtype[Any]) -> np.dtype[Any]:
    """The dtype in which NumPy recomputes what a framework computed in `dtype`.

    float64 stays float64. Everything narrower (float32, and the half precisions float16 and
    bfloat16, whose products frameworks accumulate in float32) is recomputed in float32.

    Args:
        dtype: a dtype or its name.

    Example:
        >>> computing_dtype("float16")
        dtype('float32')
    """
    if isinstance(dtype, np.dtype) and dtype.type in (np.float32, np.float64):
        return np.dtype(dtype.type)
    # By name: NumPy knows bfloat16 only where ml_dtypes has been imported.
    return np.dtype(np.float64 if str(dtype) == "float64" else np.float32)
