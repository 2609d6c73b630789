"""The cells of an ONNX file without ONNX Runtime: from the numbers that are in the file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lstm_probe.core.errors import LstmProbeError
from lstm_probe.models.files.onnx_cells import cell_from_onnx
from lstm_probe.models.files.onnx_graphs import Recurrent
from lstm_probe.models.files.onnx_nodes import (
    RECURRENT,
    attributes_of,
    directions_of,
    inputs_of,
    weights_of,
)
from lstm_probe.models.files.wiring import StoredCell

__all__ = ["stored_cells"]

#: What changes the shape of a sequence and not its values.
_RESHAPING = ("Transpose", "Squeeze", "Unsqueeze", "Identity", "Cast", "Reshape")


def stored_cells(
    nodes: Sequence[Recurrent], chosen: Sequence[str]
) -> tuple[list[StoredCell], list[str]]:
    """The cells, and sentences about nodes that cannot be shown.

    Args:
        nodes: all recurrent nodes of the model.
        chosen: the names of those that are wanted.

    Raises:
        LstmProbeError: none can be shown.
    """
    cells: list[StoredCell] = []
    refused: list[str] = []
    for each in nodes:
        try:
            if each.name in chosen:
                cells += _cells(each, nodes)
        except LstmProbeError as error:
            refused.append(f"{each.name} is not shown: {error}")
    if not cells:
        raise LstmProbeError("; ".join(refused))
    return cells, refused


def _cells(recurrent: Recurrent, nodes: Sequence[Recurrent]) -> list[StoredCell]:
    node, inputs = recurrent.node, inputs_of(recurrent.node)
    missing = [
        k
        for k, name in inputs.items()
        if k in ("W", "R", "B", "P") and name not in recurrent.constants
    ]
    if missing:
        raise LstmProbeError(
            f"the model computes its {' and '.join(missing)} while it runs. Expected: weights in "
            "the file, or ONNX Runtime (pip install onnxruntime), which computes them"
        )
    given = [k for k in ("sequence_lens", "initial_h", "initial_c") if k in inputs]
    feeds, time_first, unfed = _source(recurrent, nodes)
    if given and not unfed:
        unfed = f"it also reads {' and '.join(given)}, which only ONNX Runtime gives it"
    cells = []
    for index, (end, reverse) in enumerate(directions_of(node)):
        cell = cell_from_onnx(RECURRENT[node.op_type], attributes_of(node), direction=index)
        weights = weights_of(node, recurrent.constants, index)
        cells.append(
            StoredCell(
                recurrent.name + end,
                cell,
                weights,
                reverse,
                feeds,
                unfed=unfed,
                time_first=time_first,
            )
        )
    return cells


def _source(recurrent: Recurrent, nodes: Sequence[Recurrent]) -> tuple[tuple[str, ...], bool, str]:
    """The cells that a node reads, whether the probe has time first, and why it may not read it."""
    graph = recurrent.graph
    by_output = {output: node for node in graph.node for output in node.output}
    names = {id(each.node): each for each in nodes}
    name, time_first = inputs_of(recurrent.node)["X"], True
    while (source := by_output.get(name)) is not None and source.op_type in _RESHAPING:
        if source.op_type == "Transpose" and _perm(source)[:2] == [1, 0]:
            time_first = not time_first
        name = source.input[0]
    if source is None:
        if recurrent.inside:
            return (
                (),
                time_first,
                f"it is in the graph of a {recurrent.inside[-1]}, which is not run",
            )
        return (), time_first, ""
    below = names.get(id(source))
    if below is not None and name == source.output[0]:
        return tuple(below.name + end for end, _ in directions_of(source)), True, ""
    return (), time_first, f"what it reads is computed by {source.op_type}, which is not run"


def _perm(node: Any) -> list[int]:
    return list(attributes_of(node).get("perm", ()))
