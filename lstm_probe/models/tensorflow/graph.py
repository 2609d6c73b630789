"""Reading tensors of a training graph without touching the training.

A `session.run` executes every op that a fetched tensor depends on. A random op, such as that of
dropout, holds a generator in its kernel. One more run would advance the generator, and the training
would draw other numbers. So random ops are copied, with all ops that depend on them, and the copies
are run. They do without dropout and noise where these have a form that is known. An op that writes
to a variable or takes an element of the input pipeline would change the training even as a copy, so
it is refused.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Any

import tensorflow as tf

from lstm_probe.core.errors import LstmProbeError
from lstm_probe.models.tensorflow.noise import silenced

__all__ = ["ancestors", "random_ops", "undisturbed"]

_PREFIX = "lstm_probe"
_RANDOM = re.compile(
    "Random(Uniform|UniformInt|StandardNormal|Shuffle|Gamma|Poisson|PoissonV2)|TruncatedNormal"
    "|ParameterizedTruncatedNormal|Multinomial"
)
_WRITES = re.compile(
    "Assign.*|(Resource)?Scatter(Nd)?(Add|Sub|Mul|Div|Min|Max|Update)|(Resource)?(Sparse)?Apply.*"
    "|.*Dequeue.*|.*Enqueue.*|.*IteratorGetNext.*|.*Unstage|Stateful(Uniform|StandardNormal"
    "|TruncatedNormal).*|RngSkip.*|RngReadAndSkip"
)


def undisturbed(
    graph: tf.Graph, tensors: Sequence[Any], fed: Iterable[Any], own: Container[str] = ()
) -> list[Any]:
    """The same tensors, or copies where running them would advance a random number generator.

    Args:
        graph: the user's graph, which is not finalized.
        tensors: the tensors to fetch.
        fed: the tensors that the feed_dict feeds.
        own: the names of ops that the training does not run; they are not copied for their own
            sake.

    Returns:
        One tensor for each of `tensors`, in their order.

    Raises:
        LstmProbeError: a placeholder is not fed, or computing the tensors would change a variable
            or use up training data.
    """
    fed_names = {tensor.name for tensor in fed}
    reached = ancestors(tensors, fed_names)
    bodies = _function_bodies(graph, reached.values())
    _check_fed(reached.values())
    _check_reads_only(reached.values(), bodies)
    random = {
        name for name, op in reached.items() if name not in own and _matches(_RANDOM, op, bodies)
    }
    to_copy = _dependents(reached, random, fed_names)
    if not to_copy:
        return list(tensors)
    return _Copy(graph, to_copy, fed_names, silenced(reached, fed_names)).of(tensors)


def random_ops(graph: tf.Graph, tensors: Sequence[Any], fed: Iterable[Any]) -> list[str]:
    """The names of the ops that draw random numbers when the tensors are fetched."""
    reached = ancestors(tensors, {tensor.name for tensor in fed})
    bodies = _function_bodies(graph, reached.values())
    return sorted(name for name, op in reached.items() if _matches(_RANDOM, op, bodies))


def ancestors(tensors: Iterable[Any], fed_names: Iterable[str] = ()) -> dict[str, tf.Operation]:
    """All ops that run when the tensors are fetched.

    Args:
        tensors: the tensors to fetch.
        fed_names: the names of the tensors that the feed_dict feeds; what is before them does not
            run.

    Returns:
        The ops by name.
    """
    fed = set(fed_names)
    reached: dict[str, tf.Operation] = {}
    waiting = [tensor.op for tensor in tensors if tensor.name not in fed]
    while waiting:
        op = waiting.pop()
        if op.name not in reached:
            reached[op.name] = op
            waiting += [tensor.op for tensor in op.inputs if tensor.name not in fed]
            waiting += op.control_inputs
    return reached


def _check_fed(ops: Iterable[tf.Operation]) -> None:
    missing = sorted(op.name for op in ops if op.type in ("Placeholder", "PlaceholderV2"))
    if missing:
        raise LstmProbeError(
            f"The feed_dict is not complete. Received: no value for {', '.join(missing)}. "
            "Expected: the probe, and whatever else the outputs depend on, such as a keep "
            "probability (1.0) or sequence lengths."
        )


def _check_reads_only(ops: Iterable[tf.Operation], bodies: Mapping[str, set[str]]) -> None:
    writers = sorted(f"{op.name} ({op.type})" for op in ops if _matches(_WRITES, op, bodies))
    if writers:
        raise LstmProbeError(
            "Computing the outputs would change the training: it writes to a variable or uses up "
            f"training data. Received: outputs that depend on {', '.join(writers[:3])}. Expected: "
            "inputs that feed_dict feeds (any tensor can be fed, also that of "
            "iterator.get_next()), and outputs without side effects."
        )


def _matches(pattern: re.Pattern[str], op: tf.Operation, bodies: Mapping[str, set[str]]) -> bool:
    """Whether the type of an op, or of one in a function that it calls, fits the pattern."""
    types = {op.type}.union(*(bodies.get(name, set()) for name in _functions(op.node_def)))
    return any(pattern.fullmatch(kind) for kind in types)


def _functions(node: Any) -> set[str]:
    """The functions that a node calls, such as the body of a loop."""
    names = {value.func.name for value in node.attr.values() if value.HasField("func")}
    return names.union(*({f.name for f in v.list.func} for v in node.attr.values()))


def _function_bodies(graph: tf.Graph, ops: Iterable[tf.Operation]) -> dict[str, set[str]]:
    """The types of all ops in each function of the graph, with those of the functions it calls."""
    if not any(_functions(op.node_def) for op in ops):
        return {}
    library = {f.signature.name: f.node_def for f in graph.as_graph_def().library.function}

    def types(name: str, seen: frozenset[str]) -> set[str]:
        if name in seen or name not in library:
            return set()
        nodes, seen = library[name], seen | {name}
        calls = set[str]().union(*(_functions(node) for node in nodes))
        return {node.op for node in nodes}.union(*(types(call, seen) for call in calls))

    return {name: types(name, frozenset()) for name in library}


def _dependents(
    reached: Mapping[str, tf.Operation], random: set[str], fed_names: set[str]
) -> set[str]:
    """The names of the random ops and of all ops that depend on them.

    A loop of TF1's control flow is among them as a whole or not at all.
    """
    readers: dict[str, list[str]] = {name: [] for name in reached}
    for name, op in reached.items():
        sources = [t.op for t in op.inputs if t.name not in fed_names] + op.control_inputs
        for source in sources:
            readers[source.name].append(name)
    loops = {name: _outer_loop(op) for name, op in reached.items()}
    found: set[str] = set()
    waiting = list(random)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += readers[name]
            if loops[name]:
                waiting += [other for other, loop in loops.items() if loop == loops[name]]
    return found


def _outer_loop(op: tf.Operation) -> str:
    """The name of the outermost loop around an op; empty if there is none."""
    context, outermost = op._get_control_flow_context(), ""
    while context is not None:
        if context.IsWhileContext():
            outermost = context.name
        context = context.outer_context
    return outermost


class _Copy:
    """A copy of some ops within their graph, which does without dropout and noise.

    Args:
        graph: the user's graph.
        names: the names of the ops.
        fed_names: the names of the tensors that are fed.
        plain: by the name of a tensor with noise, the one that takes its place.
    """

    def __init__(
        self, graph: tf.Graph, names: set[str], fed_names: set[str], plain: Mapping[str, Any]
    ) -> None:
        self._graph, self._names = graph, names
        self._fed_names, self._plain = fed_names, plain

    def of(self, tensors: Sequence[Any]) -> list[Any]:
        """The tensors of the copy; those that are not copied are the user's own."""
        plain = [self._without_noise(tensor) for tensor in tensors]
        wanted = [tensor for tensor in plain if self._is_copied(tensor)]
        definition, originals = self._definition(wanted)
        with self._graph.as_default():
            copies = tf.graph_util.import_graph_def(
                definition,
                input_map=originals,
                return_elements=[tensor.name for tensor in wanted],
                name=_PREFIX,
            )
        by_name = {tensor.name: copy for tensor, copy in zip(wanted, copies or [], strict=True)}
        return [by_name.get(tensor.name, tensor) for tensor in plain]

    def _without_noise(self, tensor: Any) -> Any:
        while tensor.name in self._plain and tensor.name not in self._fed_names:
            tensor = self._plain[tensor.name]
        return tensor

    def _is_copied(self, tensor: Any) -> bool:
        return tensor.op.name in self._names and tensor.name not in self._fed_names

    def _definition(self, wanted: Sequence[Any]) -> tuple[Any, dict[str, Any]]:
        """The ops that the tensors need, and what these read of the user's graph."""
        definition = tf.compat.v1.GraphDef()
        definition.versions.CopyFrom(self._graph.as_graph_def().versions)
        originals: dict[str, Any] = {}
        waiting, seen = [tensor.op for tensor in wanted], set[str]()
        while waiting:
            op = waiting.pop()
            if op.name in seen:
                continue
            seen.add(op.name)
            inputs = [self._without_noise(tensor) for tensor in op.inputs]
            definition.node.append(_node_of(op, inputs))
            originals |= {t.name: t for t in inputs if not self._is_copied(t)}
            waiting += [tensor.op for tensor in inputs if self._is_copied(tensor)]
            for source in op.control_inputs:
                if source.name in self._names:
                    waiting.append(source)
                else:
                    originals[f"^{source.name}"] = source
        return definition, originals


def _node_of(op: tf.Operation, inputs: Sequence[Any]) -> Any:
    """The definition of the copy of an op, which reads other tensors."""
    node = tf.compat.v1.NodeDef()
    node.CopyFrom(op.node_def)
    # The class of a node says where it is placed, not what it computes.
    node.attr.pop("_class", None)
    if "frame_name" in node.attr:  # the copy of a loop needs a name of its own
        node.attr["frame_name"].s += f"/{_PREFIX}".encode()
    for index, tensor in enumerate(inputs):
        node.input[index] = tensor.name
    return node
