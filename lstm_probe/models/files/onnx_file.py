"""ONNX files: recurrent nodes, with what ONNX Runtime computes for them where it is installed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lstm_probe.core.errors import LstmProbeError
from lstm_probe.core.limits import reading
from lstm_probe.models.files.onnx_cells import cell_from_onnx
from lstm_probe.models.files.onnx_nodes import (
    attributes_of,
    constants_of,
    directions_of,
    inputs_of,
    weights_of,
)
from lstm_probe.models.files.onnx_tensors import check_filled, read_external
from lstm_probe.models.files.stored_cells import StoredCell
from lstm_probe.models.opened import Opened, StoredCells

if TYPE_CHECKING:
    from lstm_probe.models.files.onnx_runtime import Compute

__all__ = ["load_onnx"]

_WHAT = "an .onnx file"
_RECURRENT = ("LSTM", "GRU", "RNN")
#: What changes the shape of a sequence and not its values.
_RESHAPING = ("Transpose", "Squeeze", "Unsqueeze", "Identity", "Cast", "Reshape")


def load_onnx(
    path: Path, layers: Sequence[str] | None = None, *, compute: Compute | None = None
) -> Opened:
    """Open an `.onnx` file.

    Args:
        path: the file.
        layers: which layers; all recurrent nodes by default.
        compute: has ONNX Runtime compute it; by default in this process.

    Raises:
        LstmProbeError: it is damaged, has no recurrent node, or the onnx package is missing.
    """
    if find_spec("onnx") is None:
        raise LstmProbeError(
            f"Reading {path} needs the onnx package. Expected: pip install 'lstm_probe[onnx]'."
        )
    import onnx

    with reading(path, _WHAT):
        model = onnx.load(str(path), load_external_data=False)
        read_external(path, model)
        check_filled(path, model)
        nodes = _nodes(path, model, layers)
    if find_spec("onnxruntime") is None:
        note = "nothing to compare with: pip install onnxruntime, and it computes the probe too"
        with reading(path, _WHAT):
            return StoredCells(_WHAT, _stored(path, model, nodes), notes=[note])
    from lstm_probe.models.files.onnx_runtime import RuntimeModel
    from lstm_probe.models.files.onnx_session import run_graph

    return RuntimeModel(path, model, nodes, compute or partial(run_graph, path))


def _nodes(path: Path, model: Any, layers: Sequence[str] | None) -> dict[str, Any]:
    """The recurrent nodes by name, each name once."""
    found: dict[str, Any] = {}
    for node in model.graph.node:
        if node.op_type in _RECURRENT:
            name = base = (node.name or node.op_type.lower()).strip("/")
            count = 1
            while name in found:
                count += 1
                name = f"{base}_{count}"
            found[name] = node
    if not found:
        kinds = ", ".join(sorted({node.op_type for node in model.graph.node})[:8])
        raise LstmProbeError(
            f"{path} has no recurrent node. Received: operators {kinds or 'none'}. Expected: at "
            "least one LSTM, GRU or RNN."
        )
    missing = sorted(set(layers or ()) - set(found))
    if missing:
        raise LstmProbeError(
            f"{path} has no such layer. Received: {missing[0]!r}. Expected one of "
            f"{', '.join(found)}."
        )
    return {name: node for name, node in found.items() if layers is None or name in layers}


def _stored(path: Path, model: Any, nodes: Mapping[str, Any]) -> list[StoredCell]:
    constants = constants_of(model)
    by_output = {output: node for node in model.graph.node for output in node.output}
    names = {id(node): name for name, node in nodes.items()}
    cells = []
    for name, node in nodes.items():
        inputs = inputs_of(node)
        if inputs["W"] not in constants or inputs["R"] not in constants:
            raise LstmProbeError(
                f"{path} computes the weights of {name!r} while it runs. Expected: weights in the "
                "file, or pip install onnxruntime, which computes them."
            )
        source = by_output.get(inputs["X"])
        while source is not None and source.op_type in _RESHAPING:
            source = by_output.get(source.input[0])
        below = names.get(id(source))
        feeds = [f"{below}{end}" for end, _ in directions_of(source)] if below else []
        for index, (end, reverse) in enumerate(directions_of(node)):
            cell = cell_from_onnx(node.op_type, attributes_of(node), direction=index)
            weights = weights_of(node, constants, index)
            cells.append(StoredCell(name + end, cell, weights, reverse, tuple(feeds)))
    return cells
