"""ONNX files: recurrent nodes, with what ONNX Runtime computes for them where it is installed."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lstm_probe.core.errors import LstmProbeError
from lstm_probe.core.limits import reading
from lstm_probe.models.files.onnx_graphs import Recurrent, graphs_of, prepared, recurrent_nodes
from lstm_probe.models.files.onnx_stored import stored_cells
from lstm_probe.models.files.onnx_tensors import check_filled, read_external
from lstm_probe.models.opened import Opened, StoredCells

if TYPE_CHECKING:
    from lstm_probe.models.files.onnx_runtime import Compute

__all__ = ["load_onnx"]

_WHAT = "an .onnx file"


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
        model = prepared(path, model)
        nodes = recurrent_nodes(model)
        names = _chosen(path, model, nodes, layers)

    def alone(reason: str) -> StoredCells:
        with reading(path, _WHAT):
            cells, refused = stored_cells(nodes, names)
            return StoredCells(_WHAT, cells, notes=[f"nothing to compare with: {reason}", *refused])

    if find_spec("onnxruntime") is None:
        return alone("pip install onnxruntime, and it computes the probe too")
    from lstm_probe.models.files.onnx_runtime import RuntimeModel
    from lstm_probe.models.files.onnx_session import run_graph

    return RuntimeModel(path, model, names, compute or partial(run_graph, path), alone)


def _chosen(
    path: Path, model: Any, nodes: Sequence[Recurrent], layers: Sequence[str] | None
) -> list[str]:
    """The names of the nodes that are to be shown."""
    found = [each.name for each in nodes]
    if not found:
        kinds = {node.op_type for graph, _ in graphs_of(model.graph) for node in graph.node}
        shown = ", ".join(sorted(kinds)[:8])
        raise LstmProbeError(
            f"{path} has no recurrent node. Received: operators {shown or 'none'}. Expected: at "
            "least one LSTM, GRU or RNN."
        )
    missing = sorted(set(layers or ()) - set(found))
    if missing:
        raise LstmProbeError(
            f"{path} has no such layer. Received: {missing[0]!r}. Expected one of "
            f"{', '.join(found)}."
        )
    return [name for name in found if layers is None or name in layers]
