"""Each step of a framework from its own state, held against the rounding error that is due."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from lstm_probe.analysis.parity.overflow import judgeable_steps
from lstm_probe.analysis.parity.rounding import step_bound
from lstm_probe.analysis.parity.step_errors import as_multiple_of, step_errors
from lstm_probe.analysis.parity.teacher_forcing import (
    ForcedSteps,
    in_reading_order,
    teacher_force,
)
from lstm_probe.analysis.parity.verdict import Unjudged
from lstm_probe.analysis.snapshot import Snapshot
from lstm_probe.core.arrays import Array, BoolArray

__all__ = ["JudgedSteps", "excess_of_steps", "judge_steps"]

#: A bound of more than this part of the values excuses what rounding hardly ever does.
_WIDE = 1 / 16
#: Rounding hardly ever fills more than this part of a bound, which adds up the worst of everything.
_FILLED = 0.5


@dataclass(frozen=True, eq=False)
class JudgedSteps:
    """The error of each step from the framework's own state, and what rounding explains of it.

    Attributes:
        seen: what was captured, in reading order.
        steps: its steps, recomputed from the framework's own states.
        bound: `(batch, time, units)`, the largest error that rounding explains.
        errors: the same shape, 0 or more; 0 where a step cannot be judged.
        excess: the errors as multiples of the bounds: at most 1 where rounding explains them.
        unjudged: what cannot be judged although it differs; None if everything could be.
    """

    seen: Snapshot
    steps: ForcedSteps
    bound: Array
    errors: Array
    excess: Array
    unjudged: Unjudged | None

    @property
    def wrong(self) -> BoolArray:
        """`(batch, time, units)`, where the error is beyond what rounding explains."""
        return np.asarray(self.excess > 1, np.bool_)

    @property
    def within_bounds(self) -> bool:
        """Whether rounding explains every error that can be judged."""
        return not self.wrong.any()


def judge_steps(snapshot: Snapshot) -> JudgedSteps | None:
    """Recompute each step from the framework's own state, and compare it with its bound.

    Args:
        snapshot: what was captured; its cell is known.

    Returns:
        None for a cell whose states or whose rounding are not known.

    Example:
        >>> from lstm_probe import GruCell, Snapshot, gru, weights
        >>> rng = np.random.default_rng(0)
        >>> w = weights.from_keras(rng.normal(size=(3, 6)), rng.normal(size=(2, 6)))
        >>> x = rng.normal(size=(1, 5, 3))
        >>> seen = Snapshot(0, "gru", GruCell(), w, x=x, output=gru(x, w).h)
        >>> judge_steps(seen).within_bounds
        True
    """
    seen = in_reading_order(replace(snapshot, weights=snapshot.weights.astype(np.float64)))
    steps = teacher_force(seen, dtype=_judging_dtype(seen.dtype))
    bound = None if steps is None else step_bound(seen, steps, snapshot.dtype)
    if steps is None or bound is None:
        return None
    errors = step_errors(seen, steps)
    excess = as_multiple_of(bound, errors)
    judgeable = judgeable_steps(seen, steps)
    left_out = np.arange(seen.timesteps) >= judgeable.stop[:, None]
    differs = judgeable.overflows & (left_out[..., None] & (excess > 1)).any(axis=(1, 2))
    overflown = left_out & differs[:, None]
    errors[left_out], excess[left_out] = 0.0, 0.0
    unjudged = _unjudged(snapshot, overflown, f"numbers leave the range of {seen.dtype}")
    if unjudged is None:
        hidden = _could_hide_anything(bound, excess, steps.output)
        unjudged = _unjudged(snapshot, hidden, "rounding may grow as large as the difference")
    return JudgedSteps(seen, steps, bound, errors, excess, unjudged)


def _could_hide_anything(bound: Array, excess: Array, output: Array) -> BoolArray:
    """`(batch, time)`, where a bound of nearly the size of the values is nearly filled."""
    size = 1 + np.where(np.isfinite(output), np.abs(output), 0)
    hidden = (bound > _WIDE * size) & (excess > _FILLED) & (excess <= 1)
    return np.asarray(hidden.any(axis=2), np.bool_)


def _unjudged(snapshot: Snapshot, steps: BoolArray, reason: str) -> Unjudged | None:
    """What cannot be judged from the first of some steps on, `(batch, time)` in reading order."""
    if not steps.any():
        return None
    first = int(np.flatnonzero(steps.any(axis=0))[0])
    return Unjudged(
        timestep=snapshot.timesteps - 1 - first if snapshot.reverse else first,
        sequences=tuple(np.flatnonzero(steps.any(axis=1)).tolist()),
        reason=reason,
    )


def excess_of_steps(snapshot: Snapshot) -> Array | None:
    """The error of each step from the framework's own state, as a multiple of its bound.

    Args:
        snapshot: what was captured; its cell is known.

    Returns:
        `(batch, time, units)`, 0 or more, in reading order: at most 1 where rounding explains the
        error. None for a cell whose states or whose rounding are not known.
    """
    judged = judge_steps(snapshot)
    return None if judged is None else judged.excess


def _judging_dtype(dtype: str) -> npt.DTypeLike:
    """A dtype that is far more exact than the layer's: float32 is enough for half precisions."""
    return np.float64 if dtype in ("float32", "float64") else np.float32
