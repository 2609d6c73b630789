"""The sequences of several named probes in one batch: which sequence is of which probe."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = [
    "Groups",
    "called",
    "first_of_each",
    "names_by_sequence",
    "slices",
    "spread",
    "total",
]

#: The name of each probe and how many sequences it has. The sequences of the first come first in
#: the batch, then those of the second, and so on.
Groups: TypeAlias = "tuple[tuple[str, int], ...]"


def total(groups: Groups) -> int:
    """How many sequences all probes have together.

    Example:
        >>> total((("train", 8), ("validation", 4)))
        12
    """
    return sum(count for _, count in groups)


def slices(groups: Groups) -> dict[str, slice]:
    """Where the sequences of each probe stand in the batch.

    Example:
        >>> slices((("train", 8), ("validation", 4)))["validation"]
        slice(8, 12, None)
    """
    found, start = dict[str, slice](), 0
    for name, count in groups:
        found[name] = slice(start, start + count)
        start += count
    return found


def names_by_sequence(groups: Groups) -> tuple[str, ...]:
    """The name of the probe of each sequence.

    Example:
        >>> names_by_sequence((("train", 2), ("validation", 1)))
        ('train', 'train', 'validation')
    """
    return tuple(name for name, count in groups for _ in range(count))


def called(groups: Groups) -> tuple[str, ...]:
    """What each sequence is called: the name of its probe and its number in it.

    Example:
        >>> called((("train", 2), ("validation", 1)))
        ('train 0', 'train 1', 'validation 0')
    """
    return tuple(f"{name} {number}" for name, count in groups for number in range(count))


def first_of_each(groups: Groups, sequences: npt.NDArray[Any], limit: int) -> npt.NDArray[np.intp]:
    """Where the first sequences of each probe stand among some that were kept.

    Args:
        groups: the named probes; none if all sequences are of one.
        sequences: the indices in the batch of those that were kept, in order.
        limit: how many of each probe.

    Returns:
        Positions in `sequences`.

    Example:
        >>> first_of_each((("train", 8), ("validation", 4)), np.array([0, 1, 2, 8, 9]), 1).tolist()
        [0, 3]
        >>> first_of_each((), np.array([0, 1, 2]), 2).tolist()
        [0, 1]
    """
    if not groups:
        return np.arange(min(limit, len(sequences)))
    found = [
        np.flatnonzero((sequences >= each.start) & (sequences < each.stop))[:limit]
        for each in slices(groups).values()
    ]
    return np.concatenate(found)


def spread(batch: int, limit: int, counts: Sequence[int] = ()) -> npt.NDArray[np.int32]:
    """The sequences that are kept where there is no room for all: the first ones of each probe.

    Each probe in turn gives its next sequence, so that a small probe is kept whole before a large
    one takes the room.

    Args:
        batch: how many sequences there are.
        limit: how many are kept at most.
        counts: how many each probe has; by default all are of one.

    Returns:
        Their indices in the batch, in order.

    Example:
        >>> spread(12, 4).tolist(), spread(12, 4, (8, 4)).tolist(), spread(9, 6, (8, 1)).tolist()
        ([0, 1, 2, 3], [0, 1, 8, 9], [0, 1, 2, 3, 4, 8])
    """
    if limit >= batch or sum(counts) != batch:
        return np.arange(min(limit, batch), dtype=np.int32)
    within = np.concatenate([np.arange(count) for count in counts])
    turns = np.argsort(within, kind="stable")
    return np.sort(turns[:limit]).astype(np.int32)
