"""TensorFlow under Keras 3."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import tensorflow as tf

from lstm_probe.models.keras.flavour import Tensor
from lstm_probe.models.keras.workers import is_chief
from lstm_probe.models.tensorflow.graph import ancestors

__all__ = ["TRACES", "compiled", "in_float64", "is_chief", "reader", "to_arrays", "used"]

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
        self.concrete = tf.function(function, autograph=False).get_concrete_function(signature)

    def __call__(self, values: Sequence[Tensor]) -> Any:
        # The values are of the signature: what a ConcreteFunction does to make sure of that takes
        # an eighth of an LSTM's pass.
        concrete = self.concrete
        return concrete.inference_fn.call_preflattened([*values, *concrete.captured_inputs])


def compiled(function: Callable[[Sequence[Tensor]], Any], values: Sequence[Tensor]) -> Traced:
    """Trace a function of a list of tensors, for shapes and dtypes as in `values`."""
    return Traced(function, values)


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
