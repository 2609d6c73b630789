"""TensorFlow under Keras 3."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import tensorflow as tf

from lstm_probe.models.arrays import Leaf
from lstm_probe.models.keras.flavour import Model, Tensor
from lstm_probe.models.keras.workers import is_chief
from lstm_probe.models.purity.walk import Keeper, Walk
from lstm_probe.models.ragged import Ragged
from lstm_probe.models.tensorflow.captured import (
    Detached,
    kept_variable,
    names_of_python_ops,
    used_up_by,
)
from lstm_probe.models.tensorflow.graph import ancestors
from lstm_probe.models.tensorflow.inlined import inlined

__all__ = [
    "TRACES",
    "compiled",
    "constant",
    "in_float64",
    "inlined",
    "is_chief",
    "keepers",
    "look",
    "pulled_back",
    "python_ops",
    "reader",
    "taken",
    "to_arrays",
    "used",
    "used_up",
    "wait",
]

TRACES = True


class Traced:
    """A function of a list of tensors that was traced.

    Args:
        function: is traced.
        values: of the shapes and dtypes of all that it will be run on.
    """

    def __init__(
        self, function: Callable[[Sequence[Tensor]], Any], values: Sequence[Tensor]
    ) -> None:
        signature = [tf.TensorSpec(value.shape, value.dtype) for value in values]
        with inlined(), tf.summary.record_if(False):  # layers may write to the log of the training
            traced = tf.function(function, autograph=False).get_concrete_function(signature)
        self.concrete, self.detached = traced, Detached(traced, also_read=True)

    def __call__(self, values: Sequence[Tensor]) -> Any:
        return self.detached.take()(values)


def constant(leaf: Leaf) -> Tensor:
    """A tensor of the values of one array of a probe."""
    if isinstance(leaf, Ragged):
        return tf.RaggedTensor.from_nested_row_splits(tf.constant(leaf.values), leaf.splits)
    return tf.constant(leaf)


def compiled(function: Callable[[Sequence[Tensor]], Any], values: Sequence[Tensor]) -> Traced:
    """Trace a function of a list of tensors, for shapes and dtypes as in `values`."""
    return Traced(function, values)


def taken(run: Traced) -> Callable[[Sequence[Tensor]], Any]:
    """The function on the variables that the layers hold beside Keras's, as they are now."""
    return run.detached.take()


def python_ops(run: Traced, values: Sequence[Tensor]) -> list[str]:
    """The ops that run Python in each run, such as those of `tf.numpy_function`."""
    return names_of_python_ops(run.concrete)


def used_up(run: Traced, values: Sequence[Tensor]) -> list[str]:
    """Run the function if it runs Python or takes from a queue or an iterator: the ops that took
    from one of these."""
    return used_up_by(run.concrete, lambda: run(values))


def wait(result: Any) -> Any:
    """The result: functions that run Python are done when they return."""
    return result


def keepers() -> list[Keeper]:
    """How to keep the value of a variable, which Python may assign to."""
    return [kept_variable]


def look(model: Model, walk: Walk) -> None:
    """TensorFlow's objects hold nothing that its keepers do not know."""


def used(run: Traced, values: Sequence[Tensor]) -> list[bool]:
    """Which of the values a compiled function depends on."""
    graph = run.concrete.graph
    ends = [*run.concrete.outputs, *(op.outputs[0] for op in graph.control_outputs if op.outputs)]
    reached = ancestors(ends)
    return [tensor.op.name in reached for tensor in run.concrete.inputs[: len(values)]]


def reader(variable: Any) -> Callable[[], Tensor]:
    """What reads a variable's value as it then is, as a tensor that later assignments do not
    change.

    keras.ops.convert_to_tensor would give TensorFlow's variable itself, which is read when it is
    used. Nothing is copied until the variable is assigned to.
    """
    return reader_of(getattr(variable, "value", variable))


def reader_of(variable: Any) -> Callable[[], Tensor]:
    """`reader` of a variable of TensorFlow's own."""
    if type(variable).__name__ != "ResourceVariable":  # one of several replicas, for example
        return partial(tf.convert_to_tensor, variable)
    # The op itself: what Python does around it takes several times as long.
    return partial(tf.raw_ops.ReadVariableOp, resource=variable.handle, dtype=variable.dtype)


def to_arrays(structure: Any) -> Any:
    """Tensors as what NumPy takes for arrays: they are that already, without a copy."""
    return structure


def in_float64(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A function that computes in the precision of its argument: all of TensorFlow's do."""
    return function


def pulled_back(function: Callable[[Tensor], Tensor], x: Tensor, cotangent: Tensor) -> Tensor:
    """The gradient with respect to `x` of a function's value times a cotangent of its shape."""
    with tf.GradientTape() as tape:
        tape.watch(x)
        value = function(x)
    gradient = tape.gradient(value, x, output_gradients=cotangent)
    return tf.zeros_like(x) if gradient is None else gradient
