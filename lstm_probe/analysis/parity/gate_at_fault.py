"""Which gate's weights, if they were others, would explain the errors of a unit."""

from __future__ import annotations

import numpy as np

from lstm_probe.analysis.parity.teacher_forcing import Forced
from lstm_probe.analysis.snapshot import Snapshot
from lstm_probe.cells import GruCell, LstmCell
from lstm_probe.core.arrays import Array
from lstm_probe.weights import GateWeights

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
        The gate's letter; None where it cannot be told: for cells that are not an LSTM with
        `tanh` or a GRU, and for probes with too few steps.
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
    cell = seen.cell
    if getattr(cell, "activation", None) != "tanh":
        return {}
    arrays = {letter: array[:, :, unit] for letter, array in forced.arrays.items()}
    shown = seen.output[:, :, unit].astype(np.float64)
    if isinstance(cell, LstmCell) and forced.output.shape == forced.arrays["c"].shape:
        return _lstm_changes(arrays, shown, forced.before["c"][:, :1, unit])
    if isinstance(cell, GruCell):
        h = forced.before["h"]
        weights = seen.weights
        assert isinstance(weights, GateWeights)
        product = h @ weights.recurrent_kernel[:, 2, unit]
        second = getattr(weights, "recurrent_bias", None)
        product = product if second is None else product + second[2, unit]
        return _gru_changes(arrays, shown - arrays["h"], h[:, :, unit], product)
    return {}


def _lstm_changes(arrays: dict[str, Array], shown: Array, first: Array) -> dict[str, Array]:
    i, f, g, o, c, h = (arrays[letter] for letter in "ifgoch")
    # The cell state that the framework must have had, if its output gate is right.
    cells = np.arctanh(shown / o)
    before = np.concatenate([first, cells[:, :-1]], axis=1)
    error = cells - (f * before + i * g)
    return {
        "i": error / g / (i * (1 - i)),
        "f": error / before / (f * (1 - f)),
        "g": error / i / (1 - np.square(g)),
        "o": (shown - h) / np.tanh(c) / (o * (1 - o)),
    }


def _gru_changes(
    arrays: dict[str, Array], error: Array, before: Array, product: Array
) -> dict[str, Array]:
    z, r, g = (arrays[letter] for letter in "zrg")
    candidate = error / (1 - z) / (1 - np.square(g))
    return {
        "z": error / (before - g) / (z * (1 - z)),
        "r": candidate / product / (r * (1 - r)),
        "g": candidate,
    }


def _unexplained(rows: Array, change: Array) -> float:
    """What part of the changes is not linear; 0..1. Large ones, which are quotients of small
    numbers, weigh less."""
    weights = 1 / (np.median(np.abs(change)) + np.abs(change) + np.finfo(np.float64).tiny)
    scaled, target = rows * weights[:, None], change * weights
    solution = np.linalg.lstsq(scaled, target, rcond=None)[0]
    rest = target - scaled @ solution
    return float(rest @ rest / max(float(target @ target), np.finfo(np.float64).tiny))
