"""The initial states of sequences, inferred from the outputs that follow them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from lstm_probe.analysis.conventions.weights import Candidate, change
from lstm_probe.analysis.parity.teacher_forcing import teacher_force
from lstm_probe.analysis.snapshot import Snapshot
from lstm_probe.weights import GateWeights

__all__ = ["inferred_states"]


def inferred_states(seen: Snapshot) -> Iterator[Candidate]:
    """A layer that began with a state that the snapshot does not hold.

    The first valid step of each sequence is left out. Its output is the hidden state with which the
    next step begins, whatever the sequence began with. The cell state of an LSTM after that step is
    inferred as the one with which the following steps fit best. It is one unknown for each unit, so
    that the fit of two or more steps is a proof.

    Args:
        seen: what was captured, in reading order.
    """
    cell, weights = seen.cell, seen.weights
    assert isinstance(weights, GateWeights)
    assert cell is not None
    if not np.isfinite(seen.output).all():
        return
    started = _after_the_first_step(seen)
    mask = started.mask
    assert mask is not None
    if len(cell.states) > 1:
        if mask.sum(axis=1).max() < 2:
            return
        known = _with_other_states(started)
        if known is None:
            return
        started = known
    if mask.any():
        does = "begins with a state that the snapshot does not hold"
        yield change(started, "initial_state", does)


def _after_the_first_step(seen: Snapshot) -> Snapshot:
    """The same steps without the first valid one, whose output becomes the initial state."""
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


def _with_other_states(seen: Snapshot) -> Snapshot | None:
    """The snapshot with the states that the framework does not show, as the cell infers them."""
    steps = teacher_force(seen)
    if steps is None or seen.cell is None or seen.mask is None or seen.initial_state is None:
        return None
    others = seen.cell.unseen_states(
        {letter: array.swapaxes(0, 1) for letter, array in steps.arrays.items()},
        seen.output.swapaxes(0, 1),
        seen.mask.T,
        steps.weights,
    )
    if others is None:
        return None
    return replace(seen, initial_state=(seen.initial_state[0], *others))
