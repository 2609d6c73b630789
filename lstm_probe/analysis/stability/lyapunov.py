"""Lyapunov exponents along the probe: how fast small changes of the state grow or die out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from lstm_probe.analysis.stability.driven import NOT_FINITE, Driven, driven
from lstm_probe.analysis.student import student_975
from lstm_probe.analysis.subject import Subject
from lstm_probe.analysis.words.answers import Answer
from lstm_probe.analysis.words.stability import exponents_told
from lstm_probe.core.arrays import Array
from lstm_probe.core.blas import on_one_blas_thread

__all__ = ["Lyapunov", "lyapunov_exponents", "lyapunov_of"]

#: A band needs this many stretches, and each stretch this many steps.
_FEWEST_STRETCHES, _SHORTEST = 4, 5
#: With few sequences each is cut into stretches, so that there are about this many.
_STRETCHES = 20
#: So many exponents are computed unless the caller says how many.
_COUNT = 16


@dataclass(frozen=True, eq=False)
class Lyapunov:
    """The largest Lyapunov exponents of a network that its probe drives, per step.

        J_t Q_{t-1} = Q_t R_t,    lambda_k = mean over t of log |R_t[k, k]|

    Below 0 small changes of the state die out, above 0 they grow, near 0 they stay. For an
    LSTM they are those of the map of `(h, c)`.

    Attributes:
        exponents: `(count,)`, float64, natural logarithms per step, the largest first. Minus
            infinity where a direction is lost altogether.
        low: `(count,)`, the lower end of the 95 % band of each.
        high: `(count,)`, the upper end.
        stretches: over how many stretches of the probe the band was estimated.
        steps: how many steps each stretch has.
        burn_in: how many steps at the start of each sequence were left out.
        kept: how many steps of the longest sequence were used.
        missing: what is missing, in words; empty if nothing is. The arrays are then empty.

    Source:
        Benettin et al. 1980, Meccanica 15:9; Engelken, Wolf & Abbott 2020, arXiv 2006.02427,
        section 2; Vogt et al. 2022, arXiv 2006.14123.

    Example:
        >>> half = np.log([0.5])
        >>> found = Lyapunov(half, half - 0.01, half + 0.01, 20, 5, 10, 30)
        >>> found.verdict
        'contracting'
    """

    exponents: Array
    low: Array
    high: Array
    stretches: int
    steps: int
    burn_in: int
    kept: int
    missing: str = ""

    @property
    def verdict(self) -> str:
        """`expanding`, `contracting` or `undecided`; empty where nothing was measured.

        It is undecided where the band of the largest exponent holds 0, and where a change grows or
        fades by less than the factor e over the steps that were used: as much as that may come from
        the direction at the first and at the last step. In a state that stays within bounds,
        expansion is chaos.
        """
        if self.missing:
            return ""
        over_all = self.exponents[0] * self.kept
        if self.low[0] > 0 and over_all > 1:
            return "expanding"
        return "contracting" if self.high[0] < 0 and over_all < -1 else "undecided"

    def sentences(self) -> list[Answer]:
        """The exponents in words, with their number, their band and what it comes from."""
        return exponents_told(self.plain())

    def plain(self) -> dict[str, Any]:
        """The attributes by name, for JSON; None for minus infinity."""
        arrays = {
            name: [value if np.isfinite(value) else None for value in getattr(self, name).tolist()]
            for name in ("exponents", "low", "high")
        }
        return {**vars(self), **arrays, "verdict": self.verdict}


@on_one_blas_thread
def lyapunov_exponents(
    subject: Subject, *, count: int | None = None, burn_in: int | None = None
) -> Lyapunov:
    """Measure the largest Lyapunov exponents along the probe.

    Orthonormal directions are carried through the exact Jacobian of each step and made orthonormal
    again by a QR decomposition; the logarithms of what that shortens or lengthens are the
    exponents. The first steps are left out, because the directions have to turn first and the state
    has to settle. The band is that of Student's t over stretches of the sequences, which it takes
    for independent.

    Args:
        subject: an `Analysis`, or a `Snapshot`, of one layer.
        count: how many exponents; the default is all up to 16.
        burn_in: how many valid steps at the start of each sequence are left out; the default is a
            quarter of the longest sequence.

    Returns:
        The exponents. Where they cannot be measured, as with a probe that is too short for a band,
        `missing` says why.

    Raises:
        LstmProbeError: the subject is neither of them.

    Example:
        >>> from lstm_probe import SimpleRnnCell, Snapshot, weights
        >>> w = weights.from_keras(np.zeros((1, 2)), np.diag([0.5, 0.25]))
        >>> x, h = np.zeros((1, 60, 1)), np.zeros((1, 60, 2))
        >>> found = lyapunov_exponents(Snapshot(0, "rnn", SimpleRnnCell(), w, x=x, output=h))
        >>> np.exp(found.exponents).round(6).tolist(), found.verdict
        ([0.5, 0.25], 'contracting')
    """
    ready = driven(subject)
    if isinstance(ready, str):
        return _nothing(ready)
    return lyapunov_of(ready, count=count, burn_in=burn_in)


def lyapunov_of(ready: Driven, *, count: int | None = None, burn_in: int | None = None) -> Lyapunov:
    """As `lyapunov_exponents`, of sequences that are ready."""
    lengths = ready.lengths
    left_out = int(lengths.max()) // 4 if burn_in is None else burn_in
    kept = lengths - left_out
    steps = _length_of_stretches(kept)
    stretches = int((kept[kept > 0] // steps).sum())
    if stretches < _FEWEST_STRETCHES:
        return _nothing(
            f"The probe is too short for Lyapunov exponents: after {left_out} steps of burn-in, "
            f"{max(0, int(kept[kept > 0].sum()))} steps are left; {_FEWEST_STRETCHES} stretches of "
            f"{_SHORTEST} steps are needed."
        )
    means = np.concatenate(
        [
            _stretches(logarithms[part.valid[:, b], b], left_out, steps)
            for part in (part for _, part in ready.parts())
            for logarithms in (_logarithms(part, min(count or _COUNT, ready.whole)),)
            for b in range(part.valid.shape[1])
        ]
    )
    if np.isnan(means).any():
        return _nothing(NOT_FINITE)
    exponents = means.mean(axis=0)
    order = np.argsort(-exponents, kind="stable")
    finite = np.isfinite(exponents)
    spread = np.where(finite, means, 0.0).std(axis=0, ddof=1) / np.sqrt(len(means))
    rounding = ready.whole * np.finfo(np.float64).eps  # of each logarithm
    half = np.where(finite, student_975(len(means) - 1) * spread + rounding, 0.0)
    return Lyapunov(
        exponents[order],
        (exponents - half)[order],
        (exponents + half)[order],
        len(means),
        steps,
        left_out,
        int(kept.max()),
    )


def _nothing(why: str) -> Lyapunov:
    empty = np.zeros(0)
    return Lyapunov(empty, empty, empty, 0, 0, 0, 0, why)


def _length_of_stretches(kept: Array) -> int:
    """How long the stretches are into which the kept steps of each sequence are cut."""
    total = int(kept[kept > 0].sum())
    return max(_SHORTEST, min(total // _STRETCHES, int(kept.max(initial=0))))


def _stretches(logarithms: Array, left_out: int, steps: int) -> Array:
    """The mean of each stretch of one sequence: from `(valid, count)` to `(stretches, count)`."""
    kept = logarithms[left_out:]
    whole = len(kept) // steps
    start = len(kept) - whole * steps  # what does not fill a stretch is burn-in too
    return kept[start:].reshape(whole, steps, kept.shape[1]).mean(axis=1)


def _logarithms(part: Driven, count: int) -> Array:
    """`log |R_t[k, k]|` of every step, `(time, batch, count)`."""
    time, batch = part.valid.shape
    rng = np.random.default_rng(0)
    q = np.repeat(np.linalg.qr(rng.normal(size=(part.whole, count)))[0][None], batch, axis=0)
    found = np.zeros((time, batch, count))
    with np.errstate(all="ignore"):
        for t, jacobian in enumerate(part.jacobians()):
            q, r = np.linalg.qr(jacobian @ q)
            diagonal = np.abs(np.diagonal(r, axis1=1, axis2=2))
            # What is left of a direction that J loses is rounding of the others.
            noise = part.whole * np.finfo(np.float64).eps * np.abs(r).max(axis=(1, 2))
            lost = diagonal <= noise[:, None]  # False for NaN, which stays
            found[t] = np.log(np.where(lost, 0.0, diagonal))
    return found
