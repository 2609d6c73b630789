"""Whether a framework computed in a narrower type than the layer's dtype, and in which."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from lstm_probe.analysis.parity.dynamic_int8 import quantised_steps
from lstm_probe.analysis.parity.rounding import step_bound
from lstm_probe.analysis.parity.step_errors import as_multiple_of, step_errors
from lstm_probe.analysis.parity.teacher_forcing import ForcedSteps, teacher_force
from lstm_probe.analysis.snapshot import Snapshot
from lstm_probe.core.arrays import Array
from lstm_probe.core.precision import UNIT_ROUNDOFF, round_to

__all__ = ["narrower_precision"]

#: A precision explains the errors if at most this part of them is left once the operands are
#: rounded to it.
_EXPLAINED = 0.25
#: Numbers with fewer binary digits than these are the same in every precision.
_FEW_DIGITS = 2.0**-5


def narrower_precision(
    seen: Snapshot, steps: ForcedSteps, errors: Array, excess: Array
) -> str | None:
    """Find the narrower precision that explains the errors of single steps.

    The size of the errors alone would not tell a narrower precision from a slightly wrong
    equation. So there must be a mark of it: either the outputs are numbers of the narrower type, or
    the framework was told to compute in it, or the errors vanish when the operands of the matrix
    products are rounded to it. Of 8 bits only the last counts.

    Args:
        seen: what was captured, in reading order.
        steps: its steps, recomputed from the framework's own states.
        errors: `(batch, time, units)`, the error of each step.
        excess: the same shape, the errors as multiples of what rounding explains.

    Returns:
        `bfloat16`, `float16`, `float32`, `TF32` or `int8`; None if none explains the errors.
    """
    u = UNIT_ROUNDOFF[seen.dtype]
    for name in ("bfloat16", "float16", "float32"):  # from few digits to many: the first one fits
        own = UNIT_ROUNDOFF[name]
        if own <= u or not (name == seen.precision or _is_stored_in(seen.output, own)):
            continue
        bound = step_bound(seen, steps, name)
        if bound is not None and as_multiple_of(bound, errors).max() <= 1:
            return name
    at_fault = excess > 1
    size = _root_mean_square(errors[at_fault])
    if not size <= _root_mean_square(seen.output[np.isfinite(seen.output)]):
        return None  # every type keeps the leading digit
    if seen.precision == "int8":
        for quantised in quantised_steps(seen):
            if _root_mean_square(step_errors(seen, quantised)[at_fault]) <= _EXPLAINED * size:
                return "int8"
    for name in ("float32", "tf32", "bfloat16"):
        own = UNIT_ROUNDOFF[name]
        if own <= u:
            continue
        for truncate in (False, True):
            rounding = partial(round_to, unit_roundoff=own, truncate=truncate)
            if _size_of_rest(seen, at_fault, rounding) <= _EXPLAINED * size < np.inf:
                return name.upper() if name == "tf32" else name
    return None


def _size_of_rest(seen: Snapshot, at_fault: Array, operands: Callable[[Array], Array]) -> float:
    """The root mean square of the errors that are left when the operands are rounded.

    The old state, which a gate of a GRU keeps, may be rounded or not.
    """
    left = []
    for exactly in (False, True):
        rounded = teacher_force(seen, operands=operands, keeps_exactly=exactly)
        assert rounded is not None
        left.append(_root_mean_square(step_errors(seen, rounded)[at_fault]))
    return min(left)


def _is_stored_in(output: Array, unit_roundoff: float) -> bool:
    """Whether all numbers are ones of a narrower type, and not so simple that any type has them."""
    values = output.astype(np.float64)
    values = values[np.isfinite(values)]
    if np.array_equal(round_to(values, _FEW_DIGITS), values):
        return False
    return np.array_equal(round_to(values, unit_roundoff), values)


def _root_mean_square(values: Array) -> float:
    """Infinite where a value is not finite."""
    if not np.isfinite(values).all():
        return np.inf
    with np.errstate(over="ignore"):
        return float(np.sqrt(np.mean(np.square(values))))
