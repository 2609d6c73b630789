"""Modules that are called step by step, and modules of the user's own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

from lstm_probe.core.arrays import Array
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.models.torch.cells import cell_of
from lstm_probe.models.torch.modules import Module, title
from lstm_probe.models.torch.strands import Strand, as_array

__all__ = ["strands"]


def strands(name: str, module: Module, call: Any) -> Iterator[Strand]:
    """What one call of a module read and gave: one step, or a whole sequence.

    A module of the user's own takes `(batch, features)` for one step, and `(time, batch, features)`
    for a sequence, or with the batch first if it has an attribute `batch_first` that says so. After
    that come its states. It gives its output, or its output and its states.

    Args:
        name: the module's name, which is that of the strand.
        module: the module.
        call: a call of it, as `tapped` gives it.
    """
    x, *given = _tensors((call.args, call.kwargs))
    output, *rest = _tensors(call.output)
    if x.dim() == 3 and not getattr(module, "batch_first", False):
        x, output = x.transpose(0, 1), output.transpose(0, 1)
    cell = cell_of(module)
    count = 0 if cell is None else len(cell.states)
    single = x.dim() == 1
    initial = tuple(_rows(state, single) for state in given[:count])
    shown = _rows(output, single)
    if x.dim() == 3 and shown.ndim != 3:
        raise LstmProbeError(
            f"Module {name!r} ({title(module)}) does not give its output of every step. Received: "
            f"an output of shape {tuple(output.shape)} for an input of shape {tuple(x.shape)}. "
            "Expected: (time, batch, features), or the batch first with batch_first = True."
        )
    yield Strand(
        name=name or title(module),
        key=(0, False),
        x=_rows(x, single) if x.dim() == 3 else _rows(x, single)[:, None],
        output=shown if x.dim() == 3 else shown[:, None],
        initial=_initial(initial, count, is_step=x.dim() < 3),
        final=_final([output, *rest], count, single),
        precision=call.precision,
    )


def _initial(given: tuple[Array, ...], count: int, *, is_step: bool) -> Any:
    """The states before a call; None where they are zeros, empty where they are not known."""
    if count == 0 and is_step:
        return ()
    return given if count and len(given) == count else None


def _final(given: list[Any], count: int, single: bool) -> tuple[Array, ...]:
    """The states that a call has ended in; empty where it does not tell them."""
    if given[0].dim() == 3:
        return ()
    if len(given) == count:  # the output is the first of the states
        return tuple(_rows(state, single) for state in given)
    return tuple(_rows(state, single) for state in given[1 : 1 + count])


def _rows(tensor: Any, single: bool) -> Array:
    """A tensor as an array; that of a single sequence, with a batch of one."""
    return as_array(tensor.unsqueeze(0) if single else tensor)


def _tensors(structure: Any) -> list[Any]:
    """All tensors of a structure, in order."""
    if isinstance(structure, torch.Tensor):
        return [structure]
    if isinstance(structure, dict):
        structure = list(structure.values())
    if isinstance(structure, (list, tuple)):
        return [tensor for each in structure for tensor in _tensors(each)]
    return []
