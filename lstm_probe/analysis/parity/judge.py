"""`judge`: does the framework compute what the picture shows, and if not, where do they part?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from lstm_probe.analysis.parity.error import ParityError
from lstm_probe.analysis.parity.gate_at_fault import gate_at_fault
from lstm_probe.analysis.parity.reduced_precision import narrower_precision
from lstm_probe.analysis.parity.rounding import step_bound
from lstm_probe.analysis.parity.step_errors import as_multiple_of, errors_before_overflow
from lstm_probe.analysis.parity.teacher_forcing import (
    ForcedSteps,
    in_reading_order,
    teacher_force,
)
from lstm_probe.analysis.parity.verdict import Place, Verdict
from lstm_probe.analysis.snapshot import Snapshot
from lstm_probe.core.arrays import Array, computing_dtype
from lstm_probe.core.precision import UNIT_ROUNDOFF

__all__ = ["excess_of_steps", "judge", "within_rounding"]

#: Up to this multiple of the roundoff and of the error of NumPy's own recomputation in the layer's
#: dtype, an error is rounding. A larger one is judged step by step.
_CLEAR = 4.0
#: Where NumPy's own error is more than this many roundoffs, the network has amplified it, and it
#: proves nothing about the framework's error.
_AMPLIFIED = 1000.0
#: Where NumPy's own error at an earlier training step was at most this many roundoffs, the network
#: does not amplify rounding, and that error may stand for the one at this step.
_QUIET = 16.0


def judge(
    snapshot: Snapshot,
    exact: ParityError,
    rounding: Callable[[], ParityError],
    *,
    earlier: ParityError | None = None,
    known: Verdict | None = None,
) -> Verdict:
    """Judge what a framework computed.

    Whole sequences are compared first: an error of a few roundoffs is rounding, and a larger one
    is compared with the error of NumPy's own recomputation in the layer's dtype. Where that does
    not show that it is rounding, each step is recomputed from the framework's own state. This tells
    a chaotic network, which amplifies rounding errors, from a wrong one.

    Args:
        snapshot: what was captured; its cell is known.
        exact: the framework's distance from NumPy's recomputation in float64.
        rounding: computes the distance of NumPy's two recomputations, in float64 and in the layer's
            own dtype. It is called only where it decides.
        earlier: what `rounding` gave at an earlier training step, for the same probe.
        known: the mismatch of an earlier training step, if the convention that explained it
            explains this one too. A narrower precision and the gate at fault are then not searched
            again.

    Returns:
        The verdict.

    Example:
        >>> from lstm_probe import GruCell, Snapshot, gru, weights
        >>> rng = np.random.default_rng(0)
        >>> w = weights.from_keras(rng.normal(size=(3, 6)), rng.normal(size=(2, 6)))
        >>> x = rng.normal(size=(1, 5, 3))
        >>> seen = Snapshot(0, "gru", GruCell(), w, x=x, output=gru(x, w).h + 1e-4)
        >>> error = ParityError.between(gru(x, w).h, seen.output, None, 4)
        >>> print(judge(seen, error, lambda: error).kind)
        mismatch
    """
    u = UNIT_ROUNDOFF[snapshot.dtype]
    excess_of_rounding = _excess_of_rounding(snapshot, exact, rounding, u, earlier)
    if excess_of_rounding <= 1:
        return Verdict("match", excess_of_rounding)
    seen = in_reading_order(replace(snapshot, weights=snapshot.weights.astype(np.float64)))
    steps = teacher_force(seen, dtype=_judging_dtype(seen.dtype))
    bound = None if steps is None else step_bound(seen, steps, snapshot.dtype)
    if steps is None or bound is None:  # the cell's states or its rounding are not known
        near = _is_near(exact, rounding(), u)
        return Verdict("match" if near else "mismatch", excess_of_rounding)
    errors = errors_before_overflow(seen, steps)
    excess = as_multiple_of(bound, errors)
    largest = float(excess.max()), float(errors.max()), float(bound.max())
    if largest[0] <= 1:
        return Verdict("match", *largest)
    precision = None if known else narrower_precision(seen, steps, errors, excess)
    if precision is not None:
        return Verdict("reduced precision", *largest, precision=precision)
    return Verdict("mismatch", *largest, place=_place(snapshot, seen, steps, excess, known))


def within_rounding(snapshot: Snapshot) -> bool:
    """Whether every step of a snapshot obeys its cell's equations, up to rounding in its dtype.

    Args:
        snapshot: what was captured.

    Example:
        >>> from lstm_probe import GruCell, Snapshot, gru, weights
        >>> rng = np.random.default_rng(0)
        >>> w = weights.from_keras(rng.normal(size=(3, 6)), rng.normal(size=(2, 6)))
        >>> x = rng.normal(size=(1, 5, 3))
        >>> within_rounding(Snapshot(0, "gru", GruCell(), w, x=x, output=gru(x, w).h))
        True
    """
    excess = excess_of_steps(snapshot)
    return excess is not None and bool(excess.max() <= 1)


def excess_of_steps(snapshot: Snapshot) -> Array | None:
    """The error of each step from the framework's own state, as a multiple of its bound.

    Args:
        snapshot: what was captured.

    Returns:
        `(batch, time, units)`, 0 or more, in reading order: at most 1 where rounding explains the
        error. None for a cell whose states or whose rounding are not known.
    """
    seen = in_reading_order(snapshot)
    steps = teacher_force(seen, dtype=_judging_dtype(seen.dtype))
    bound = None if steps is None else step_bound(seen, steps, snapshot.dtype)
    if steps is None or bound is None:
        return None
    return as_multiple_of(bound, errors_before_overflow(seen, steps))


def _judging_dtype(dtype: str) -> npt.DTypeLike:
    """A dtype that is far more exact than the layer's: float32 is enough for half precisions."""
    return np.float64 if dtype in ("float32", "float64") else np.float32


def _excess_of_rounding(
    snapshot: Snapshot,
    exact: ParityError,
    rounding: Callable[[], ParityError],
    u: float,
    earlier: ParityError | None,
) -> float:
    """The error as a multiple of what is surely rounding; infinite where that is not known."""
    if computing_dtype(snapshot.dtype) != snapshot.dtype and exact.max_abs > 0:
        return np.inf
    of_roundoff = exact.max_abs / (_CLEAR * u)
    if of_roundoff <= 1 or snapshot.dtype == "float64":  # NumPy computes in the layer's dtype
        return of_roundoff
    order = slice(None, None, -1 if snapshot.reverse else 1)

    def compared_with(own: ParityError) -> float:
        grown = np.maximum.accumulate(own.per_timestep[order])
        return float((exact.per_timestep[order] / (_CLEAR * (grown + u))).max())

    if earlier is not None and earlier.max_abs <= _QUIET * u:
        excess = compared_with(earlier)
        if excess <= 1:
            return excess
    own = rounding()
    return np.inf if own.max_abs > _AMPLIFIED * u else compared_with(own)


def _is_near(exact: ParityError, own: ParityError, u: float) -> bool:
    """Whether the error stays near NumPy's own rounding error, for a cell without a bound."""
    grown = np.maximum.accumulate(own.per_timestep)
    return bool((exact.per_timestep <= 16 * (grown + 8 * u)).all())


def _place(
    snapshot: Snapshot, seen: Snapshot, steps: ForcedSteps, excess: Array, known: Verdict | None
) -> Place:
    """The first step, in reading order, whose error is beyond its bound, and its worst unit."""
    first = int(np.flatnonzero((excess > 1).any(axis=(0, 2)))[0])
    sequence, unit = np.unravel_index(int(excess[:, first].argmax()), excess[:, first].shape)
    if known is None or known.place is None:
        gate = gate_at_fault(seen, steps, int(unit))
    else:
        gate = known.place.gate
    return Place(
        timestep=seen.timesteps - 1 - first if snapshot.reverse else first,
        sequence=int(sequence),
        unit=int(unit),
        gate=gate,
    )
