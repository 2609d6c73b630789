"""Joining the calls of a cell, each of one step, into the sequences that they belong to.

A decoder calls its cell once for each word. Where the state that a call is given is what another
call returned, both belong to one sequence. It is compared by value, because the state may have been
through a loop. A row of the batch that is given its old state again has skipped the step, as code
with a mask does. All else begins a new sequence: another pass over the data, or code that changes
the state between two calls.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lstm_probe.core.arrays import Array, BoolArray

__all__ = ["Part", "Pass", "batched", "joined"]


@dataclass(frozen=True)
class Part:
    """What one call computed on the probe.

    Attributes:
        x: `(batch, time, ...)`.
        output: `(batch, time, ...)`.
        mask: `(batch, time)` or None.
        given: the state that the call started from, an array for each state; None for zeros.
        returned: the state after it; None if it is not known.
    """

    x: Array
    output: Array
    mask: BoolArray | None = None
    given: Sequence[Array] | None = None
    returned: Sequence[Array] | None = None

    @property
    def steps(self) -> int:
        """The number of timesteps."""
        return int(self.x.shape[1])

    def valid(self) -> BoolArray:
        """The mask; True everywhere if there is none."""
        return np.ones(self.x.shape[:2], bool) if self.mask is None else self.mask


@dataclass
class Pass:
    """Calls that hand the state on, from the first to the last.

    Attributes:
        parts: what each call computed.
        skipped: for each call, the rows of the batch that did not take the step, or None.
    """

    parts: list[Part]
    skipped: list[BoolArray | None] = field(default_factory=lambda: [None])

    def takes(self, part: Part) -> bool:
        """Add a call to the pass if it goes on from the last one."""
        last = self.parts[-1]
        if part.steps != 1 or part.given is None or last.returned is None:
            return False
        carried = _rows_equal(part.given, last.returned)
        if carried is None:
            return False
        held = None if last.given is None else _rows_equal(part.given, last.given)
        if not carried.all():
            # Where no row goes on, and there is but one call, the same state is just given again.
            goes_on = carried.any() or len(self.parts) > 1
            if held is None or last.steps != 1 or not (goes_on and (carried | held).all()):
                return False
            self.skipped[-1] = ~carried
        self.parts.append(part)
        self.skipped.append(None)
        return True

    def whole(self) -> Part:
        """All calls as one."""
        if len(self.parts) == 1:
            return self.parts[0]
        masks = [
            part.valid() if skipped is None else part.valid() & ~skipped[:, None]
            for part, skipped in zip(self.parts, self.skipped, strict=True)
        ]
        mask = np.concatenate(masks, axis=1)
        return Part(
            np.concatenate([part.x for part in self.parts], axis=1),
            np.concatenate([part.output for part in self.parts], axis=1),
            None if mask.all() else mask,
            self.parts[0].given,
            self.parts[-1].returned,
        )


def joined(parts: Iterable[Part]) -> list[Part]:
    """The sequences that calls belong to, in the order in which they begin.

    Args:
        parts: what the calls computed, in their order.

    Example:
        >>> def step(given, returned):
        ...     one = np.ones((1, 1, 1))
        ...     return Part(one, one, None, [np.full((1, 2), given)], [np.full((1, 2), returned)])
        >>> [whole.steps for whole in joined([step(0, 3), step(3, 5), step(0, 4), step(4, 7)])]
        [2, 2]
    """
    passes: list[Pass] = []
    for part in parts:
        if not any(each.takes(part) for each in reversed(passes)):
            passes.append(Pass([part]))
    return [each.whole() for each in passes]


def batched(parts: Sequence[Part]) -> Part:
    """Sequences of the same length as one batch.

    Args:
        parts: all with a mask or none, and all with states or none.
    """
    if len(parts) == 1:
        return parts[0]
    masks = [part.valid() for part in parts]
    return Part(
        np.concatenate([part.x for part in parts]),
        np.concatenate([part.output for part in parts]),
        None if all(part.mask is None for part in parts) else np.concatenate(masks),
        _batched_states([part.given for part in parts]),
    )


def _batched_states(states: Sequence[Any]) -> list[Array] | None:
    given = [each for each in states if each is not None]
    return [np.concatenate(each) for each in zip(*given, strict=True)] if given else None


def _rows_equal(ours: Sequence[Array], theirs: Sequence[Array]) -> BoolArray | None:
    """Which rows of the batch are equal in all states; None if the shapes are not."""
    if [each.shape for each in ours] != [each.shape for each in theirs]:
        return None
    equal = [
        np.equal(a, b) | (np.isnan(a) & np.isnan(b)) for a, b in zip(ours, theirs, strict=True)
    ]
    rows: BoolArray = np.logical_and.reduce([each.reshape(len(each), -1).all(1) for each in equal])
    return rows
