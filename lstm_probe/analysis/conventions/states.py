"""The states that a sequence began with, inferred from what the framework showed after them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from lstm_probe.analysis.conventions.weights import Candidate, change
from lstm_probe.analysis.parity.teacher_forcing import force
from lstm_probe.analysis.snapshot import Snapshot
from lstm_probe.cells import ConvLstmCell, LstmCell
from lstm_probe.core.activations import get_activation
from lstm_probe.core.arrays import Array
from lstm_probe.core.derivatives import COUPLED
from lstm_probe.weights import GateWeights

__all__ = ["inferred_states"]

_GUESSES = np.linspace(-4, 4, 33)
_ROUNDS = 12
_STEP = 1e-6


def inferred_states(seen: Snapshot) -> Iterator[Candidate]:
    """Whatever a sequence began with, later steps begin with what was shown.

    So the first valid step of each sequence is left out. An LSTM's cell state after it is the one
    with which the steps that follow fit best; the last of them has to fit without having been
    asked.

    Args:
        seen: in reading order.
    """
    cell, weights = seen.cell, seen.weights
    assert isinstance(weights, GateWeights)
    assert cell is not None
    if not np.isfinite(seen.output).all():
        return
    started = _after_the_first_step(seen)
    mask = started.mask
    assert mask is not None
    if isinstance(cell, LstmCell | ConvLstmCell):
        if isinstance(cell, LstmCell) and cell.is_variant(weights):  # type: ignore[arg-type]
            return
        if cell.activation in COUPLED or mask.sum(axis=1).max() < 2:
            return
        started = _with_cell_state(started)
    if mask.any():
        does = "begins with a state that the snapshot does not hold"
        yield change(started, "initial_state", does)


def _after_the_first_step(seen: Snapshot) -> Snapshot:
    """The same steps, masked up to the first valid one, whose output is the initial state."""
    mask = np.ones(seen.x.shape[:2], np.bool_) if seen.mask is None else seen.mask
    count = np.cumsum(mask, axis=1)
    started = count > 1
    first = (count == 1).argmax(axis=1)
    h = seen.output[np.arange(len(first)), first].astype(np.float64)
    cell, weights = seen.cell, seen.weights
    assert cell is not None
    others = [np.zeros((len(h), cell.state_size(letter, weights))) for letter in cell.states[1:]]
    return replace(
        seen,
        output=np.where(started[:, :, None], seen.output, 0),
        final_output=None,
        mask=mask & started,
        initial_state=(h, *others),
        initial_output_for_mask=False,
    )


def _with_cell_state(seen: Snapshot) -> Snapshot:
    """Each step's cell state is a straight line in the first: one unknown for each unit."""
    forced = force(seen)
    assert forced is not None
    assert seen.mask is not None
    assert isinstance(seen.cell, LstmCell | ConvLstmCell)
    phi, valid = get_activation(seen.cell.activation), seen.mask[:, :, None]
    o, c = forced.arrays["o"], forced.arrays["c"]
    factors = np.cumprod(np.where(valid, forced.arrays["f"], 1), axis=1)

    def error(first: Array) -> Array:
        rest = o * phi(c + factors * first[:, None]) - seen.output
        return np.where(valid, rest, 0)

    with np.errstate(all="ignore"):
        shape = (len(o), o.shape[2])
        tried = [np.square(error(np.full(shape, guess))).sum(axis=1) for guess in _GUESSES]
        first = _GUESSES[np.argmin(tried, axis=0)]
        for _ in range(_ROUNDS):  # Gauss and Newton
            rest = error(first)
            slope = (error(first + _STEP) - error(first - _STEP)) / (2 * _STEP)
            curvature = np.square(slope).sum(axis=1) + 1e-30
            first = first - np.clip((slope * rest).sum(axis=1) / curvature, -1, 1)
    assert seen.initial_state is not None
    return replace(seen, initial_state=(seen.initial_state[0], first))
