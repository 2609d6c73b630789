"""Candidates with other initial states: known ones, and ones inferred from the output."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from lstm_probe.analysis.conventions.candidate import Candidate, Convention, change
from lstm_probe.analysis.parity.teacher_forcing import teacher_force
from lstm_probe.analysis.snapshot import Snapshot
from lstm_probe.core.arrays import Array
from lstm_probe.weights import GateWeights

__all__ = ["given_states", "inferred_states", "other_states"]

_NAME = "initial_state"


def other_states(snapshot: Snapshot) -> Iterator[Candidate]:
    """A layer with other initial states than the given ones, or that goes on where it ended.

    Args:
        snapshot: what was captured; its cell is known.
    """
    yield from given_states(snapshot)
    does = "begins with the states in which the batch before ended"
    yield Candidate(Convention(_NAME, does), _continued, needs_all=True)


def given_states(snapshot: Snapshot) -> Iterator[Candidate]:
    """A layer that ignores its initial states or one of them, or takes them in the other order.

    Args:
        snapshot: what was captured.
    """
    if snapshot.initial_state is not None:
        yield change(_NAME, "begins with zeros", initial_state=None)
        yield from _of_pair(snapshot.initial_state)


def _of_pair(states: tuple[Array, ...]) -> Iterator[Candidate]:
    """Two states in the other order, or one of them alone."""
    if len(states) != 2:
        return

    def alone(part: Snapshot, kept: int) -> Snapshot:
        assert part.initial_state is not None
        each = [s if k == kept else np.zeros_like(s) for k, s in enumerate(part.initial_state)]
        return replace(part, initial_state=tuple(each))

    if states[0].shape == states[1].shape:
        does = "reads the states in the other order, c before h"
        yield Candidate(
            Convention(_NAME, does),
            lambda part: replace(part, initial_state=(part.initial_state or ())[::-1]),
        )
    does = "begins with the given h, and with zeros for c"
    yield Candidate(Convention(_NAME, does), lambda part: alone(part, 0))
    does = "begins with the given c, and with zeros for h"
    yield Candidate(Convention(_NAME, does), lambda part: alone(part, 1))


def _continued(part: Snapshot) -> Snapshot | None:
    """The snapshot with the final states of the same sequences as its initial ones."""
    cell = part.cell
    assert cell is not None
    trace = cell.run(
        part.x,
        part.weights,
        initial_state=part.initial_state,
        mask=part.mask,
        dtype=np.float64,
        reverse=part.reverse,
    )
    final = trace.final
    if tuple(final) != cell.states:
        return None
    return replace(part, initial_state=tuple(final[letter] for letter in cell.states))


def inferred_states(seen: Snapshot) -> Iterator[Candidate]:
    """A layer that began with a state that the snapshot does not hold.

    The first valid step of each sequence is left out. Its output is the hidden state with which the
    next step begins, whatever the sequence began with. The cell state of an LSTM after that step is
    inferred as the one with which the following steps fit best. It is one unknown for each unit.

    Args:
        seen: what was captured, in reading order.
    """
    cell = seen.cell
    assert cell is not None
    others = [cell.state_size(letter, seen.weights) for letter in cell.states[1:]]
    does = "begins with a state that the snapshot does not hold"
    fitted = len(seen.x) * sum(others)
    yield Candidate(Convention(_NAME, does), _started, fitted=fitted, leaves_out=True)


def _started(seen: Snapshot) -> Snapshot | None:
    cell, weights = seen.cell, seen.weights
    assert isinstance(weights, GateWeights)
    assert cell is not None
    if not np.isfinite(seen.output).all():
        return None
    started = _after_the_first_step(seen)
    mask = started.mask
    assert mask is not None
    if len(cell.states) > 1:
        if mask.sum(axis=1).max() < 2:
            return None
        known = _with_other_states(started)
        if known is None:
            return None
        started = known
    return started if mask.any() else None


def _after_the_first_step(seen: Snapshot) -> Snapshot:
    """The same steps without the first valid one, whose output becomes the initial state."""
    mask = np.ones(seen.x.shape[:2], np.bool_) if seen.mask is None else seen.mask
    count = np.cumsum(mask, axis=1)
    started = count > 1
    first = (count == 1).argmax(axis=1)
    h = seen.output[np.arange(len(first)), first].astype(np.float64)
    final = seen.final_output
    kept = np.asarray((mask & started).any(axis=1))[:, None]
    cell, weights = seen.cell, seen.weights
    assert cell is not None
    others = [np.zeros((len(h), cell.state_size(letter, weights))) for letter in cell.states[1:]]
    return replace(
        seen,
        output=np.where(started[:, :, None], seen.output, 0),
        final_output=None if final is None else np.where(kept, final, 0),
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
