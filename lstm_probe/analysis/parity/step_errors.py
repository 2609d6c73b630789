"""The error of each single step of a framework, and its size as a multiple of a bound."""

from __future__ import annotations

import numpy as np

from lstm_probe.analysis.parity.error import difference
from lstm_probe.analysis.parity.teacher_forcing import ForcedSteps
from lstm_probe.analysis.snapshot import Snapshot
from lstm_probe.core.arrays import Array

__all__ = ["as_multiple_of", "step_errors"]


def step_errors(seen: Snapshot, steps: ForcedSteps) -> Array:
    """How far the output of each step is from what the equations give.

    Args:
        seen: what was captured, in reading order.
        steps: its steps, recomputed from the framework's own states.

    Returns:
        `(batch, time, units)`, float64, 0 or more.
    """
    error = difference(steps.output, seen.output)
    if seen.final_output is not None:
        last = difference(steps.output[:, -1], seen.final_output)
        error[:, -1] = np.maximum(error[:, -1], last)
    return error


def as_multiple_of(bound: Array, error: Array) -> Array:
    """Each error over its bound; 0 or more, and at most 1 where the bound explains the error.

    Args:
        bound: `(batch, time, units)`, positive.
        error: the same shape, 0 or more.

    Example:
        >>> as_multiple_of(np.array([2.0, 2.0]), np.array([1.0, 4.0])).tolist()
        [0.5, 2.0]
    """
    with np.errstate(invalid="ignore", over="ignore"):
        ratio = error / bound
    ratio[np.isnan(ratio)] = 0.0 if not np.isinf(error).any() else np.inf
    return np.asarray(ratio)
