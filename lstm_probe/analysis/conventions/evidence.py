"""Whether a candidate explains a mismatch, or would fit any output."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from lstm_probe.analysis.conventions.candidate import Candidate
from lstm_probe.analysis.parity.judged_steps import JudgedSteps, judge_steps
from lstm_probe.analysis.parity.rounding import LARGEST_BOUND
from lstm_probe.analysis.parity.teacher_forcing import in_reading_order
from lstm_probe.analysis.snapshot import Snapshot
from lstm_probe.core.arrays import Array
from lstm_probe.core.precision import UNIT_ROUNDOFF

__all__ = ["Mismatch", "first_steps", "sequences"]

#: A cause must fit the output so well that it does so by chance once in `2**_ENOUGH`, times the
#: number of candidates that have been tried so far.
_ENOUGH = 14.0
#: The steps after the first wrong one on which candidates are tried first.
_STEPS = 3


class Mismatch:
    """A snapshot that does not match its cell, against which candidates are held.

    Most candidates are wrong, and show it in the first steps that are wrong. So a candidate is
    tried on the beginning of two sequences, then on these sequences, and then on all.

    Args:
        judged: its steps, some of which are beyond their bounds.
    """

    def __init__(self, judged: JudgedSteps) -> None:
        self._judged = judged
        self.seen = judged.seen
        wrong = np.asarray(judged.wrong.any(axis=2), np.bool_)
        first = np.where(wrong.any(axis=1), wrong.argmax(axis=1), wrong.shape[1])
        # The earliest error, and the most of them: there a wrong convention makes a difference.
        early = np.lexsort((-judged.excess.max(axis=(1, 2)), first))[0]
        most = np.lexsort((judged.excess.max(axis=(1, 2)), wrong.sum(axis=1)))[-1]
        self.few = sequences(self.seen, np.unique([early, most]))
        self.beginning = int(first[early]) + 1 + _STEPS

    def is_explained_by(self, candidate: Candidate, rank: int) -> bool:
        """Whether the output is within the bounds of rounding, and not by chance.

        Args:
            candidate: what the framework may do.
            rank: how many candidates have been tried before.
        """
        if not self._begins_as(candidate):
            return False
        few = candidate.reread(self.few)
        if few is None or not _obeys(in_reading_order(few)):
            return False
        everything = candidate.reread(self.seen)
        judged = None if everything is None else judge_steps(everything)
        if judged is None or not judged.within_bounds:
            return False
        if judged.unjudged is not None and self._judged.unjudged is None:
            return False
        return self._evidence(judged, candidate) >= _ENOUGH + np.log2(1 + rank)

    def _begins_as(self, candidate: Candidate) -> bool:
        """Whether the first wrong steps of a few sequences are within their bounds."""
        if candidate.aligned and not candidate.needs_all:
            changed = candidate.reread(first_steps(self.few, self.beginning))
            return changed is None or _obeys(changed)
        changed = candidate.reread(self.few)
        if changed is None:
            return False
        return _obeys(first_steps(in_reading_order(changed), self.beginning))

    def _evidence(self, judged: JudgedSteps, candidate: Candidate) -> float:
        """How unlikely it is that the output fits by chance, in bits.

        Each value that was wrong and is now within its bound counts by the logarithm of what its
        error was before, as a multiple of that bound. Where a candidate leaves the wrong steps out,
        each value that is left counts as if it could have been anything.
        """
        before, after = self._judged, judged.seen
        with np.errstate(invalid="ignore"):
            most = LARGEST_BOUND * (1 + np.abs(after.output))
        if candidate.leaves_out:
            counted = np.ones(after.output.shape, np.bool_)
            if after.mask is not None:
                counted &= after.mask[:, :, None]
            errors, bounds = most[counted], judged.bound[counted]
        elif candidate.aligned:
            wrong = before.wrong & (after.output == self.seen.output)
            errors, bounds = np.fmin(before.errors, most)[wrong], judged.bound[wrong]
        else:
            errors = np.fmin(before.errors, LARGEST_BOUND)[before.wrong]
            bounds = np.full(len(errors), np.median(judged.bound))
        least = UNIT_ROUNDOFF[self.seen.dtype]
        bits = np.log2(np.maximum(errors / np.maximum(bounds, least), 1.0))
        return float(bits.sum() * max(0.0, 1 - candidate.fitted / max(len(bits), 1)))


def sequences(seen: Snapshot, chosen: Array) -> Snapshot:
    """Some sequences of a snapshot.

    Args:
        seen: what was captured.
        chosen: their indices.
    """
    given = seen.initial_state
    return replace(
        seen,
        x=seen.x[chosen],
        output=seen.output[chosen],
        final_output=None if seen.final_output is None else seen.final_output[chosen],
        mask=None if seen.mask is None else seen.mask[chosen],
        initial_state=None if given is None else tuple(state[chosen] for state in given),
    )


def first_steps(seen: Snapshot, steps: int) -> Snapshot:
    """The first steps of a snapshot that is in reading order.

    Args:
        seen: what was captured, in reading order.
        steps: how many of them.
    """
    return replace(
        seen,
        x=seen.x[:, :steps],
        output=seen.output[:, :steps],
        final_output=seen.final_output if steps >= seen.timesteps else None,
        mask=None if seen.mask is None else seen.mask[:, :steps],
    )


def _obeys(seen: Snapshot) -> bool:
    judged = judge_steps(seen)
    return judged is not None and judged.within_bounds
