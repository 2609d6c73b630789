"""Several named probes as one: their arrays end to end, along the axis of the sequences."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lstm_probe.core.errors import LstmProbeError
from lstm_probe.core.groups import Groups, total
from lstm_probe.models.arrays import Leaf
from lstm_probe.models.ragged import Ragged

__all__ = ["check_groups", "counted", "joined", "misfit"]


def joined(parts: Mapping[str, Any], *, ragged: bool) -> tuple[Any, Groups]:
    """The inputs of several probes as one batch.

    Args:
        parts: for each probe an array, or several in a list or dict, each with the batch first.
        ragged: whether sequences of different lengths are kept as a `Ragged`.

    Returns:
        The arrays in the structure of each probe, and how many sequences each has.

    Raises:
        LstmProbeError: the probes differ in more than the number of sequences; or in that of
            timesteps, and `ragged` is not set.

    Example:
        >>> x = np.ones((3, 5, 1))
        >>> inputs, groups = joined({"train": x[:2], "validation": x[2:]}, ragged=False)
        >>> inputs.shape, groups
        ((3, 5, 1), (('train', 2), ('validation', 1)))
    """
    parts = _sequences_in_lists(parts)
    leaves = {name: _leaves(each) for name, each in parts.items()}
    groups = tuple((name, _count(name, list(each.values()))) for name, each in leaves.items())
    first = next(iter(leaves.values()))
    if any(each.keys() != first.keys() for each in leaves.values()):
        said = {
            name: f"{len(each)} arrays ({', '.join(map(str, each))})"
            for name, each in leaves.items()
        }
        raise misfit(said, "the same inputs in each")
    arrays = [
        _end_to_end({name: each[key] for name, each in leaves.items()}, ragged=ragged)
        for key in first
    ]
    whole = next(iter(parts.values()))
    if isinstance(whole, Mapping):
        return dict(zip(whole, arrays, strict=True)), groups
    return (arrays if isinstance(whole, (list, tuple)) else arrays[0]), groups


def counted(name: str, counts: Sequence[int | None], shapes: str) -> int:
    """How many sequences a probe has.

    Args:
        name: the probe's.
        counts: how many each of its arrays has; None for a single number.
        shapes: of these arrays, in words.

    Raises:
        LstmProbeError: its arrays do not agree on that, or it has none.
    """
    found = set(counts)
    count = found.pop() if len(found) == 1 else None
    if not count:
        raise LstmProbeError(
            f"It is not known how many sequences the probe {name!r} has. Received: {shapes}. "
            "Expected: at least one, and as many in each of its arrays, with the batch first."
        )
    return count


def misfit(received: Mapping[str, str], expected: str) -> LstmProbeError:
    """The error that named probes are not alike.

    Args:
        received: what each probe is.
        expected: what they should be.
    """
    said = "; ".join(f"{name!r}: {what}" for name, what in received.items())
    return LstmProbeError(
        f"The named probes do not fit together. Received: {said}. Expected: {expected}, the number "
        "of sequences aside."
    )


def check_groups(groups: Groups | None, sequences: int | None) -> None:
    """Check that a model reads as many sequences as the named probes have.

    Args:
        groups: of the probes; None if there is one without a name.
        sequences: how many the model reads; None if that is not known.

    Raises:
        LstmProbeError: it reads another number, so that it is not known whose they are.

    Example:
        >>> check_groups((("train", 8), ("validation", 4)), 12)
    """
    if groups and sequences not in (None, total(groups)):
        said = " and ".join(f"{count} of {name!r}" for name, count in groups)
        raise LstmProbeError(
            f"It is not known which sequence is of which probe. Received: {said}, and a model that "
            f"reads {sequences} sequences of them. Expected: arrays with the batch first."
        )


def _sequences_in_lists(parts: Mapping[str, Any]) -> Mapping[str, Any]:
    """The probes, of which lists are sequences where they cannot be several inputs: these would
    have as many sequences each."""
    lists = [each for each in parts.values() if isinstance(each, list)]
    features = {leaf.shape[1:] for each in lists for leaf in each}
    is_uneven = any(len({leaf.shape[:1] for leaf in each}) > 1 for each in lists)
    if not is_uneven or len(features) > 1:
        return parts
    if any(isinstance(leaf, Ragged) for each in lists for leaf in each):
        return parts
    return {k: Ragged.of(each) if isinstance(each, list) else each for k, each in parts.items()}


def _count(name: str, leaves: Sequence[Leaf]) -> int:
    shapes = " and ".join(str(leaf.shape) for leaf in leaves)
    return counted(name, [leaf.shape[0] if leaf.ndim else None for leaf in leaves], shapes)


def _leaves(structure: Any) -> dict[Any, Leaf]:
    if isinstance(structure, Mapping):
        return dict(structure)
    return dict(enumerate(structure if isinstance(structure, (list, tuple)) else [structure]))


def _end_to_end(leaves: Mapping[str, Leaf], *, ragged: bool) -> Leaf:
    arrays = list(leaves.values())
    shapes = {name: f"{leaf.dtype} {leaf.shape}" for name, leaf in leaves.items()}
    texts = {leaf.dtype.kind in "SU" for leaf in arrays}
    rest = {leaf.shape[2:] for leaf in arrays}
    if len(texts) > 1 or len(rest) > 1 or len({leaf.ndim for leaf in arrays}) > 1:
        raise misfit(shapes, "arrays of one kind and one shape")
    uneven = (
        any(isinstance(leaf, Ragged) for leaf in arrays)
        or len({leaf.shape[1:2] for leaf in arrays}) > 1
    )
    if not uneven:
        return np.concatenate([np.asarray(leaf) for leaf in arrays])
    if not ragged or any(isinstance(leaf, Ragged) and len(leaf.splits) > 1 for leaf in arrays):
        raise misfit(shapes, "sequences of one length, to which you pad the shorter ones")
    is_tensor = any(isinstance(leaf, Ragged) and leaf.is_tensor for leaf in arrays)
    rows = Ragged.of([row for leaf in arrays for row in _rows(leaf)])
    return Ragged(rows.values, rows.splits, is_tensor=is_tensor)


def _rows(leaf: Leaf) -> Sequence[Any]:
    if isinstance(leaf, Ragged):
        return [leaf.values[begin:end] for begin, end in itertools.pairwise(leaf.splits[0])]
    return list(leaf)
