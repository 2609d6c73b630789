"""Several named probes of a PyTorch model as one batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn.utils.rnn import PackedSequence, pack_sequence, unpack_sequence

from lstm_probe.core.errors import LstmProbeError
from lstm_probe.core.groups import Groups
from lstm_probe.models.joining import check_groups, counted, misfit
from lstm_probe.models.named_probes import Probes
from lstm_probe.models.targets import joined_targets
from lstm_probe.models.torch.modules import Module
from lstm_probe.models.torch.probes import TorchInput, as_tensors, shown
from lstm_probe.models.torch.reader import TorchReader

__all__ = ["NamedProbes", "read_named"]


@dataclass(frozen=True)
class NamedProbes:
    """What a model is called with.

    Attributes:
        inputs: the probe, or the tensors of several in their structure.
        targets: those of named probes; None if they have none.
        groups: how many sequences each named probe has; None if there are none.
    """

    inputs: TorchInput
    targets: Any = None
    groups: Groups | None = None


def read_named(
    model: Module, probe: TorchInput, make: Callable[[TorchInput], TorchReader]
) -> tuple[TorchReader, NamedProbes]:
    """Make the reader of a probe, or of several named ones.

    Their tensors are joined with the batch first. Where the recurrent module then reads another
    number of sequences, they are `(time, batch, ...)`, and are joined along the second axis.

    Args:
        model: the model.
        probe: what it takes, or `Probes`.
        make: makes the reader of a probe.

    Raises:
        LstmProbeError: the probes do not fit together, or their batch is on neither axis.
    """
    if not isinstance(probe, Probes):
        return make(probe), NamedProbes(probe)
    first = int(isinstance(model, torch.nn.RNNBase) and not model.batch_first)
    refused: list[LstmProbeError] = []
    for axis in (first, 1 - first):
        try:
            named = _joined(probe, model, axis)
            reader = make(named.inputs)
            check_groups(named.groups, reader.shape[0])
            return reader, named
        except LstmProbeError as error:
            refused.append(error)
    raise refused[0]


def _joined(probes: Probes, model: Module, axis: int) -> NamedProbes:
    pairs = {
        name: each if isinstance(each, tuple) and len(each) == 2 else (each, None)
        for name, each in probes.items()
    }
    parts = {name: as_tensors(inputs, model) for name, (inputs, _) in pairs.items()}
    groups = tuple(
        (name, counted(name, list(_counts(part, axis)), shown(part)))
        for name, part in parts.items()
    )
    targets = joined_targets({name: each for name, (_, each) in pairs.items()}, groups)
    return NamedProbes(_end_to_end(parts, axis), targets, groups)


def _counts(part: TorchInput, axis: int) -> Iterator[int | None]:
    """How many sequences each tensor of a probe has."""
    if isinstance(part, torch.Tensor):
        yield part.shape[axis if part.ndim > 1 else 0] if part.ndim else None
    elif isinstance(part, PackedSequence):
        yield int(part.batch_sizes[0])
    elif isinstance(part, Mapping):
        yield from (count for each in part.values() for count in _counts(each, axis))
    elif isinstance(part, (list, tuple)):
        yield from (count for each in part for count in _counts(each, axis))


def _end_to_end(parts: Mapping[str, TorchInput], axis: int) -> TorchInput:
    """The tensors of several structures end to end, in the structure of the first."""
    first, all_of = next(iter(parts.values())), list(parts.values())
    if any(type(each) is not type(first) for each in all_of):
        raise misfit({k: type(v).__name__ for k, v in parts.items()}, "one form of input")
    if isinstance(first, torch.Tensor):
        return _tensors(parts, axis)
    if isinstance(first, PackedSequence):
        rows = [row for each in all_of for row in unpack_sequence(each)]
        return pack_sequence(rows, enforce_sorted=False)
    if isinstance(first, Mapping) and all(each.keys() == first.keys() for each in all_of):
        return {key: _end_to_end({k: v[key] for k, v in parts.items()}, axis) for key in first}
    if isinstance(first, (list, tuple)) and len({len(each) for each in all_of}) == 1:
        return type(first)(
            _end_to_end({k: v[at] for k, v in parts.items()}, axis) for at in range(len(first))
        )
    raise misfit({name: shown(each) for name, each in parts.items()}, "the same inputs in each")


def _tensors(parts: Mapping[str, torch.Tensor], axis: int) -> torch.Tensor:
    tensors = list(parts.values())
    along = axis if tensors[0].ndim > 1 else 0
    rests = {(each.dtype, each.shape[:along], each.shape[along + 1 :]) for each in tensors}
    if len(rests) > 1:
        shapes = {name: f"{each.dtype} {tuple(each.shape)}" for name, each in parts.items()}
        raise misfit(shapes, "tensors of one dtype and one shape (pad the shorter sequences)")
    return torch.cat(tensors, dim=along)
