"""The graphs of an ONNX model: the main one, the branches of an `If`, the bodies of `Loop` and
`Scan`, and local functions, with the recurrent nodes in all of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lstm_probe.core.arrays import Array
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.models.files.onnx_nodes import (
    RECURRENT,
    Budget,
    attributes_of,
    constants_of,
    is_recurrent,
)

__all__ = ["Recurrent", "graphs_of", "prepared", "recurrent_nodes", "subgraphs_of"]

#: How many nodes a model may have once its functions stand where they are called.
_LARGEST = 200_000
_SWAP = [1, 0, 2]


@dataclass(frozen=True, eq=False)
class Recurrent:
    """A recurrent node.

    Attributes:
        name: the node's name, each name once.
        node: the `NodeProto`.
        graph: the `GraphProto` that it is in.
        inside: the operators in whose graphs it is, such as `("If", "Loop")`, the outermost first.
        constants: the arrays that are known without a run, by the names that the node knows.
    """

    name: str
    node: Any
    graph: Any
    inside: tuple[str, ...]
    constants: Mapping[str, Array]


def prepared(path: Path, model: Any) -> Any:
    """A model of the same values that ONNX Runtime computes and whose nodes can all be reached.

    Functions with recurrent nodes stand where they are called, and nodes with the batch as the
    first axis, which ONNX Runtime does not compute, have it as the second one.

    Args:
        path: the file, for messages.
        model: an `onnx.ModelProto`, which is not changed.

    Raises:
        LstmProbeError: functions that call themselves, or that call each other too often.
    """
    import onnx
    import onnx.inliner

    functions = [node for function in model.functions for node in _nodes_within(function)]
    if any(is_recurrent(node) for node in functions):
        _check_calls(path, model)
        model = onnx.inliner.inline_local_functions(model)
    copied = onnx.ModelProto()
    copied.CopyFrom(model)
    for graph, _ in graphs_of(copied.graph):
        _put_batch_second(graph)
        _leave_sizes_open(graph)
    return copied


def graphs_of(graph: Any, inside: tuple[str, ...] = ()) -> Iterator[tuple[Any, tuple[str, ...]]]:
    """A graph and all within it, each with the operators that hold it."""
    yield graph, inside
    for node in graph.node:
        for inner in subgraphs_of(node):
            yield from graphs_of(inner, (*inside, node.op_type))


def subgraphs_of(node: Any) -> list[Any]:
    """The graphs that a node holds."""
    return [each.g for each in node.attribute if each.HasField("g")]


def recurrent_nodes(model: Any) -> list[Recurrent]:
    """The recurrent nodes of all graphs, in the order of the model."""
    taken: set[str] = set()
    found: list[Recurrent] = []
    _collect(model.graph, (), {}, Budget(model), taken, found)
    return found


def _collect(
    graph: Any,
    inside: tuple[str, ...],
    outer: Mapping[str, Array],
    budget: Budget,
    taken: set[str],
    found: list[Recurrent],
) -> None:
    constants = {**outer, **constants_of(graph, outer, budget)}
    for node in graph.node:
        if is_recurrent(node):
            base = (node.name or RECURRENT[node.op_type].lower()).strip("/")
            name, count = base, 1
            while name in taken:
                count += 1
                name = f"{base}_{count}"
            taken.add(name)
            found.append(Recurrent(name, node, graph, inside, constants))
        for inner in subgraphs_of(node):
            _collect(inner, (*inside, node.op_type), constants, budget, taken, found)


def _nodes_within(graph: Any) -> Iterator[Any]:
    for node in graph.node:
        yield node
        for inner in subgraphs_of(node):
            yield from _nodes_within(inner)


def _check_calls(path: Path, model: Any) -> None:
    """Refuse functions that would never end, or become too many nodes, where they are called."""
    functions = {(each.domain, each.name): each for each in model.functions}
    counts: dict[tuple[str, str], int] = {}
    waiting = [(key, False) for key in functions]
    open_calls: set[tuple[str, str]] = set()
    while waiting:
        key, is_done = waiting.pop()
        called = [each for each in map(_called, _nodes_within(functions[key])) if each in functions]
        if is_done:
            open_calls.discard(key)
            own = sum(1 for _ in _nodes_within(functions[key]))
            counts[key] = own + sum(counts[each] for each in called)
        elif key not in counts:
            open_calls.add(key)
            waiting.append((key, True))
            if open_calls.intersection(called):
                raise _too_deep(path, "functions that call themselves")
            waiting += [(each, False) for each in dict.fromkeys(called) if each not in counts]
        if counts.get(key, 0) > _LARGEST:
            raise _too_deep(path, f"functions that become {counts[key]:,} nodes")
    total = sum(counts.get(_called(node), 1) for node in _nodes_within(model.graph))
    if total > _LARGEST:
        raise _too_deep(path, f"functions that become {total:,} nodes")


def _called(node: Any) -> tuple[str, str]:
    return node.domain, node.op_type


def _too_deep(path: Path, received: str) -> LstmProbeError:
    return LstmProbeError(
        f"{path} is not read: its functions call each other too often. Received: {received}. "
        f"Expected: a model of at most {_LARGEST:,} nodes, whose functions do not call themselves."
    )


def _leave_sizes_open(graph: Any) -> None:
    """Sizes of 0 and -1 stand for any size, of which ONNX Runtime knows one way to write it."""
    for value in (*graph.input, *graph.output, *graph.value_info):
        for size in value.type.tensor_type.shape.dim:
            if size.HasField("dim_value") and size.dim_value <= 0:
                size.Clear()


def _put_batch_second(graph: Any) -> None:
    """Give nodes of `layout=1` the layout that ONNX Runtime computes."""
    import onnx

    nodes = []
    for node in graph.node:
        if not is_recurrent(node) or not attributes_of(node).get("layout", 0):
            nodes.append(node)
            continue
        made = onnx.NodeProto()
        made.CopyFrom(node)
        del made.attribute[:]
        made.attribute.extend(each for each in node.attribute if each.name != "layout")
        after = []
        for place, perm in ((0, _SWAP), (5, _SWAP), (6, _SWAP)):
            if len(made.input) > place and made.input[place]:
                turned = f"{made.input[place]}/batch_second/{len(nodes)}/{place}"
                turn = onnx.helper.make_node("Transpose", [made.input[place]], [turned], perm=perm)
                nodes.append(turn)
                made.input[place] = turned
        for place, perm in enumerate(([2, 0, 1, 3], _SWAP, _SWAP)):
            if len(made.output) > place and made.output[place]:
                turned = f"{made.output[place]}/batch_second"
                after.append(
                    onnx.helper.make_node("Transpose", [turned], [made.output[place]], perm=perm)
                )
                made.output[place] = turned
        nodes += [made, *after]
    if len(nodes) > len(graph.node):
        copies = []
        for node in nodes:
            copied = onnx.NodeProto()
            copied.CopyFrom(node)
            copies.append(copied)
        del graph.node[:]
        graph.node.extend(copies)
