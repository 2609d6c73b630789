"""Clips that the description of a cell does not hold, inferred from the framework's output."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from lstm_probe.analysis.conventions.candidate import Candidate, change
from lstm_probe.analysis.conventions.evidence import first_steps, sequences
from lstm_probe.analysis.parity.judged_steps import JudgedSteps, judge_steps
from lstm_probe.analysis.parity.teacher_forcing import teacher_force
from lstm_probe.analysis.snapshot import Snapshot
from lstm_probe.cells import LstmCell
from lstm_probe.core.arrays import Array

__all__ = ["inferred_clips"]

#: So many bounds are tried, and the best is made more exact so often.
_TRIED, _ROUNDS = 24, 6
#: The step of the finite differences, as a part of the largest bound.
_STEP, _TINY = 1e-7, 1e-300
#: A bound is tried as the round numbers with so many digits, and as it was found.
_DIGITS = (1, 2, 3, 4, 12)


def inferred_clips(seen: Snapshot) -> Iterator[Candidate]:
    """A cell state or a projection that the framework clips, though the cell does not say so.

    Args:
        seen: what was captured, in reading order.
    """
    cell = seen.cell
    if not isinstance(cell, LstmCell):
        return
    judged = judge_steps(seen)
    if judged is None or judged.within_bounds:
        return
    weights: Any = seen.weights
    if weights.projection is not None:
        for bound in _rounded(_largest_output(judged)):
            does = f"clips the projection at {bound:g}"
            yield change("clip", does, cell=replace(cell, proj_clip=bound), fitted=1)
    for option, what in (("cell_clip", "the cell state"), ("gate_clip", "the sums of the gates")):
        for bound in _rounded(_best_bound(judged, option)):
            if bound != getattr(cell, option):
                does = f"clips {what} at {bound:g}"
                other = _with(cell, option, bound)
                yield change("clip", does, cell=other, fitted=1)


def _with(cell: Any, option: str, bound: float) -> Any:
    return replace(cell, **{option: bound})


def _largest_sum(part: Snapshot) -> float:
    """A bound of what goes into the gates."""
    steps = teacher_force(part)
    assert steps is not None
    assert part.cell is not None
    before = {letter: array.swapaxes(0, 1) for letter, array in steps.before.items()}
    x = part.x.astype(np.float64).swapaxes(0, 1)
    return float(np.asarray(part.cell.largest_sums(x, before, steps.weights)).max())


def _rounded(bound: float) -> list[float]:
    """A bound as round numbers, the roundest first; nothing if it is no bound."""
    if not np.isfinite(bound) or bound <= 0:
        return []
    return list(dict.fromkeys(float(f"{bound:.{digits}g}") for digits in _DIGITS))


def _largest_output(judged: JudgedSteps) -> float:
    """The largest output of the first wrong step: it is at the bound."""
    first = int(np.flatnonzero(judged.wrong.any(axis=(0, 2)))[0])
    wrong = judged.wrong[:, first]
    return float(np.abs(judged.seen.output[:, first][wrong]).max())


def _best_bound(judged: JudgedSteps, option: str) -> float:
    """The bound with which the first wrong step fits best; NaN if there is none."""
    cell, wrong = judged.seen.cell, np.asarray(judged.wrong.any(axis=2))
    first = int(np.flatnonzero(wrong.any(axis=0))[0])
    part = first_steps(sequences(judged.seen, np.flatnonzero(wrong[:, first])), first + 1)
    largest = float(np.abs(judged.steps.arrays["c"][:, : first + 1]).max())
    if option == "gate_clip":
        largest = _largest_sum(part)

    def rest(bound: float) -> Array:
        steps = teacher_force(replace(part, cell=_with(cell, option, bound)))
        assert steps is not None
        return steps.output[:, -1] - part.output[:, -1]

    if not 0 < largest < np.inf:
        return np.nan
    tried = np.linspace(0, largest, _TRIED + 1)[1:]
    best = float(tried[int(np.argmin([np.square(rest(bound)).sum() for bound in tried]))])
    for _ in range(_ROUNDS):  # Gauss-Newton
        left, step = rest(best), _STEP * largest
        slope = (rest(best + step) - left) / step
        moved = float((slope * left).sum() / max(float(np.square(slope).sum()), _TINY))
        best = min(max(best - moved, best / 2), largest)
    return best
