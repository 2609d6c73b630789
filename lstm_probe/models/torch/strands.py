"""`Strand`: what one cell of a model read and gave, whatever module it belongs to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lstm_probe.core.arrays import Array

__all__ = ["Strand", "as_array", "joined"]

#: More calls than these, all of one shape, are shown as one batch.
_MANY = 8


@dataclass(frozen=True, eq=False)
class Strand:
    """One cell at work: a layer and direction of a stack, or a cell that is called step by step.

    Attributes:
        name: the name of the cell in logs.
        key: the layer and direction in a stack, which chooses the weights; (0, False) for a cell.
        x: `(batch, time, input)`.
        output: `(batch, time, output)`.
        initial: the states before the first step, `(batch, size)` each; None for zeros. Empty for
            a step of a cell that nobody knows: it goes on from the step before.
        final: the states after the last one; empty where they are not known.
        lengths: how many steps of each sequence count; None if all do.
        precision: as of `Snapshot`.
    """

    name: str
    key: tuple[int, bool]
    x: Array
    output: Array
    initial: tuple[Array, ...] | None
    final: tuple[Array, ...]
    lengths: Array | None = None
    precision: str | None = None

    @property
    def reverse(self) -> bool:
        """Whether the cell reads from the last timestep to the first."""
        return self.key[1]

    def goes_on(self, before: Strand) -> bool:
        """Whether this strand begins with the states in which another has ended."""
        if self.initial is None or self.reverse or len(self.x) != len(before.x):
            return False
        whole = self.lengths is None and before.lengths is None
        if not whole or len(self.initial) != len(before.final):
            return False
        pairs = zip(self.initial, before.final, strict=True)
        return all(np.array_equal(a, b, equal_nan=True) for a, b in pairs)


def joined(strands: Iterable[Strand]) -> list[Strand]:
    """The strands of one pass, with those that go on from each other joined along time.

    A cell that is called in a loop of the user's is called once for each step. What begins anew
    gets a name of its own: `cell`, `cell/call_2`. Very many short sequences of one cell, as in a
    loop that changes the state between the steps, are one batch.

    Args:
        strands: in the order of the calls.
    """
    runs: dict[str, list[list[Strand]]] = {}
    for strand in strands:
        known = runs.setdefault(strand.name, [])
        if known and strand.goes_on(known[-1][-1]):
            known[-1].append(strand)
        else:
            known.append([strand])
    return [each for name, known in runs.items() for each in _named(name, list(map(_chain, known)))]


def as_array(tensor: Any) -> Array:
    """A tensor of the host as an array of float32 or float64."""
    precise = str(tensor.dtype) == "torch.float64"
    array: Array = (tensor if precise else tensor.float()).numpy()
    return array


def _named(name: str, strands: Sequence[Strand]) -> list[Strand]:
    first = strands[0]
    shapes = {each.x.shape for each in strands}
    if len(strands) > _MANY and len(shapes) == 1 and first.final and first.lengths is None:
        return [_side_by_side(strands)]
    return [
        replace(each, name=name if number == 1 else f"{name}/call_{number}")
        for number, each in enumerate(strands, 1)
    ]


def _chain(strands: Sequence[Strand]) -> Strand:
    """Strands that go on from each other, as one."""
    if len(strands) == 1:
        return strands[0]
    return replace(
        strands[0],
        x=np.concatenate([each.x for each in strands], axis=1),
        output=np.concatenate([each.output for each in strands], axis=1),
        final=strands[-1].final,
    )


def _side_by_side(strands: Sequence[Strand]) -> Strand:
    first = strands[0]
    return replace(
        first,
        x=np.concatenate([each.x for each in strands]),
        output=np.concatenate([each.output for each in strands]),
        initial=_batch([each.initial or _zeros(each.final) for each in strands]),
        final=_batch([each.final for each in strands]),
    )


def _zeros(states: tuple[Array, ...]) -> tuple[Array, ...]:
    return tuple(map(np.zeros_like, states))


def _batch(states: Sequence[tuple[Array, ...]]) -> tuple[Array, ...]:
    return tuple(map(np.concatenate, zip(*states, strict=True)))
