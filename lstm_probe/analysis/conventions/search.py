"""The search for a convention that explains a mismatch: known ones are tried one by one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import chain
from typing import Any

import numpy as np

from lstm_probe.analysis.conventions.activations import any_activation, likely_activations
from lstm_probe.analysis.conventions.biases import inferred_biases
from lstm_probe.analysis.conventions.outputs import (
    directions,
    inferred_masks,
    last_outputs,
    masks,
    shifts,
)
from lstm_probe.analysis.conventions.states import inferred_states
from lstm_probe.analysis.conventions.weights import (
    Candidate,
    Convention,
    biases,
    change,
    gate_orders,
    readings,
    transposed,
)
from lstm_probe.analysis.parity.judged_steps import excess_of_steps, judge_steps
from lstm_probe.analysis.parity.teacher_forcing import in_reading_order
from lstm_probe.analysis.snapshot import Snapshot
from lstm_probe.weights import GateWeights

__all__ = ["Convention", "find_convention", "still_explains"]

_SEQUENCES_TRIED = 2


def find_convention(snapshot: Snapshot) -> Convention | None:
    """Find the first known convention under which a snapshot's steps obey the equations.

    The search takes up to about 300 recomputations of two sequences, so it is made only after a
    mismatch.

    Args:
        snapshot: what was captured; it does not match its cell.

    Returns:
        The convention that explains the mismatch; None if no known one does.

    Example:
        >>> from lstm_probe import LstmCell, Snapshot, lstm, weights
        >>> rng = np.random.default_rng(0)
        >>> w = weights.from_keras(rng.normal(size=(3, 8)), rng.normal(size=(2, 8)))
        >>> x = rng.normal(size=(1, 5, 3))
        >>> h = lstm(x, w, cell=LstmCell(forget_bias=1.0)).h
        >>> print(find_convention(Snapshot(0, "lstm", LstmCell(), w, x=x, output=h)))
        forget_bias: the framework adds 1.0 to the forget gate
    """
    if snapshot.cell is None or not isinstance(snapshot.weights, GateWeights):
        return None
    tried = _few_sequences(snapshot)
    for convention, candidate in _candidates(tried):
        if within_rounding(candidate) and (tried is snapshot or _holds(convention, snapshot)):
            return convention
    return None


def still_explains(convention: Convention, snapshot: Snapshot) -> bool:
    """Whether the convention that explained an earlier mismatch of a layer explains this one.

    For most conventions this takes one recomputation.

    Args:
        convention: what `find_convention` found at an earlier training step.
        snapshot: the same layer at a later training step.

    Example:
        >>> from lstm_probe import LstmCell, Snapshot, lstm, weights
        >>> rng = np.random.default_rng(0)
        >>> w = weights.from_keras(rng.normal(size=(3, 8)), rng.normal(size=(2, 8)))
        >>> x = rng.normal(size=(1, 5, 3))
        >>> h = lstm(x, w, cell=LstmCell(forget_bias=1.0)).h
        >>> seen = Snapshot(0, "lstm", LstmCell(), w, x=x, output=h)
        >>> still_explains(find_convention(seen), seen)
        True
    """
    # Most conventions are among the single ones, which are made one by one.
    for other, candidate in chain(_single(snapshot), _candidates(snapshot, convention.name)):
        if other == convention:
            return within_rounding(candidate)
    return False


def _holds(convention: Convention, snapshot: Snapshot) -> bool:
    """Whether a convention that explains a few sequences explains all of them."""
    return any(
        within_rounding(candidate) for other, candidate in _candidates(snapshot, convention.name)
    )


def _few_sequences(snapshot: Snapshot) -> Snapshot:
    """The sequences with the largest errors: there the wrong convention makes a difference."""
    if len(snapshot.x) <= _SEQUENCES_TRIED:
        return snapshot
    excess = excess_of_steps(snapshot)
    assert excess is not None
    excess = np.minimum(excess, 1e300)
    steps = (excess > 1).any(axis=2).sum(axis=1)
    chosen = np.lexsort((excess.max(axis=(1, 2)), steps))[-_SEQUENCES_TRIED:]
    few: dict[str, Any] = {
        name: value[chosen]
        for name in ("x", "output", "final_output", "mask")
        if (value := getattr(snapshot, name)) is not None
    }
    if snapshot.initial_state is not None:
        few["initial_state"] = tuple(state[chosen] for state in snapshot.initial_state)
    return replace(snapshot, **few)


def _candidates(snapshot: Snapshot, name: str | None = None) -> Iterator[Candidate]:
    """All candidates, or those of one convention."""
    for candidate in _every(snapshot, name):
        if name in (None, candidate[0].name):
            yield candidate


def _every(snapshot: Snapshot, name: str | None) -> Iterator[Candidate]:
    """Single conventions, pairs of them, and inferred ones, in the order in which they are tried.

    With a name, the slow inferences of other conventions are left out.
    """
    single = list(_single(snapshot))
    yield from single
    # A TF1 layer that was read as one of Keras differs twice: it has another order of the gates,
    # and a forget bias that is in none of the arrays.
    for first, changed in single:
        if first.name == "gate_order":
            for second, candidate in (
                *readings(changed, ("forget_bias",)),
                *likely_activations(changed),
            ):
                yield _joined(first, second), candidate
    for first, changed in single:
        if first.name == "forget_bias":
            for second, candidate in likely_activations(changed):
                yield _joined(first, second), candidate
    yield from any_activation(snapshot)
    yield from _inferred(in_reading_order(snapshot), name)


def _inferred(seen: Snapshot, name: str | None) -> Iterator[Candidate]:
    """What the snapshot does not hold: masks, shifts, initial states and biases.

    They are inferred from some steps of the output. Where they are right, all other steps obey the
    equations with them.
    """
    yield from inferred_masks(seen)
    for shift, moved in shifts(seen):
        yield shift, moved
        if name in (None, "shift"):
            for _, candidate in inferred_states(moved):
                yield shift, candidate
    if name in (None, "initial_state"):
        yield from inferred_states(seen)
    if name in (None, "bias"):
        yield from inferred_biases(seen)


def _joined(first: Convention, second: Convention) -> Convention:
    return Convention(
        f"{first.name}+{second.name}", f"{first.explanation}, and {second.explanation}"
    )


def _single(snapshot: Snapshot) -> Iterator[Candidate]:
    """The candidates that differ in one convention, the most frequent ones first."""
    for tries in (
        last_outputs,
        masks,
        partial(readings, names=("forget_bias",)),
        likely_activations,
        partial(readings, names=("reset_after", "update_gate")),
        gate_orders,
        biases,
        _states,
        partial(readings, names=("clip", "peephole")),
        transposed,
        partial(readings, names=("mirrored",)),
        directions,
    ):
        yield from tries(snapshot)


def _states(snapshot: Snapshot) -> Iterator[Candidate]:
    """A layer that ignores the initial states, or takes them in the other order."""
    state = snapshot.initial_state
    if state is None:
        return
    yield change(snapshot, "initial_state", "begins with zeros", initial_state=None)
    if len(state) == 2 and state[0].shape == state[1].shape:
        does = "reads the states in the other order, c before h"
        yield change(snapshot, "initial_state", does, initial_state=state[::-1])


def within_rounding(snapshot: Snapshot) -> bool:
    judged = judge_steps(snapshot)
    return judged is not None and judged.within_bounds and judged.unjudged is None
