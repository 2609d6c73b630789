"""ONNX graphs as ONNX Runtime computes them: the truth that NumPy is compared with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from lstm_probe.analysis.analysis import Analysis, analyse
from lstm_probe.analysis.snapshot import Snapshot
from lstm_probe.core.arrays import Array
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.core.limits import reading
from lstm_probe.models.files.onnx_cells import cell_from_onnx, mask_from_onnx
from lstm_probe.models.files.onnx_nodes import (
    attributes_of,
    constants_of,
    directions_of,
    inputs_of,
    weights_of,
)
from lstm_probe.models.opened import Opened

__all__ = ["Compute", "RuntimeModel"]


#: Given a model as bytes, names of values and the inputs by name, gives the values.
Compute: TypeAlias = Callable[[bytes, Sequence[str], Mapping[str, Array]], Sequence[Array]]


class RuntimeModel(Opened):
    """A graph that ONNX Runtime computes, with the recurrent nodes' inputs and outputs shown.

    Args:
        path: the file, for messages.
        model: an `onnx.ModelProto`.
        nodes: its recurrent nodes by name.
        compute: has ONNX Runtime compute it.
    """

    kind = "an .onnx file (ONNX Runtime)"
    step = 0

    def __init__(self, path: Path, model: Any, nodes: Mapping[str, Any], compute: Compute) -> None:
        self._path, self._model, self._nodes, self._compute = path, model, nodes, compute
        self.notes: list[str] = []
        constants = {each.name for each in model.graph.initializer}
        self._inputs = [each for each in model.graph.input if each.name not in constants]

    def random_probe(self, shape: Sequence[int], rng: np.random.Generator) -> Array:
        if self._inputs and self._inputs[0].type.tensor_type.elem_type in (6, 7):
            return rng.integers(0, 2, tuple(shape))
        return rng.normal(size=tuple(shape)).astype(np.float32)

    def analyses(self, probe: Any) -> dict[str, Analysis]:
        with reading(self._path, "an .onnx file"):
            values = self._run(self._feed(probe))
            nodes = self._nodes.items()
            found = [each for name, node in nodes for each in _seen(name, node, values)]
        return {snapshot.layer: analyse(snapshot) for snapshot in found}

    def _feed(self, probe: Any) -> dict[str, Array]:
        import onnx

        names = [each.name for each in self._inputs]
        given = probe if isinstance(probe, Mapping) else dict.fromkeys(names[:1], probe)
        if set(given) != set(names):
            raise LstmProbeError(
                f"The probe does not fit {self._path}. Received: {', '.join(given)}. Expected: "
                f"inputs {', '.join(names)}, by name in an .npz file."
            )
        feed = {}
        for each in self._inputs:
            kind = onnx.helper.tensor_dtype_to_np_dtype(each.type.tensor_type.elem_type)
            array = np.asarray(given[each.name]).astype(kind)
            sizes = [d.dim_value or None for d in each.type.tensor_type.shape.dim]
            fits = len(sizes) == array.ndim and all(
                size in (None, own) for size, own in zip(sizes, array.shape, strict=True)
            )
            if sizes and not fits:
                shown = ", ".join("any" if size is None else str(size) for size in sizes)
                raise LstmProbeError(
                    f"The probe does not fit {self._path}. Received: shape {array.shape}. "
                    f"Expected: ({shown}) for its input {each.name!r}."
                )
            feed[each.name] = array
        return feed

    def _run(self, feed: dict[str, Array]) -> dict[str, Array]:
        import onnx

        model = onnx.ModelProto()
        model.CopyFrom(self._model)
        shown = constants_of(model)
        wanted = [name for node in self._nodes.values() for name in inputs_of(node).values()]
        for node, copied in zip(
            self._nodes.values(), _same_nodes(model, self._nodes.values()), strict=True
        ):
            if not copied.output[0]:  # a node that hands out its last step only
                copied.output[0] = node.output[0] = f"{'/'.join(node.output)}/lstm_probe"
            wanted.append(copied.output[0])
        wanted = [name for name in dict.fromkeys(wanted) if name not in shown and name not in feed]
        already = {each.name for each in model.graph.output}
        model.graph.output.extend(onnx.ValueInfoProto(name=n) for n in wanted if n not in already)
        results = self._compute(model.SerializeToString(), wanted, feed)
        return {**shown, **feed, **dict(zip(wanted, results, strict=True))}


def _same_nodes(model: Any, nodes: Any) -> list[Any]:
    """The nodes of a copied model that stand where these do."""
    outputs = [tuple(node.output) for node in nodes]
    return [node for node in model.graph.node if tuple(node.output) in outputs]


def _seen(name: str, node: Any, values: Mapping[str, Array]) -> list[Snapshot]:
    inputs, attributes = inputs_of(node), attributes_of(node)
    batch_first = bool(attributes.get("layout", 0))
    x, y = values[inputs["X"]], values[node.output[0]]
    if not batch_first:  # X (time, batch, input), Y (time, directions, batch, units)
        x, y = x.swapaxes(0, 1), y.transpose(2, 0, 1, 3)
    mask = None
    if "sequence_lens" in inputs:
        mask = mask_from_onnx(values[inputs["sequence_lens"]], x.shape[1])
    snapshots = []
    for index, (end, reverse) in enumerate(directions_of(node)):
        given = [values[inputs[each]] for each in ("initial_h", "initial_c") if each in inputs]
        state = tuple(s[:, index] if batch_first else s[index] for s in given) or None
        weights = weights_of(node, values, index)
        if state is not None and node.op_type == "LSTM" and len(state) == 1:
            state = (state[0], np.zeros((len(x), weights.units), x.dtype))
        snapshots.append(
            Snapshot(
                0,
                name + end,
                cell_from_onnx(node.op_type, attributes, direction=index),
                weights,
                x=x,
                output=y[:, :, index],
                mask=mask,
                initial_state=state,
                reverse=reverse,
                zero_output_for_mask=True,
                dtype=str(x.dtype),
            )
        )
    return snapshots
