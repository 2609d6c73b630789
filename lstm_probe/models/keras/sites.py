"""The places of a model where a cell runs, and how what is read there becomes a snapshot."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from lstm_probe.analysis.snapshot import Snapshot
from lstm_probe.core.arrays import Array
from lstm_probe.core.masks import carried
from lstm_probe.models.keras.cells import CellDescription, describe_cell
from lstm_probe.models.keras.flavour import Layer, Model, flavour_of
from lstm_probe.models.keras.layers import in_time_distributed
from lstm_probe.models.keras.taps import Call

__all__ = ["Site", "describe_call", "sites_of"]


@dataclass(frozen=True)
class Site:
    """A cell at one place of a model.

    Attributes:
        name: the name of the place in logs.
        layer: the layer.
        description: the cell.
        calls: which of the model's calls of recurrent cells belong here: one, or those of a
            TimeDistributed wrapper, which become a batch.
        zeroed: as in `Call`.
    """

    name: str
    layer: Layer
    description: CellDescription
    calls: tuple[int, ...]
    zeroed: bool

    def snapshot(
        self,
        step: int,
        epoch: float | None,
        results: Sequence[tuple[Any, ...]],
        values: Mapping[int, Any],
    ) -> Snapshot:
        """What was read here.

        Args:
            step: the training step.
            epoch: how many epochs the training has done; None if it has none.
            results: for every call of the model the tensors `x`, `output`, `final_output`,
                `mask`, `initial_state`, as in `Call`.
            values: the values of the model's variables, by the variables' ids.
        """
        reverse = bool(self.layer.go_backwards)
        fields = zip(*(results[index] for index in self.calls), strict=True)
        x, output, final_output, mask, state = map(_batched, fields)
        masking = flavour_of(self.layer).masking(self.layer)
        if self.zeroed and mask is not None and not masking["zero_output_for_mask"]:
            initial = np.zeros_like(output[:, 0]) if state is None else state[0]
            output = carried(output, mask[:, ::-1] if reverse else mask, initial)
        dtype = flavour_of(self.layer).computes_in(self.layer)
        weights = [values[id(variable)] for variable in self.description.variables]
        return Snapshot(
            step=step,
            layer=self.name,
            cell=self.description.cell,
            weights=self.description.weights(*(_as_computed(w, dtype) for w in weights)),
            x=_flat(x, 2),
            output=_flat(output, 2)[:, ::-1] if reverse else _flat(output, 2),
            final_output=None if final_output is None else _flat(final_output, 1),
            mask=mask,
            initial_state=None if state is None else tuple(_flat(s, 1) for s in state),
            reverse=reverse,
            zero_output_for_mask=masking["zero_output_for_mask"],
            initial_output_for_mask=masking.get("initial_output_for_mask", False),
            dtype=dtype,
            epoch=epoch,
        )


def sites_of(model: Model, layers: Mapping[str, Layer], calls: Sequence[Call]) -> list[Site]:
    """The places at which a model has called its recurrent cells.

    A layer that is called more than once has a place for each call (`lstm`, `lstm/call_2`), but
    for the steps of a TimeDistributed wrapper.

    Args:
        model: the model.
        layers: its recurrent layers, by their names in logs.
        calls: what was heard of them.
    """
    merged = in_time_distributed(model)
    names = {id(layer): name for name, layer in layers.items()}
    places: dict[str, list[int]] = {}
    seen: Counter[str] = Counter()
    for index, call in enumerate(calls):
        name = names[id(call.layer)] + call.suffix
        seen[name] += 1
        if seen[name] > 1 and id(call.layer) not in merged:
            name = f"{name}/call_{seen[name]}"
        places.setdefault(name, []).append(index)
    return [
        Site(name, calls[at[0]].layer, describe_call(calls[at[0]]), tuple(at), calls[at[0]].zeroed)
        for name, at in places.items()
    ]


def describe_call(call: Call) -> CellDescription:
    """The cell of a call, for the input that it was called on."""
    width = prod(int(size) for size in call.output.shape[2:])
    return describe_cell(call.cell, tuple(int(size) for size in call.x.shape[2:]), width)


def _batched(parts: Sequence[Any]) -> Any:
    """One field of all calls, as arrays, joined along the batch; None stays None."""
    if parts[0] is None:
        return None
    if isinstance(parts[0], (list, tuple)):
        return [_batched(part) for part in zip(*parts, strict=True)]
    arrays = [_to_numpy(part) for part in parts]
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)


def _flat(array: Array, leading: int) -> Array:
    """What lies behind the batch (and time), in one axis: images are long vectors here."""
    return array if array.ndim <= leading + 1 else array.reshape(*array.shape[:leading], -1)


def _as_computed(weight: Any, dtype: str) -> Array:
    """A weight with the precision in which the layer computes with it."""
    array = _to_numpy(weight)
    return array if dtype in ("float32", "float64") else array.astype(dtype).astype(np.float32)


def _to_numpy(tensor: Any) -> Array:
    """A tensor as an array, sharing its memory where it can; half precisions become float32."""
    array = np.asarray(tensor)
    if array.dtype.kind == "b" or array.dtype in (np.float32, np.float64):
        return array
    return array.astype(np.float32)
