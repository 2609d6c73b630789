"""The search for a convention that explains a mismatch: known ones are tried one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TypeAlias

from lstm_probe.analysis.conventions.activations import (
    any_activation,
    likely_activations,
    pairs_of_activations,
)
from lstm_probe.analysis.conventions.biases import inferred_biases
from lstm_probe.analysis.conventions.candidate import Candidate, Convention, joined
from lstm_probe.analysis.conventions.clips import inferred_clips
from lstm_probe.analysis.conventions.evidence import Mismatch
from lstm_probe.analysis.conventions.outputs import (
    directions,
    inferred_masks,
    last_outputs,
    masks,
    shifts,
)
from lstm_probe.analysis.conventions.states import given_states, inferred_states, other_states
from lstm_probe.analysis.conventions.weights import biases, gate_orders, readings, transposed
from lstm_probe.analysis.parity.judged_steps import judge_steps
from lstm_probe.analysis.parity.teacher_forcing import in_reading_order
from lstm_probe.analysis.snapshot import Snapshot
from lstm_probe.core.blas import on_one_blas_thread
from lstm_probe.weights import GateWeights

__all__ = ["Convention", "find_convention", "still_explains"]

_Tries: TypeAlias = Callable[[Snapshot], Iterator[Candidate]]


@on_one_blas_thread
def find_convention(snapshot: Snapshot) -> Convention | None:
    """Find the first known convention under which a snapshot's steps obey the equations.

    A convention is found only if it explains the whole output within the bounds of rounding, and
    so closely that this is no coincidence. The search tries up to some 1000 conventions and pairs
    of them, most of them on a few steps only, so it is made only after a mismatch.

    Args:
        snapshot: what was captured; it does not match its cell.

    Returns:
        The convention that explains the mismatch; None if no known one does.

    Example:
        >>> import numpy as np
        >>> from lstm_probe import LstmCell, Snapshot, lstm, weights
        >>> rng = np.random.default_rng(0)
        >>> w = weights.from_keras(rng.normal(size=(3, 8)), rng.normal(size=(2, 8)))
        >>> x = rng.normal(size=(1, 5, 3))
        >>> h = lstm(x, w, cell=LstmCell(forget_bias=1.0)).h
        >>> print(find_convention(Snapshot(0, "lstm", LstmCell(), w, x=x, output=h)))
        forget_bias: the framework adds 1.0 to the forget gate
    """
    mismatch = _mismatch(snapshot)
    if mismatch is None:
        return None
    for rank, candidate in enumerate(_candidates(mismatch.seen)):
        if mismatch.is_explained_by(candidate, rank):
            return candidate.convention
    return None


@on_one_blas_thread
def still_explains(convention: Convention, snapshot: Snapshot) -> bool:
    """Whether the convention that explained an earlier mismatch of a layer explains this one.

    For most conventions this takes one recomputation.

    Args:
        convention: what `find_convention` found at an earlier training step.
        snapshot: the same layer at a later training step.

    Example:
        >>> import numpy as np
        >>> from lstm_probe import LstmCell, Snapshot, lstm, weights
        >>> rng = np.random.default_rng(0)
        >>> w = weights.from_keras(rng.normal(size=(3, 8)), rng.normal(size=(2, 8)))
        >>> x = rng.normal(size=(1, 5, 3))
        >>> h = lstm(x, w, cell=LstmCell(forget_bias=1.0)).h
        >>> seen = Snapshot(0, "lstm", LstmCell(), w, x=x, output=h)
        >>> still_explains(find_convention(seen), seen)
        True
    """
    mismatch = _mismatch(snapshot)
    if mismatch is None:
        return False
    return any(
        mismatch.is_explained_by(candidate, rank)
        for rank, candidate in enumerate(_candidates(mismatch.seen))
        if candidate.convention == convention
    )


def _mismatch(snapshot: Snapshot) -> Mismatch | None:
    """The snapshot with its errors; None if it has none, or none that can be explained."""
    if snapshot.cell is None or not isinstance(snapshot.weights, GateWeights):
        return None
    judged = judge_steps(snapshot)
    return None if judged is None or judged.within_bounds else Mismatch(judged)


def _candidates(seen: Snapshot) -> Iterator[Candidate]:
    """Single conventions, pairs of them, and inferred ones, in the order in which they are tried.

    Args:
        seen: what was captured, in reading order.
    """
    yield from _single(seen)
    yield from any_activation(seen)
    yield from inferred_masks(seen)
    yield from inferred_clips(seen)
    yield from _pairs(seen)
    yield from pairs_of_activations(seen)
    yield from shifts(seen)
    for shift in shifts(seen):
        for both in _then(shift, seen, inferred_states):
            yield both._replace(convention=shift.convention)
    yield from inferred_states(seen)
    for first in (*directions(seen), *gate_orders(seen)):
        yield from _then(first, seen, inferred_states)
    yield from inferred_biases(seen)


def _single(seen: Snapshot) -> Iterator[Candidate]:
    """The candidates that differ in one convention, the most frequent ones first."""
    for tries in (
        last_outputs,
        masks,
        partial(readings, names=("forget_bias",)),
        likely_activations,
        partial(readings, names=("reset_after", "update_gate")),
        gate_orders,
        biases,
        other_states,
        partial(readings, names=("clip", "peephole", "coupled")),
        transposed,
        partial(readings, names=("mirrored",)),
        directions,
    ):
        yield from tries(seen)


#: Conventions of which two may differ at once. A layer of one framework that was read as one of
#: another often differs twice: in the order of the gates, say, and in a forget bias.
_OFTEN_TOGETHER: tuple[_Tries, ...] = (
    gate_orders,
    partial(readings, names=("forget_bias",)),
    likely_activations,
    partial(readings, names=("reset_after", "update_gate", "coupled", "clip")),
    given_states,
    masks,
    directions,
    inferred_masks,
)


def _pairs(seen: Snapshot) -> Iterator[Candidate]:
    """Two conventions of different kinds at once."""
    for index, firsts in enumerate(_OFTEN_TOGETHER):
        for first in firsts(seen):
            for seconds in _OFTEN_TOGETHER[index + 1 :]:
                yield from _then(first, seen, seconds)


def _then(first: Candidate, seen: Snapshot, seconds: _Tries) -> Iterator[Candidate]:
    """A convention together with each of others, which are made of what it makes of a snapshot."""
    changed = first.reread(seen)
    if changed is not None:
        for second in seconds(in_reading_order(changed)):
            yield joined(first, second)
