"""The types of arrays, and the float types in which gates are recomputed."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = ["Array", "BoolArray", "computing_dtype"]

#: A floating-point array. The docstring of each function gives the shapes.
Array: TypeAlias = npt.NDArray[Any]
#: An array of truth values, such as a mask.
BoolArray: TypeAlias = npt.NDArray[np.bool_]


def computing_dtype(dtype: str | np.dtype[Any]) -> np.dtype[Any]:
    """The dtype in which NumPy recomputes what a framework computed in `dtype`.

    float64 is recomputed in float64, and every narrower type in float32. That holds for the half
    precisions float16 and bfloat16 too, because frameworks accumulate their products in float32.

    Args:
        dtype: A dtype or its name.

    Returns:
        float32 or float64.

    Example:
        >>> computing_dtype("float16")
        dtype('float32')
    """
    if isinstance(dtype, np.dtype) and dtype.type in (np.float32, np.float64):
        return np.dtype(dtype.type)
    # The name is compared because NumPy knows bfloat16 only after ml_dtypes has been imported.
    return np.dtype(np.float64 if str(dtype) == "float64" else np.float32)
