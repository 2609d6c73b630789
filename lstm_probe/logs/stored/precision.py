"""How exactly a stored capture holds its gates: in float16, or in float32 as well."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from lstm_probe.core.arrays import Array
from lstm_probe.logs.stored.format import Stored

__all__ = ["FLOAT32", "as_half", "best_gate", "precision_of"]

#: The beginning of the names of gates in float32, which stand beside those in float16.
FLOAT32: Final = "float32/"
_LARGEST_HALF: Final = float(np.finfo(np.float16).max)


def as_half(array: Array) -> Array:
    """The array in float16. A finite number beyond its range becomes the largest of the range.

    Example:
        >>> as_half(np.array([0.1, 1e9, -np.inf])).tolist()
        [0.0999755859375, 65504.0, -inf]
    """
    if array.dtype == np.float16:
        return array
    with np.errstate(invalid="ignore"):
        largest = max(array.max(initial=0.0), -array.min(initial=0.0))
        if not largest <= _LARGEST_HALF:  # true as well if there is a NaN
            inside = np.clip(array, -_LARGEST_HALF, _LARGEST_HALF)
            array = np.where(np.isinf(array), array, inside)
        return array.astype(np.float16)


def best_gate(stored: Stored, letter: str) -> npt.NDArray[Any]:
    """A gate as exactly as the capture holds it.

    Args:
        stored: the capture.
        letter: the letter of a gate that it holds.

    Returns:
        `(batch, time, units)` in float32 where that is stored, else in float16.

    Example:
        >>> half = np.array([[[0.1]]], np.float16)
        >>> best_gate(Stored({"gates/f": half}, {}), "f").dtype
        dtype('float16')
    """
    gate, exact = stored.arrays[f"gates/{letter}"], stored.arrays.get(f"{FLOAT32}{letter}")
    fits = exact is not None and exact.dtype == np.float32 and exact.shape == gate.shape
    return exact if exact is not None and fits else gate


def precision_of(stored: Stored) -> str:
    """The least exact dtype in which a gate of the capture is held: `float16` or `float32`.

    Example:
        >>> precision_of(Stored({"gates/f": np.zeros((1, 1, 1), np.float16)}, {}))
        'float16'
    """
    letters = [name.partition("/")[2] for name in stored.arrays if name.startswith("gates/")]
    exact = all(best_gate(stored, letter).dtype == np.float32 for letter in letters)
    return "float32" if exact else "float16"
