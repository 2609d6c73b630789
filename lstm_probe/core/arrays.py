"""The types of arrays, and the float types in which gates are recomputed."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from lstm_probe.core.errors import LstmProbeError

__all__ = ["Array", "BoolArray", "as_floats", "computing_dtype", "dtype_name"]

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


#: The types in which layers compute.
_COMPUTED_IN = ("float64", "float32", "float16", "bfloat16")
#: Types whose numbers are kept as float32, because NumPy computes slowly in them, or not at all.
_HALVES = ("float16", "bfloat16")


def dtype_name(dtype: object) -> str:
    """The name of a float type, however it is written.

    Args:
        dtype: A name such as `float32`, `float` or `single`; a NumPy type or dtype; or a dtype of
            TensorFlow, PyTorch, JAX or ml_dtypes.

    Returns:
        `float64`, `float32`, `float16` or `bfloat16`.

    Raises:
        LstmProbeError: It is none of these types.

    Example:
        >>> dtype_name("single"), dtype_name(np.float64), dtype_name(np.dtype("float16"))
        ('float32', 'float64', 'float16')
    """
    # str(torch.float32) is "torch.float32"; the dtypes of TensorFlow have names of their own.
    name = getattr(dtype, "name", None) or str(dtype).removeprefix("torch.")
    if name not in _COMPUTED_IN and dtype is not None:  # NumPy takes None for float64
        try:
            name = np.dtype(dtype).name  # type: ignore[call-overload]
        except (TypeError, ValueError):
            name = str(name)
    if name not in _COMPUTED_IN:
        raise LstmProbeError(
            f"This is not the dtype of a layer's computation. Received: dtype={dtype!r}. Expected: "
            f"{', '.join(_COMPUTED_IN[:-1])} or {_COMPUTED_IN[-1]}."
        )
    return name


def as_floats(values: object, what: str, expected: str) -> Array:
    """An array of floats, made of whatever holds numbers.

    Args:
        values: An array, a tensor, or nested lists of numbers.
        what: What they are, for the error: the beginning of a sentence.
        expected: The shape that is expected, for the error.

    Returns:
        float32 or float64. An array of one of these types is not copied. Half precisions become
        float32, which holds their numbers, and integers float64.

    Raises:
        LstmProbeError: These are not numbers, or lists of different lengths.

    Example:
        >>> as_floats([[1, 2]], "The input", "(batch, time)").dtype
        dtype('float64')
    """
    try:
        array = np.asarray(values)
        if array.dtype.name in _HALVES:
            return array.astype(np.float32)
        if array.dtype.kind in "biuf":
            wide = array.dtype.type in (np.float32, np.float64)
            return array if wide else array.astype(np.float64)
        received = f"{type(values).__name__} of {array.dtype}, shape {array.shape}"
    except (TypeError, ValueError, RuntimeError) as error:  # as of a tensor that needs a gradient
        received = f"{type(values).__name__}: {error}"
    raise LstmProbeError(
        f"{what} is no array of numbers. Received: {received}. Expected: {expected}."
    )
