"""Clips that the description of a cell does not hold, inferred from the framework's output."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from lstm_probe.analysis.conventions.candidate import Candidate, change
from lstm_probe.analysis.parity.judged_steps import JudgedSteps, judge_steps
from lstm_probe.analysis.snapshot import Snapshot
from lstm_probe.cells import LstmCell
from lstm_probe.core.activations import applied
from lstm_probe.core.arrays import Array

__all__ = ["inferred_clips"]

#: The bounds that cells are usually built with, for cells whose bound cannot be read off.
_USUAL = (1.0, 3.0, 5.0, 10.0, 20.0, 50.0)
_HALVINGS = 60
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
    bounds = _USUAL if weights.projection is not None else _rounded(_bound_of_state(judged))
    for bound in bounds:
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
    """The cell state at which the first wrong step stands, from its output.

    The output is `o phi(c)`, and the sign of `c` is known. The unit is taken in which the output
    depends most on the bound.
    """
    cell: Any = judged.seen.cell
    first = int(np.flatnonzero(judged.wrong.any(axis=(0, 2)))[0])
    wrong = judged.wrong[:, first]
    o, c = (judged.steps.arrays[k][:, first][wrong].astype(np.float64) for k in "oc")
    h = judged.seen.output[:, first][wrong].astype(np.float64)

    def shown(size: Array) -> Array:
        return np.asarray(o * applied(cell.activation, np.sign(c) * size))

    low, high = np.zeros_like(h), np.abs(c)
    rises = shown(high) > shown(low)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        above = (shown(middle) > h) == rises
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    step = 1e-3 * (1 + high)
    return float(high[int(np.abs(shown(high + step) - shown(high - step)).argmax())])
