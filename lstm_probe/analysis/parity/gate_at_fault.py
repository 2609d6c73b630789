"""Which gate's weights, if they were others, would explain the errors of a unit."""

from __future__ import annotations

import numpy as np

from lstm_probe.analysis.parity.teacher_forcing import Forced
from lstm_probe.analysis.snapshot import Snapshot
from lstm_probe.core.arrays import Array

__all__ = ["gate_at_fault"]

_STEPS_TRIED = 2000


def gate_at_fault(seen: Snapshot, forced: Forced, unit: int) -> str | None:
    """The gate in which wrong weights explain best what a unit shows.

    A gate with other weights has pre-activations that are off by a linear function of what it
    reads: `[x, h, 1]`. So for each gate the change of its pre-activation is worked out that would
    explain the unit's error at each step, and is fitted by such a function. In the gate at fault
    the fit leaves nothing; in the others it has to follow what is not linear.

    Args:
        seen: in reading order.
        forced: its steps.
        unit: which unit.

    Returns:
        The gate's letter; None where it cannot be told: for cells that do not know it, and for
        probes with too few steps.
    """
    with np.errstate(all="ignore"):
        changes = _changes(seen, forced, unit)
    features = np.concatenate(
        [seen.x, forced.before["h"], np.ones((*seen.x.shape[:2], 1))], axis=2, dtype=np.float64
    )
    usable = np.ones(seen.x.shape[:2], np.bool_) if seen.mask is None else seen.mask.copy()
    usable &= np.isfinite(features).all(axis=2)
    for change in changes.values():
        usable &= np.isfinite(change)
    rows = features[usable][:_STEPS_TRIED]
    if len(rows) < 2 * rows.shape[1] or not changes:
        return None
    left = {
        letter: _unexplained(rows, change[usable][:_STEPS_TRIED])
        for letter, change in changes.items()
    }
    return min(left, key=lambda letter: left[letter])


def _changes(seen: Snapshot, forced: Forced, unit: int) -> dict[str, Array]:
    """By gate: `(batch, time)`, the change of its pre-activation that would explain the error."""
    if seen.cell is None:
        return {}
    changes = seen.cell.explaining(
        {letter: array.swapaxes(0, 1) for letter, array in forced.before.items()},
        {letter: array.swapaxes(0, 1) for letter, array in forced.arrays.items()},
        seen.output[:, :, unit].T.astype(np.float64),
        forced.weights,
        unit,
    )
    return {letter: change.T for letter, change in changes.items()}


def _unexplained(rows: Array, change: Array) -> float:
    """What part of the changes is not linear; 0..1. Large ones, which are quotients of small
    numbers, weigh less."""
    size = np.median(np.abs(change)) + np.abs(change)
    if not size.any():
        return 0.0
    # Steps at which nothing has to change weigh no more than others: their weight has no bound.
    weights = 1 / np.maximum(size, size[size > 0].min())
    scaled, target = rows * (weights / weights.max())[:, None], change * (weights / weights.max())
    solution = np.linalg.lstsq(scaled, target, rcond=None)[0]
    rest = target - scaled @ solution
    return float(rest @ rest / max(float(target @ target), np.finfo(np.float64).tiny))
