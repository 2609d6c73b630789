"""Whether a framework computed in a narrower type than the layer says, and in which."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from lstm_probe.analysis.parity.defect import errors_of, multiple
from lstm_probe.analysis.parity.rounding import step_bound
from lstm_probe.analysis.parity.teacher_forcing import Forced, force
from lstm_probe.analysis.snapshot import Snapshot
from lstm_probe.core.arrays import Array
from lstm_probe.core.precision import UNIT_ROUNDOFF, round_to

__all__ = ["narrower_precision"]

#: What is left of an error, when the operands are rounded as the framework rounds them.
_EXPLAINED = 0.25
#: Fewer binary digits than these, and numbers are the same in every precision.
_FEW_DIGITS = 2.0**-5


def narrower_precision(seen: Snapshot, forced: Forced, defect: Array, excess: Array) -> str | None:
    """The narrower precision that explains the errors, by its name.

    Its size alone would not tell it from a slightly wrong equation. So it must show what it is:
    outputs that are numbers of the narrower type, or errors that vanish when the operands of the
    matrix products are rounded likewise.
    """
    u = UNIT_ROUNDOFF[seen.dtype]
    for name in ("bfloat16", "float16", "float32"):  # what fits the first fits all
        own = UNIT_ROUNDOFF[name]
        if own <= u or not _is_stored_in(seen.output, own):
            continue
        bound = step_bound(seen, forced, name)
        if bound is not None and multiple(defect, bound).max() <= 1:
            return name
    at_fault = excess > 1
    size = _root_mean_square(defect[at_fault])
    if not size <= _root_mean_square(seen.output[np.isfinite(seen.output)]):
        return None  # every type keeps the leading digit
    for name in ("float32", "tf32", "bfloat16"):
        own = UNIT_ROUNDOFF[name]
        if own <= u:
            continue
        for truncate in (False, True):
            rounding = partial(round_to, unit_roundoff=own, truncate=truncate)
            if _left(seen, at_fault, rounding) <= _EXPLAINED * size < np.inf:
                return name.upper() if name == "tf32" else name
    return None


def _left(seen: Snapshot, at_fault: Array, operands: Callable[[Array], Array]) -> float:
    rounded = force(seen, operands=operands)
    assert rounded is not None
    return _root_mean_square(errors_of(seen, rounded)[at_fault])


def _is_stored_in(output: Array, unit_roundoff: float) -> bool:
    values = output.astype(np.float64)
    values = values[np.isfinite(values)]
    if np.array_equal(round_to(values, _FEW_DIGITS), values):
        return False
    return np.array_equal(round_to(values, unit_roundoff), values)


def _root_mean_square(values: Array) -> float:
    if not np.isfinite(values).all():
        return np.inf
    with np.errstate(over="ignore"):
        return float(np.sqrt(np.mean(np.square(values))))
