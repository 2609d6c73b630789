"""What is heard of a model's recurrent layers and cells while the model is traced."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Final

from lstm_probe.models.keras.flavour import Layer, Tensor
from lstm_probe.models.keras.loops import Loops

__all__ = ["Call", "Heard"]

#: The fields of a `Call` that are tensors, in the order of `Call.tensors`.
_TENSORS: Final = ("x", "output", "final_output", "mask", "initial_state", "final_state", "order")


@dataclass(frozen=True)
class Call:
    """One call of a layer or cell, as one of its cells sees it.

    Attributes:
        layer: the layer; the cell itself where the user's own code calls the cell.
        cell: the cell.
        suffix: what tells the cells of a stack apart, such as `/cell_2`; empty for a single cell.
        x: `(batch, time, ...)`, what the cell reads.
        output: `(batch, time, ...)`, its outputs, in the order in which the layer computes.
        final_output: `(batch, ...)`, what the layer returned if that was its last step only.
        mask: `(batch, time)` or None.
        initial_state: one tensor for each state of the cell, or None for zeros.
        zeroed: masked steps of `output` are zero, whatever the layer shows there.
        final_state: one tensor for each state of the cell after the last step, or None where the
            layer does not tell it.
        order: the position of the call among all calls inside loops; None outside of any loop.
            Inside a loop each tensor of the call has a first axis more: the runs of the loop's
            body.
    """

    layer: Layer
    cell: Any
    suffix: str
    x: Tensor
    output: Tensor
    final_output: Tensor | None
    mask: Tensor | None
    initial_state: list[Tensor] | None
    zeroed: bool
    final_state: list[Tensor] | None = None
    order: Tensor | None = None

    @property
    def is_cell(self) -> bool:
        """Whether the user's own code calls the cell, one step at a time."""
        return self.layer is self.cell

    def tensors(self) -> tuple[Any, ...]:
        """What is computed on the probe, and what a `Site` then makes its snapshots of."""
        return tuple(getattr(self, name) for name in _TENSORS)


class Heard:
    """Collects the calls while a model is traced.

    Args:
        loops: takes tensors out of the loops in which they are computed.

    Attributes:
        calls: in the order in which the model was traced.
        missed: the ids of the layers and cells that ran where nobody can listen.
        unlike_cells: the ids of those that do not return an output with new states, as cells do.
    """

    def __init__(self, loops: Loops) -> None:
        self.calls: list[Call] = []
        self.missed: set[int] = set()
        self.unlike_cells: set[int] = set()
        self.loops = loops
        self._silent: list[frozenset[int] | None] = []
        self._tried: set[int] = set()

    def hears(self, cell: Any) -> bool:
        """Whether a call of the cell counts: the layer around it may speak for it."""
        return not any(each is None or id(cell) in each for each in self._silent)

    @contextmanager
    def silencing(self, cells: Sequence[Any] | None) -> Iterator[None]:
        """While the context lasts, calls of these cells do not count; with None, those of none."""
        self._silent.append(None if cells is None else frozenset(map(id, cells)))
        try:
            yield
        finally:
            self._silent.pop()

    @contextmanager
    def trying(self, cells: Sequence[Any]) -> Iterator[None]:
        """While the context lasts, the first call of each of these cells does not count: the
        framework only looks at what it returns, before it runs all steps."""
        self._tried |= set(map(id, cells))
        try:
            yield
        finally:
            self._tried -= set(map(id, cells))

    def is_trial(self, cell: Any) -> bool:
        """Whether the call of the cell that begins now is such a call."""
        found = id(cell) in self._tried
        self._tried.discard(id(cell))
        return found

    def add(self, call: Call) -> None:
        """Note a call, unless it runs where nobody can listen."""
        if not self.loops.inside():
            self.calls.append(call)
        elif not self.loops.CAN_KEEP:
            self.missed.add(id(call.layer))
        else:
            *tensors, _ = call.tensors()
            kept = dict(zip(_TENSORS, self.loops.kept(tensors), strict=True))
            self.calls.append(replace(call, **kept))

    def finish(self) -> None:
        """Take out of the loops what was computed there; the model has been traced."""
        self.calls[:] = [
            call if call.order is None else replace(call, **self._gathered(call))
            for call in self.calls
        ]

    def _gathered(self, call: Call) -> dict[str, Any]:
        return dict(zip(_TENSORS, self.loops.gathered(call.tensors()), strict=True))
