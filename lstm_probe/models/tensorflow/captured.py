"""Running a traced function of TensorFlow on copies of the variables that it has captured.

A traced function reads and writes the variables that it was not given as arguments, such as a
`tf.Variable` that a layer holds, or the state of a `tf.random.Generator`. Here each run is given
fresh variables instead, which start from the values that the originals had at one moment. So the
originals are never written to, on no thread, and nothing has to be put back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import tensorflow as tf
from tensorflow.python.framework import op_def_registry

from lstm_probe.core.arrays import Array
from lstm_probe.models.purity.kept import Kept

__all__ = ["Detached", "kept_variable", "names_of_python_ops", "used_up_by"]

#: A tensor, and a resource such as the handle of a variable or of a table.
Tensor: TypeAlias = Any
Handle: TypeAlias = Any

#: TensorFlow frees a variable with this name as soon as nothing refers to it.
_ANONYMOUS = "cd2c89b7-88b7-44c8-ad83-06c2a9158347"
#: Ops that only read the variable or table that they are given. Any other op is taken to write.
_READS = frozenset(
    {
        "ReadVariableOp",
        "ResourceGather",
        "ResourceGatherNd",
        "VariableShape",
        "VarIsInitializedOp",
        "LookupTableExportV2",
        "LookupTableFindV2",
        "LookupTableSizeV2",
    }
)
#: Larger variables than this are not copied for Python's sake; graphs run on copies anyway.
_SMALL = 2**22
_PYTHON = frozenset({"PyFunc", "EagerPyFunc", "PyFuncStateless"})


@dataclass(frozen=True)
class _Variable:
    """A variable outside of the function."""

    handle: Handle
    dtype: tf.DType
    shape: tf.TensorShape

    def take(self) -> Callable[[], Handle]:
        """Read it now; what is returned makes a variable of that value, for one run."""
        return partial(
            self._copy, tf.raw_ops.ReadVariableOp(resource=self.handle, dtype=self.dtype)
        )

    def _copy(self, value: Tensor) -> Handle:
        with tf.device(self.handle.device):
            copy = tf.raw_ops.VarHandleOp(
                dtype=self.dtype, shape=self.shape, shared_name=_ANONYMOUS
            )
            tf.raw_ops.AssignVariableOp(resource=copy, value=value)
        return copy


@dataclass(frozen=True)
class _Table:
    """A lookup table outside of the function, which the function writes to."""

    handle: Handle
    keys: tf.DType
    values: tf.DType

    def take(self) -> Callable[[], Handle]:
        """As of a variable."""
        keys, values = tf.raw_ops.LookupTableExportV2(
            table_handle=self.handle, Tkeys=self.keys, Tvalues=self.values
        )
        return partial(self._copy, keys, values)

    def _copy(self, keys: Tensor, values: Tensor) -> Handle:
        if len(values.shape) == 1:
            copy = tf.raw_ops.AnonymousMutableHashTable(
                key_dtype=self.keys, value_dtype=self.values
            )
        else:
            copy = tf.raw_ops.AnonymousMutableHashTableOfTensors(
                key_dtype=self.keys, value_dtype=self.values, value_shape=values.shape[1:]
            )
        tf.raw_ops.LookupTableImportV2(table_handle=copy, keys=keys, values=values)
        return copy


class Detached:
    """A traced function that writes to nothing outside of it.

    Args:
        concrete: the function.
        also_read: also copy the variables that it only reads, so that a later run computes with
            the values of the moment of `take`.

    Example:
        >>> counter = tf.Variable(3)
        >>> count = tf.function(lambda: counter.assign_add(1)).get_concrete_function()
        >>> run = Detached(count, also_read=False).take()
        >>> int(run([])), int(run([])), int(counter)
        (4, 4, 3)
    """

    def __init__(self, concrete: Any, *, also_read: bool) -> None:
        self._concrete = concrete
        captured = list(concrete.captured_inputs)
        inside = concrete.graph.inputs[len(concrete.graph.inputs) - len(captured) :]
        writes = _Writes(concrete.graph)
        self._copied: list[tuple[int, _Variable | _Table]] = []
        for index, (handle, placeholder) in enumerate(zip(captured, inside, strict=True)):
            if handle.dtype == tf.resource and (also_read or writes.to(placeholder)):
                found = _described(handle, placeholder, writes)
                if found is not None and (writes.to(placeholder) or isinstance(found, _Variable)):
                    self._copied.append((index, found))

    def take(self) -> Callable[[Sequence[Tensor]], Any]:
        """Read what the function has captured; what is returned runs it, on any thread.

        It takes the values of all arguments, which must be of the signature that was traced.
        """
        if not self._copied:
            return self._plain
        return partial(self._on_copies, [(at, each.take()) for at, each in self._copied])

    def _plain(self, values: Sequence[Tensor]) -> Any:
        # What a ConcreteFunction does to check its arguments takes an eighth of an LSTM's pass.
        concrete = self._concrete
        return concrete.inference_fn.call_preflattened([*values, *concrete.captured_inputs])

    def _on_copies(
        self, copies: Sequence[tuple[int, Callable[[], Handle]]], values: Sequence[Tensor]
    ) -> Any:
        handles = list(self._concrete.captured_inputs)
        for index, copy in copies:
            handles[index] = copy()
        return self._concrete.inference_fn.call_preflattened([*values, *handles])


class _Writes:
    """Tells which resources a graph writes to, also in the functions that it calls."""

    def __init__(self, graph: Any) -> None:
        library = graph.as_graph_def().library.function
        self._bodies = {each.signature.name: list(each.node_def) for each in library}

    def to(self, placeholder: Any) -> bool:
        """Whether any op that is given the resource may write to it."""
        return any(any(map(_may_write, self.nodes(op.node_def))) for op in placeholder.consumers())

    def nodes(self, node: Any, seen: frozenset[str] = frozenset()) -> Iterator[Any]:
        """A node, or all nodes of the functions that it calls, such as a loop's body."""
        called = {value.func.name for value in node.attr.values() if value.HasField("func")}
        called |= {each.name for value in node.attr.values() for each in value.list.func}
        called &= self._bodies.keys() - seen
        if not called:
            yield node
        for name in called:
            for inner in self._bodies[name]:
                yield from self.nodes(inner, seen | {name})


def _may_write(node: Any) -> bool:
    if node.op in _READS:
        return False
    definition = op_def_registry.get(node.op)
    resource = tf.resource.as_datatype_enum
    return definition is None or any(each.type == resource for each in definition.input_arg)


def _described(handle: Handle, placeholder: Any, writes: _Writes) -> _Variable | _Table | None:
    data = handle._handle_data
    if data is not None and data.is_set and len(data.shape_and_type) == 1:
        kind = data.shape_and_type[0]
        return _Variable(handle, tf.as_dtype(kind.dtype), tf.TensorShape(kind.shape))
    for op in placeholder.consumers():
        for node in writes.nodes(op.node_def):
            if node.op.startswith("LookupTable") and {"Tin", "Tout"} <= set(node.attr):
                return _Table(
                    handle, tf.as_dtype(node.attr["Tin"].type), tf.as_dtype(node.attr["Tout"].type)
                )
    return None


def names_of_python_ops(concrete: Any) -> list[str]:
    """The ops of a traced function that run Python, such as `PyFunc 'model/count/PyFunc'`."""
    definition = concrete.graph.as_graph_def()
    nodes = [*definition.node, *(n for f in definition.library.function for n in f.node_def)]
    return [f"{node.op} {node.name!r}" for node in nodes if node.op in _PYTHON]


def used_up_by(concrete: Any, run: Callable[[], Any]) -> list[str]:
    """Which ops of a traced function take from a queue or an iterator, or put into it.

    Neither can be put back: it is found out by running the function once, if there is any such op,
    or one that runs Python.

    Args:
        concrete: the function.
        run: runs it.
    """
    measures = dict(_measures(concrete))
    if not measures and not names_of_python_ops(concrete):
        return []
    before = {op: measure() for op, measure in measures.items()}
    run()
    return [op for op, measure in measures.items() if measure() != before[op]]


def _measures(concrete: Any) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """The ops that may take from a queue or an iterator, and what shows whether they did."""
    captured = list(concrete.captured_inputs)
    inside = concrete.graph.inputs[len(concrete.graph.inputs) - len(captured) :]
    for handle, placeholder in zip(captured, inside, strict=True):
        for op in placeholder.consumers() if handle.dtype == tf.resource else ():
            if "Queue" in op.type:
                yield f"{op.type} {op.name!r}", partial(_queue_size, handle)
            elif op.type.startswith("IteratorGetNext"):
                yield f"{op.type} {op.name!r}", partial(_position, handle)


def _queue_size(handle: Handle) -> bytes:
    return bytes(tf.io.serialize_tensor(tf.raw_ops.QueueSizeV2(handle=handle)).numpy())


def _position(handle: Handle) -> bytes:
    state = tf.raw_ops.SerializeIterator(resource_handle=handle)
    return bytes(tf.io.serialize_tensor(state).numpy())


@dataclass(frozen=True)
class _Value:
    """The value of a variable that Python may assign to."""

    where: str
    owner: tf.Variable
    before: Array

    def changed(self) -> bool:
        return bool(self.owner.numpy().tobytes() != self.before.tobytes())

    def restore(self) -> bool:
        self.owner.assign(self.before)
        return True


def kept_variable(where: str, value: Any) -> Kept | None:
    """The value of a variable of TensorFlow's, or of a generator's state; None of all else."""
    value = value.state if isinstance(value, tf.random.Generator) else value
    # Variables on several replicas are of other classes, and only read here.
    if type(value).__name__ != "ResourceVariable" or value.dtype == tf.string:
        return None
    small = value.shape.is_fully_defined() and value.shape.num_elements() <= _SMALL
    with tf.init_scope():  # also while a model is traced
        return _Value(where, value, value.numpy().copy()) if small else None
