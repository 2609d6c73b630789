"""The gate whose weights, if they were others, would explain the errors of a unit."""

from __future__ import annotations

import numpy as np

from lstm_probe.analysis.parity.teacher_forcing import ForcedSteps
from lstm_probe.analysis.snapshot import Snapshot
from lstm_probe.core.arrays import Array

__all__ = ["gate_at_fault"]

_MOST_STEPS = 2000
#: A gate is named only if other weights explain all but this part of the changes that it would
#: need. Where one gate's weights are wrong, 1e-3 is left; where values are wrong that no weights
#: explain, 0.8 is left in every gate.
_EXPLAINED = 0.1


def gate_at_fault(seen: Snapshot, steps: ForcedSteps, unit: int) -> str | None:
    """Find the gate in which wrong weights explain best what a unit shows.

    A gate with other weights has pre-activations that differ by a linear function of what the gate
    reads: `[x, h, 1]`. So for each gate, the change of its pre-activation that would explain the
    unit's error is computed at each step, and a linear function is fitted to these changes by least
    squares. In the gate at fault the fit is perfect. In the others it is not, because the changes
    that they would need are not linear.

    Args:
        seen: what was captured, in reading order.
        steps: its steps, recomputed from the framework's own states.
        unit: the index of the unit.

    Returns:
        The gate's letter; None where it cannot be told, because the cell does not know the
        changes, the probe has too few steps, or no gate's weights explain the errors.
    """
    with np.errstate(all="ignore"):
        changes = _changes(seen, steps, unit)
    features = np.concatenate(
        [seen.x, steps.before["h"], np.ones((*seen.x.shape[:2], 1))], axis=2, dtype=np.float64
    )
    usable = np.ones(seen.x.shape[:2], np.bool_) if seen.mask is None else seen.mask.copy()
    usable &= np.isfinite(features).all(axis=2)
    for change in changes.values():
        usable &= np.isfinite(change)
    rows = features[usable][:_MOST_STEPS]
    if len(rows) < 2 * rows.shape[1] or not changes:
        return None
    unexplained = {
        letter: _unexplained(rows, change[usable][:_MOST_STEPS])
        for letter, change in changes.items()
    }
    likeliest = min(unexplained, key=unexplained.__getitem__)
    return likeliest if unexplained[likeliest] <= _EXPLAINED else None


def _changes(seen: Snapshot, steps: ForcedSteps, unit: int) -> dict[str, Array]:
    """By gate: `(batch, time)`, the change of its pre-activation that would explain the error."""
    if seen.cell is None:
        return {}
    changes = seen.cell.explaining(
        {letter: array.swapaxes(0, 1) for letter, array in steps.before.items()},
        {letter: array.swapaxes(0, 1) for letter, array in steps.arrays.items()},
        seen.output[:, :, unit].T.astype(np.float64),
        steps.weights,
        unit,
    )
    return {letter: change.T for letter, change in changes.items()}


def _unexplained(rows: Array, change: Array) -> float:
    """The part of the changes that no linear function of the rows explains; 0..1.

    Large changes are quotients of small numbers and inexact, so they have less weight.
    """
    size = np.median(np.abs(change)) + np.abs(change)
    if not size.any():  # nothing has to change, so that this gate explains nothing
        return 1.0
    # A step at which nothing has to change has the weight of the smallest change, not an infinite
    # one.
    weights = 1 / np.maximum(size, size[size > 0].min())
    scaled, target = rows * (weights / weights.max())[:, None], change * (weights / weights.max())
    solution = np.linalg.lstsq(scaled, target, rcond=None)[0]
    rest = target - scaled @ solution
    return float(rest @ rest / max(float(target @ target), np.finfo(np.float64).tiny))
