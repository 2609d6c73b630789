"""`judge`: does the framework compute what the picture shows, and if not, where do they part?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from lstm_probe.analysis.parity.defect import defect_of, multiple
from lstm_probe.analysis.parity.error import ParityError
from lstm_probe.analysis.parity.gate_at_fault import gate_at_fault
from lstm_probe.analysis.parity.reduced_precision import narrower_precision
from lstm_probe.analysis.parity.rounding import step_bound
from lstm_probe.analysis.parity.teacher_forcing import Forced, force, in_reading_order
from lstm_probe.analysis.parity.verdict import Place, Verdict
from lstm_probe.analysis.snapshot import Snapshot
from lstm_probe.core.arrays import Array, computing_dtype
from lstm_probe.core.precision import UNIT_ROUNDOFF

__all__ = ["excess_of_steps", "judge", "within_rounding"]

#: An error this much larger than roundoff and that of NumPy's own recomputation in the layer's
#: dtype needs a closer look; one that is smaller is rounding, whatever else it may be.
_CLEAR = 4.0
#: Above this many roundoffs NumPy's own error has been amplified: it proves nothing.
_AMPLIFIED = 1000.0
#: Up to so many roundoffs, NumPy's own error at an earlier step is that of a network that does not
#: amplify: what is as near to the truth as that needs no newer yardstick.
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
    is set against that of NumPy's own recomputation in the layer's dtype. Where it is not clearly
    that of rounding, each step is recomputed from the framework's own state, so that a chaotic
    network, which multiplies rounding errors, is told from a wrong one.

    Args:
        snapshot: what was captured; its cell is known.
        exact: the difference from NumPy's recomputation in float64.
        rounding: works out the difference of NumPy's two recomputations, in float64 and in the
            layer's own dtype; asked only where it decides.
        earlier: the same difference at an earlier step of the layer, for the same probe.
        known: the mismatch of an earlier step, if what explained it still does: neither a narrower
            precision nor the gate at fault is looked for again.

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
    clear = _clear_excess(snapshot, exact, rounding, u, earlier)
    if clear <= 1:
        return Verdict("match", clear)
    # Converted once for everything that computes in float64 from here on.
    seen = in_reading_order(replace(snapshot, weights=snapshot.weights.astype(np.float64)))
    forced = force(seen, dtype=_judging_dtype(seen.dtype))
    bound = None if forced is None else step_bound(seen, forced, snapshot.dtype)
    if forced is None or bound is None:  # nothing is known of the cell's states
        return Verdict("match" if _near(exact, rounding(), u) else "mismatch", clear)
    defect = defect_of(seen, forced)
    excess = multiple(defect, bound)
    largest = float(excess.max()), float(defect.max()), float(bound.max())
    if largest[0] <= 1:
        return Verdict("match", *largest)
    precision = None if known else narrower_precision(seen, forced, defect, excess)
    if precision is not None:
        return Verdict("reduced precision", *largest, precision=precision)
    return Verdict("mismatch", *largest, place=_place(snapshot, seen, forced, excess, known))


def within_rounding(snapshot: Snapshot) -> bool:
    """Whether every step of a snapshot obeys its cell's equations, up to rounding in its dtype.

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
    """`(batch, time, units)`, the error of each step, from the framework's own state, as a
    multiple of what rounding explains; in reading order. None for a cell whose states are not
    known."""
    seen = in_reading_order(snapshot)
    forced = force(seen, dtype=_judging_dtype(seen.dtype))
    bound = None if forced is None else step_bound(seen, forced, snapshot.dtype)
    if forced is None or bound is None:
        return None
    return multiple(defect_of(seen, forced), bound)


def _judging_dtype(dtype: str) -> npt.DTypeLike:
    """One that is more exact by far: float32 is enough for the half precisions."""
    return np.float64 if dtype in ("float32", "float64") else np.float32


def _clear_excess(
    snapshot: Snapshot,
    exact: ParityError,
    rounding: Callable[[], ParityError],
    u: float,
    earlier: ParityError | None,
) -> float:
    """The error as a multiple of one that is clearly rounding; infinite if that is not known."""
    if computing_dtype(snapshot.dtype) != snapshot.dtype and exact.max_abs > 0:
        return np.inf
    # As near as this, however exact NumPy's own recomputation is.
    least = exact.max_abs / (_CLEAR * u)
    if least <= 1 or snapshot.dtype == "float64":  # NumPy has computed the same way
        return least
    order = slice(None, None, -1 if snapshot.reverse else 1)

    def over(own: ParityError) -> float:
        grown = np.maximum.accumulate(own.per_timestep[order])
        return float((exact.per_timestep[order] / (_CLEAR * (grown + u))).max())

    if earlier is not None and earlier.max_abs <= _QUIET * u:
        excess = over(earlier)
        if excess <= 1:
            return excess
    own = rounding()
    return np.inf if own.max_abs > _AMPLIFIED * u else over(own)


def _near(exact: ParityError, same: ParityError, u: float) -> bool:
    grown = np.maximum.accumulate(same.per_timestep)
    return bool((exact.per_timestep <= 16 * (grown + 8 * u)).all())


def _place(
    snapshot: Snapshot, seen: Snapshot, forced: Forced, excess: Array, known: Verdict | None
) -> Place:
    first = int(np.flatnonzero((excess > 1).any(axis=(0, 2)))[0])
    sequence, unit = np.unravel_index(int(excess[:, first].argmax()), excess[:, first].shape)
    if known is None or known.place is None:
        gate = gate_at_fault(seen, forced, int(unit))
    else:
        gate = known.place.gate
    return Place(
        timestep=seen.timesteps - 1 - first if snapshot.reverse else first,
        sequence=int(sequence),
        unit=int(unit),
        gate=gate,
    )
