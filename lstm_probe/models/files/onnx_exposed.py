"""Giving a model outputs for what its recurrent nodes read and give, in whichever graph they are.

A value in the branch of an `If` becomes an output of the branch, and so of the `If`; the other
branch gives nothing for it. A value in the body of a `Loop` or `Scan` becomes one of its scanned
outputs, with the steps as a first axis.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lstm_probe.models.files.onnx_graphs import Recurrent, subgraphs_of
from lstm_probe.models.files.onnx_nodes import inputs_of

__all__ = ["Exposed", "expose"]

_FLOAT, _INT32 = 1, 6
_PREFIX = "lstm_probe_value_"


@dataclass(frozen=True)
class Exposed:
    """The value of a recurrent node, and the output of the model that holds it.

    Attributes:
        node: the place of the node among those that were asked for.
        value: the name of the value in the node's own graph.
        name: the name of the output.
        kind: the number of its element type.
    """

    node: int
    value: str
    name: str
    kind: int


def expose(model: Any, nodes: Sequence[Recurrent]) -> list[Exposed]:
    """Add outputs to a model for all that its nodes read and give, apart from constants.

    Args:
        model: the `onnx.ModelProto` that the nodes are of, which is changed.
        nodes: the nodes.
    """
    import onnx

    lifted = _Lifting(nodes).out_of(model.graph)
    model.graph.output.extend(onnx.ValueInfoProto(name=each.name) for each in lifted)
    return lifted


class _Lifting:
    """Brings values out of the graphs that they are in, one graph at a time."""

    def __init__(self, nodes: Sequence[Recurrent]) -> None:
        self._nodes = nodes
        self._places = {id(each.node): place for place, each in enumerate(nodes)}
        self._count = 0

    def out_of(self, graph: Any) -> list[Exposed]:
        """The values of a graph and of those within it, under names of this graph."""
        import onnx

        found: list[Exposed] = []
        for node in list(graph.node):
            if id(node) in self._places:
                found += self._own(self._places[id(node)])
            inner = [(each, self.out_of(each)) for each in subgraphs_of(node)]
            if any(values for _, values in inner):
                found += self._through(node, inner)
        renamed = []
        for each in found:  # whatever the value is, the graph can give it as an output
            name = self._fresh()
            graph.node.append(onnx.helper.make_node("Identity", [each.name], [name]))
            renamed.append(Exposed(each.node, each.value, name, each.kind))
        return renamed

    def _own(self, place: int) -> list[Exposed]:
        """What one node reads and gives."""
        recurrent = self._nodes[place]
        node = recurrent.node
        if not node.output[0]:  # a node that hands out its last step only
            node.output[0] = self._fresh()
        kinds = dict.fromkeys(inputs_of(node).values(), _FLOAT)
        inputs = inputs_of(node)
        if "sequence_lens" in inputs:
            kinds[inputs["sequence_lens"]] = _INT32
        float_kind = _float_kind(recurrent)
        return [
            Exposed(place, name, name, float_kind if kind == _FLOAT else kind)
            for name, kind in {**kinds, node.output[0]: _FLOAT}.items()
            if name not in recurrent.constants
        ]

    def _through(self, node: Any, inner: Sequence[tuple[Any, list[Exposed]]]) -> list[Exposed]:
        """Hand values of the graphs of a node out of the node."""
        import onnx

        made = []
        for graph, values in inner:
            for each in values:
                for other, _ in inner:
                    if other is graph:
                        name = each.name
                    else:  # a branch that gives nothing for what is in the other one
                        name = self._fresh()
                        empty = onnx.helper.make_tensor(name, each.kind, [0], [])
                        other.node.append(
                            onnx.helper.make_node("Constant", [], [name], value=empty)
                        )
                    other.output.append(onnx.ValueInfoProto(name=name))
                self._fill_outputs(node, graph)
                name = self._fresh()
                node.output.append(name)
                made.append(Exposed(each.node, each.value, name, each.kind))
        for attribute in node.attribute:
            if attribute.name in ("scan_output_axes", "scan_output_directions"):
                attribute.ints.extend([0] * len(made))
        return made

    def _fill_outputs(self, node: Any, graph: Any) -> None:
        """Name the last outputs of a node that nobody reads, so that a further one can follow."""
        hidden = 1 if node.op_type == "Loop" else 0  # the condition
        while len(node.output) < len(graph.output) - hidden - 1:
            node.output.append(self._fresh())

    def _fresh(self) -> str:
        self._count += 1
        return f"{_PREFIX}{self._count}"


def _float_kind(recurrent: Recurrent) -> int:
    """The number of the type in which a node computes."""
    import onnx

    inputs = inputs_of(recurrent.node)
    for name in ("B", "W", "R"):
        array = recurrent.constants.get(inputs.get(name, ""))
        if array is not None and array.dtype.kind == "f":
            return int(onnx.helper.np_dtype_to_tensor_dtype(array.dtype))
    return _FLOAT
