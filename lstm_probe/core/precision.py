"""How exact the floating-point types are."""

from __future__ import annotations

import numpy as np

from lstm_probe.core.arrays import Array

__all__ = ["LARGEST", "SMALLEST", "UNIT_ROUNDOFF", "round_to", "ulp"]

#: Half the distance from 1 to the next number, by dtype. TF32 is what tensor cores read.
UNIT_ROUNDOFF = {
    "float64": 2.0**-53,
    "float32": 2.0**-24,
    "tf32": 2.0**-11,
    "float16": 2.0**-11,
    "bfloat16": 2.0**-8,
}
#: The largest number, by dtype.
LARGEST = {"float64": 1.8e308, "float32": 3.4e38, "float16": 65504.0, "bfloat16": 3.4e38}
#: What underflow costs. TensorFlow takes numbers below the smallest normal one of float32 for 0.
_FLUSHED = 2.0**-126
SMALLEST = dict.fromkeys(UNIT_ROUNDOFF, _FLUSHED) | {"float16": 2.0**-24}


def ulp(largest: float, dtype: str) -> float:
    """The unit in the last place of a number, in a layer's dtype.

    Example:
        >>> ulp(0.75, "float32") == 2.0**-24, ulp(1.0, "float32") == 2.0**-23
        (True, True)
    """
    _, exponent = np.frexp(max(largest, _FLUSHED))
    return float(np.ldexp(UNIT_ROUNDOFF[dtype], int(exponent)))


def round_to(array: Array, unit_roundoff: float, *, truncate: bool = False) -> Array:
    """Round to fewer binary digits, to the nearest or towards zero; the exponent has no limits.

    Example:
        >>> round_to(np.array([1 + 2.0**-9, 3.0]), UNIT_ROUNDOFF["bfloat16"]).tolist()
        [1.0, 3.0]
    """
    mantissa, exponent = np.frexp(array)
    scaled = mantissa / unit_roundoff
    digits = np.trunc(scaled) if truncate else np.rint(scaled)
    return np.ldexp(digits * unit_roundoff, exponent).astype(array.dtype)
