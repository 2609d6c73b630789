"""From the tensors that were computed at the calls of a cell to arrays, one for each call."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

import numpy as np

from lstm_probe.core.arrays import Array
from lstm_probe.models.keras.passes import Part, batched, joined

__all__ = ["in_order", "part_of", "sequences_of", "to_arrays", "to_numpy"]


def sequences_of(parts: Sequence[Part], is_merged: bool) -> list[Part]:
    """The sequences that the calls of one cell make.

    Those of one step alone become a batch, and so do all of one length if they are merged.
    """
    sequences: dict[Any, list[Part]] = {}
    for index, part in enumerate(joined(parts)):
        alone = not (is_merged or part.steps == 1)
        key = index if alone else (part.x.shape[1:], part.given is None)
        sequences.setdefault(key, []).append(part)
    return [batched(each) for each in sequences.values()]


def in_order(calls: Sequence[tuple[Any, ...]]) -> list[Part]:
    """The calls one by one, in the order in which they ran."""
    parts: list[Part] = []
    for is_looped, together in groupby(calls, lambda call: call[-1] is not None):
        if is_looped:
            runs = [run for call in together for run in _runs(call)]
            parts += [part for _, part in sorted(runs, key=lambda run: run[0])]
        else:
            parts += [part_of(call) for call in together]
    return parts


def _runs(call: tuple[Any, ...]) -> list[tuple[int, Part]]:
    """The runs of a loop's body, each with its place in the order of all that ran."""
    *fields, order = call
    fields = [to_arrays(each) for each in fields]
    return [
        (int(place), _as_part([_at_run(each, index) for each in fields]))
        for index, place in enumerate(np.asarray(order))
    ]


def _at_run(value: Any, index: int) -> Any:
    if value is None:
        return None
    return [each[index] for each in value] if isinstance(value, list) else value[index]


def part_of(call: tuple[Any, ...]) -> Part:
    """What one call computed, as arrays."""
    return _as_part([to_arrays(each) for each in call[:-1]])


def _as_part(fields: Sequence[Any]) -> Part:
    x, output, _, mask, initial_state, final_state = fields
    return Part(x, output, mask, initial_state, final_state)


def to_arrays(value: Any) -> Any:
    """One field of a call as arrays; None stays None."""
    if value is None:
        return None
    return [*map(to_numpy, value)] if isinstance(value, (list, tuple)) else to_numpy(value)


def to_numpy(tensor: Any) -> Array:
    """A tensor as an array, sharing its memory where it can; half precisions become float32."""
    array = np.asarray(tensor)
    if array.dtype.kind == "b" or array.dtype in (np.float32, np.float64):
        return array
    return array.astype(np.float32)
