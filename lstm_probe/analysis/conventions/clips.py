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

__all__ = ["inferred_clips"]

#: So many bounds are tried, and the best is made more exact so often.
_TRIED, _ROUNDS = 32, 40
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
    for bound in _rounded(_bound_of_state(judged)):
        if bound != cell.cell_clip:
            does = f"clips the cell state at {bound:g}"
            yield change("clip", does, cell=replace(cell, cell_clip=bound), fitted=1)


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


def _bound_of_state(judged: JudgedSteps) -> float:
    """The bound of the cell state with which the first wrong step fits best."""
    cell, wrong = judged.seen.cell, judged.wrong.any(axis=2)
    first = int(np.flatnonzero(wrong.any(axis=0))[0])
    part = first_steps(sequences(judged.seen, np.flatnonzero(wrong[:, first])), first + 1)
    largest = float(np.abs(judged.steps.arrays["c"][:, : first + 1]).max())

    def rest(bound: float) -> float:
        assert isinstance(cell, LstmCell)
        steps = teacher_force(replace(part, cell=replace(cell, cell_clip=bound)))
        assert steps is not None
        return float(np.square(steps.output[:, -1] - part.output[:, -1]).sum())

    if not 0 < largest < np.inf:
        return np.nan
    tried = np.linspace(0, largest, _TRIED + 1)[1:]
    best = float(tried[int(np.argmin([rest(bound) for bound in tried]))])
    low, high = best - largest / _TRIED, best + largest / _TRIED
    for _ in range(_ROUNDS):
        third = (high - low) / 3
        if rest(low + third) < rest(high - third):
            high -= third
        else:
            low += third
    return (low + high) / 2
