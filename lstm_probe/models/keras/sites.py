"""The places of a model where a cell runs, and how what is read there becomes a snapshot."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from lstm_probe.analysis.snapshot import Snapshot
from lstm_probe.core.arrays import Array
from lstm_probe.core.masks import carried
from lstm_probe.models.keras.cells import CellDescription, describe_cell
from lstm_probe.models.keras.doubt import checked, replaced_methods
from lstm_probe.models.keras.flavour import Layer, Model, flavour_of
from lstm_probe.models.keras.heard import Call
from lstm_probe.models.keras.layers import in_time_distributed
from lstm_probe.models.keras.parts import in_order, part_of, sequences_of, to_numpy
from lstm_probe.models.keras.passes import Part, batched
from lstm_probe.models.keras.remarks import told_of_layer, told_of_sequences

__all__ = ["Site", "describe_call", "sites_of"]


@dataclass(frozen=True)
class Site:
    """A cell at one place of a model.

    Attributes:
        name: the name of the place in logs.
        layer: the layer, or a cell that the user's own code calls.
        description: the cell.
        calls: which of the model's calls of recurrent cells belong here: one; those of a
            TimeDistributed wrapper, which become a batch; or the steps of a cell.
        zeroed: as in `Call`.
        is_merged: whether the calls become a batch.
        is_joined: whether the calls are the steps of sequences, of which there may be several.
    """

    name: str
    layer: Layer
    description: CellDescription
    calls: tuple[int, ...]
    zeroed: bool
    is_merged: bool = False
    is_joined: bool = False

    def read(
        self,
        step: int,
        epoch: float | None,
        results: Sequence[tuple[Any, ...]],
        values: Mapping[int, Any],
    ) -> tuple[list[Snapshot], dict[str, str]]:
        """What was read here.

        Args:
            step: the training step.
            epoch: how many epochs the training has done; None if it has none.
            results: for every call of the model what `Call.tensors` gave.
            values: the values of the model's variables, by the variables' ids.

        Returns:
            One snapshot for each sequence; and what a reader of the log should know of them, by
            the names of layers.
        """
        calls = [results[index] for index in self.calls]
        parts = in_order(calls) if self.is_joined else [batched([part_of(each) for each in calls])]
        sequences = sequences_of(parts, self.is_merged) if self.is_joined else parts
        final_output = None if self.is_joined else _final_output(calls)
        shared = self._shared(step, epoch, values)
        snapshots = [
            self._snapshot(sequence, final_output, index, shared)
            for index, sequence in enumerate(sequences)
        ]
        remarks = {self.name: self.description.remark} if self.description.remark else {}
        if self.is_joined and not self.is_merged and (told := told_of_sequences(parts, sequences)):
            remarks[self.name] = "; ".join(filter(None, [remarks.get(self.name), told]))
        if replaced_methods(self.layer):
            snapshots = [checked(each) for each in snapshots]
            if self.description.cell is not None and any(each.cell is None for each in snapshots):
                remarks[self.name] = told_of_layer(self.layer)
        return snapshots, remarks

    def _shared(self, step: int, epoch: float | None, values: Mapping[int, Any]) -> dict[str, Any]:
        """What all snapshots of the cell have in common."""
        dtype = flavour_of(self.layer).computes_in(self.layer)
        weights = [values[id(variable)] for variable in self.description.variables]
        return {
            "step": step,
            "epoch": epoch,
            "cell": self.description.cell,
            "weights": self.description.weights(*(_as_computed(w, dtype) for w in weights)),
            "dtype": dtype,
        }

    def _snapshot(
        self, part: Part, final_output: Array | None, index: int, shared: Mapping[str, Any]
    ) -> Snapshot:
        reverse = bool(getattr(self.layer, "go_backwards", False))
        output, masking = self._output(part, reverse)
        return Snapshot(
            layer=self.name if index == 0 else f"{self.name}/call_{index + 1}",
            x=_flat(part.x, 2),
            output=_flat(output, 2)[:, ::-1] if reverse else _flat(output, 2),
            final_output=None if final_output is None else _flat(final_output, 1),
            mask=part.mask,
            initial_state=None if part.given is None else tuple(_flat(s, 1) for s in part.given),
            reverse=reverse,
            **masking,
            **shared,
        )

    def _output(self, part: Part, reverse: bool) -> tuple[Array, dict[str, Any]]:
        """The output, and what it shows at masked steps."""
        masking = _masking(self.layer)
        if part.mask is None or not (self.zeroed or self.is_joined):
            return part.output, masking
        first = np.zeros_like(part.output[:, 0])
        if part.given is not None and part.given[0].shape == first.shape:
            first = part.given[0]
        mask = part.mask[:, ::-1] if reverse else part.mask
        if self.is_joined:  # the steps that a row skips are not seen, and may show its state
            masking = {"initial_output_for_mask": True}
        elif masking["zero_output_for_mask"]:
            return part.output, masking
        return carried(part.output, mask, first), masking


def sites_of(model: Model, layers: Mapping[str, Layer], calls: Sequence[Call]) -> list[Site]:
    """The places at which a model has called its recurrent cells.

    A layer that is called more than once has a place for each call (`lstm`, `lstm/call_2`), but
    for the steps of a TimeDistributed wrapper. Calls of one step each have one place together:
    which of them hand the state on is known when they have been computed.

    Args:
        model: the model.
        layers: its recurrent layers and cells, by their names in logs.
        calls: what was heard of them.
    """
    merged = in_time_distributed(model)
    names = {id(layer): name for name, layer in layers.items()}
    places: dict[str, list[int]] = {}
    for index, call in enumerate(calls):
        if id(call.layer) in names:
            places.setdefault(names[id(call.layer)] + call.suffix, []).append(index)
    return [
        site
        for name, at in places.items()
        for site in _at(name, {index: calls[index] for index in at}, merged)
    ]


def _at(name: str, calls: Mapping[int, Call], merged: Container[int]) -> list[Site]:
    """The sites of one cell of a layer."""
    first = next(iter(calls.values()))
    is_merged = id(first.layer) in merged or any(map(_is_mapped, calls.values()))
    is_own = any(map(_is_own, calls.values()))
    if is_own or (len(calls) > 1 and not is_merged and any(map(_is_step, calls.values()))):
        return [_site(name, calls, is_merged, is_joined=True)]
    if is_merged or len(calls) == 1:
        return [_site(name, calls, is_merged)]
    return [
        _site(name if count == 0 else f"{name}/call_{count + 1}", {index: call})
        for count, (index, call) in enumerate(calls.items())
    ]


def _site(
    name: str, calls: Mapping[int, Call], is_merged: bool = False, is_joined: bool = False
) -> Site:
    first = next(iter(calls.values()))
    description = describe_call(first)
    return Site(name, first.layer, description, tuple(calls), first.zeroed, is_merged, is_joined)


def describe_call(call: Call) -> CellDescription:
    """The cell of a call, for the input that it was called on."""
    first = 2 if call.order is None else 3  # the axes before are the runs of a loop, batch and time
    width = prod(int(size) for size in call.output.shape[first:])
    return describe_cell(call.cell, tuple(int(size) for size in call.x.shape[first:]), width)


def _is_step(call: Call) -> bool:
    """Whether a layer was called for a single step."""
    return bool(call.x.shape[1] == 1 and not call.layer.go_backwards)


def _is_own(call: Call) -> bool:
    """Whether the user's own code runs the steps of a cell, or runs a layer inside a loop."""
    return call.is_cell or call.order is not None


def _is_mapped(call: Call) -> bool:
    """Whether a loop runs a layer on a whole sequence each time, as `tf.map_fn` does."""
    return call.order is not None and call.x.shape[2] != 1


def _final_output(calls: Sequence[tuple[Any, ...]]) -> Array | None:
    """What a layer returned if that was its last step only, of all calls as a batch."""
    if calls[0][2] is None:
        return None
    arrays = [to_numpy(call[2]) for call in calls]
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)


def _masking(layer: Layer) -> dict[str, Any]:
    return flavour_of(layer).masking(layer) if hasattr(layer, "zero_output_for_mask") else {}


def _flat(array: Array, leading: int) -> Array:
    """What lies behind the batch (and time), in one axis: images are long vectors here."""
    return array if array.ndim <= leading + 1 else array.reshape(*array.shape[:leading], -1)


def _as_computed(weight: Any, dtype: str) -> Array:
    """A weight with the precision in which the layer computes with it."""
    array = to_numpy(weight)
    return array if dtype in ("float32", "float64") else array.astype(dtype).astype(np.float32)
