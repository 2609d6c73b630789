"""`judge`: does the framework compute what the picture shows, and if not, where do they part?"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from lstm_probe.analysis.parity.error import ParityError
from lstm_probe.analysis.parity.gate_at_fault import gate_at_fault
from lstm_probe.analysis.parity.judged_steps import JudgedSteps, judge_steps
from lstm_probe.analysis.parity.reduced_precision import narrower_precision
from lstm_probe.analysis.parity.rounding import LARGEST_BOUND
from lstm_probe.analysis.parity.verdict import Place, Unjudged, Verdict
from lstm_probe.analysis.snapshot import Snapshot
from lstm_probe.core.arrays import computing_dtype
from lstm_probe.core.precision import UNIT_ROUNDOFF

__all__ = ["judge"]

#: Up to this multiple of the roundoff and of the error of NumPy's own recomputation in the layer's
#: dtype, an error is rounding. A larger one is judged step by step.
_CLEAR = 4.0
#: Where NumPy's own error is more than this many roundoffs, the network has amplified it, and it
#: proves nothing about the framework's error.
_AMPLIFIED = 1000.0
#: Where NumPy's own error at an earlier training step was at most this many roundoffs, the network
#: does not amplify rounding, and that error may stand for the one at this step.
_QUIET = 16.0
#: Where a cell has no bound, an error up to this multiple of NumPy's own is rounding.
_NEAR = 16.0


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
    judged = judge_steps(snapshot)
    if judged is None:  # the cell's states or its rounding are not known
        return _judge_by_rounding(snapshot, exact, rounding(), excess_of_rounding)
    largest = float(judged.excess.max()), float(judged.errors.max()), float(judged.bound.max())
    if judged.within_bounds:
        return Verdict("match", *largest, unjudged=judged.unjudged)
    seen, steps = judged.seen, judged.steps
    precision = None if known else narrower_precision(seen, steps, judged.errors, judged.excess)
    if precision is not None:
        return Verdict("reduced precision", *largest, precision=precision)
    place = _place(snapshot, judged, known)
    return Verdict("mismatch", *largest, place=place, unjudged=judged.unjudged)


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
        # Each sequence by itself: what rounding does to one of them excuses nothing in another.
        grown = np.maximum.accumulate(own.per_sequence[:, order], axis=1)
        return float((exact.per_sequence[:, order] / (_CLEAR * (grown + u))).max())

    if earlier is not None and earlier.max_abs <= _QUIET * u:
        excess = compared_with(earlier)
        if excess <= 1:
            return excess
    own = rounding()
    return np.inf if own.max_abs > _AMPLIFIED * u else compared_with(own)


def _judge_by_rounding(
    snapshot: Snapshot, exact: ParityError, own: ParityError, excess: float
) -> Verdict:
    """Judge a cell without a bound: by whether the error stays near NumPy's own rounding error.

    Each sequence is compared by itself, in the order of its steps. Where NumPy's own error is so
    large that it would excuse anything, there is nothing to judge by.
    """
    order = slice(None, None, -1 if snapshot.reverse else 1)
    error = exact.per_sequence[:, order]
    grown = np.maximum.accumulate(own.per_sequence[:, order], axis=1)
    bound = _NEAR * (grown + 2 * _CLEAR * UNIT_ROUNDOFF[snapshot.dtype])
    with np.errstate(invalid="ignore"):
        size = np.fmax.reduce(np.abs(snapshot.output[:, order]), axis=2, initial=0.0)
    lost = np.logical_or.accumulate(~(bound <= LARGEST_BOUND * (1 + size)), axis=1)
    if ((error > bound) & ~lost).any():
        return Verdict("mismatch", excess)
    differs = lost & (error > LARGEST_BOUND * (1 + size))
    if not differs.any():
        return Verdict("match", excess)
    first = int(lost[differs.any(axis=1)].argmax(axis=1).min())
    unjudged = Unjudged(
        timestep=snapshot.timesteps - 1 - first if snapshot.reverse else first,
        sequences=tuple(np.flatnonzero(differs.any(axis=1)).tolist()),
        reason="rounding grows to the size of the values",
    )
    return Verdict("match", excess, unjudged=unjudged)


def _place(snapshot: Snapshot, judged: JudgedSteps, known: Verdict | None) -> Place:
    """The first step, in reading order, whose error is beyond its bound, and its worst unit."""
    seen, excess = judged.seen, judged.excess
    first = int(np.flatnonzero(judged.wrong.any(axis=(0, 2)))[0])
    sequence, unit = np.unravel_index(int(excess[:, first].argmax()), excess[:, first].shape)
    if known is None or known.place is None:
        gate = gate_at_fault(seen, judged.steps, int(unit))
    else:
        gate = known.place.gate
    return Place(
        timestep=seen.timesteps - 1 - first if snapshot.reverse else first,
        sequence=int(sequence),
        unit=int(unit),
        gate=gate,
    )
