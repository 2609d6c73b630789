"""The precision and the range of the floating-point types."""

from __future__ import annotations

import numpy as np

from lstm_probe.core.arrays import Array

__all__ = ["LARGEST", "SMALLEST", "UNIT_ROUNDOFF", "is_half", "round_to", "smallest", "ulp"]

#: Half of the distance from 1 to the next number, by dtype. Tensor cores round their operands to
#: TF32.
UNIT_ROUNDOFF = {
    "float64": 2.0**-53,
    "float32": 2.0**-24,
    "tf32": 2.0**-11,
    "float16": 2.0**-11,
    "bfloat16": 2.0**-8,
}
#: The largest finite number, rounded, by dtype.
LARGEST = {"float64": 1.8e308, "float32": 3.4e38, "float16": 65504.0, "bfloat16": 3.4e38}
#: TensorFlow replaces numbers below the smallest normal number of float32 by 0.
_FLUSHED = 2.0**-126
#: The largest absolute error that underflow causes, by dtype.
SMALLEST = dict.fromkeys(UNIT_ROUNDOFF, _FLUSHED) | {"float16": 2.0**-24}


def is_half(unit_roundoff: float) -> bool:
    """Whether a unit roundoff belongs to a half precision, whose products are summed in float32.

    Example:
        >>> is_half(UNIT_ROUNDOFF["bfloat16"]), is_half(UNIT_ROUNDOFF["float32"])
        (True, False)
    """
    return unit_roundoff > UNIT_ROUNDOFF["float32"]


def smallest(unit_roundoff: float) -> float:
    """The largest absolute error that underflow causes, by the unit roundoff.

    Example:
        >>> smallest(UNIT_ROUNDOFF["float16"]), smallest(UNIT_ROUNDOFF["float32"]) == 2.0**-126
        (5.960464477539063e-08, True)
    """
    return SMALLEST["float16" if unit_roundoff == UNIT_ROUNDOFF["float16"] else "float32"]


def ulp(largest: float, dtype: str) -> float:
    """The unit in the last place of a number.

    Args:
        largest: The number, 0 or more.
        dtype: A key of `UNIT_ROUNDOFF`.

    Example:
        >>> ulp(0.75, "float32") == 2.0**-24, ulp(1.0, "float32") == 2.0**-23
        (True, True)
    """
    _, exponent = np.frexp(max(largest, _FLUSHED))
    return float(np.ldexp(UNIT_ROUNDOFF[dtype], int(exponent)))


def round_to(array: Array, unit_roundoff: float, *, truncate: bool = False) -> Array:
    """Round to fewer binary digits. The exponent has no limits.

    Args:
        array: Numbers of any shape.
        unit_roundoff: The unit roundoff of the result.
        truncate: Round towards zero, instead of to the nearest number.

    Returns:
        The rounded numbers, of the shape and dtype of `array`.

    Example:
        >>> round_to(np.array([1 + 2.0**-9, 3.0]), UNIT_ROUNDOFF["bfloat16"]).tolist()
        [1.0, 3.0]
    """
    mantissa, exponent = np.frexp(array)
    scaled = mantissa / unit_roundoff
    digits = np.trunc(scaled) if truncate else np.rint(scaled)
    return np.ldexp(digits * unit_roundoff, exponent).astype(array.dtype)
