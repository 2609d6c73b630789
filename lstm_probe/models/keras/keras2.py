"""tf_keras, which is Keras 2: a compiled pass through a model that leaves no trace in it."""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from functools import lru_cache
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras
from tf_keras import layers

from lstm_probe.core.activations import ActivationLike
from lstm_probe.core.arrays import Array
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.models.arrays import Leaf
from lstm_probe.models.keras.flavour import Forward, Layer, Model, Run, Tensor
from lstm_probe.models.keras.on_tensorflow import constant, pulled_back, reader_of
from lstm_probe.models.keras.pure2 import Pure2
from lstm_probe.models.keras.workers import is_chief
from lstm_probe.models.purity.random_states import restored
from lstm_probe.models.purity.trial import Trial
from lstm_probe.models.ragged import Ragged
from lstm_probe.models.tensorflow.activations import activation_name
from lstm_probe.models.tensorflow.captured import (
    Detached,
    kept_variable,
    names_of_python_ops,
    used_up_by,
)
from lstm_probe.models.tensorflow.inlined import inlined

__all__ = ["TfKeras"]


class TfKeras:
    """Reads models of tf_keras: see `Flavour`."""

    package = "tf_keras"
    layers = layers
    BUILDS_IN_ANY_ORDER = False

    def check(self) -> None:
        if not tf.executing_eagerly():
            raise LstmProbeError(
                "tf_keras does not run eagerly here. Received: a model in a graph of TF1, after "
                "tf.compat.v1.disable_eager_execution() or inside `with graph.as_default()`. "
                "Expected: TensorFlow 2's way of running; or lstm_probe.callbacks.ProbeHook, which "
                "is made for graphs and sessions."
            )

    def is_chief(self, model: Model) -> bool:
        return is_chief(self, model)

    def flatten(self, structure: Any) -> list[Any]:
        return list(tf.nest.flatten(structure))

    def join(self, tensors: Sequence[Tensor]) -> Tensor:
        return tf.concat(tensors, axis=-1)

    def split(self, tensor: Tensor, widths: Sequence[int]) -> list[Tensor]:
        return list(tf.split(tensor, list(widths), axis=-1))

    def flip(self, tensor: Tensor) -> Tensor:
        return tf.reverse(tensor, [1])

    def reshaped(self, tensor: Tensor, shape: Sequence[int], dtype: Any) -> Tensor:
        return tf.reshape(tf.cast(tensor, dtype), tuple(shape))

    def tensors(self, probe: Any) -> Any:
        return tf.nest.map_structure(constant, probe)

    def pulled_back(
        self, function: Callable[[Tensor], Tensor], x: Tensor, cotangent: Tensor
    ) -> Tensor:
        return pulled_back(function, x, cotangent)

    def pure(
        self,
        model: Model,
        function: Callable[..., Tensor],
        examples: Sequence[Array],
        trial: Trial,
    ) -> Callable[..., Array]:
        return Pure2(function, examples, trial)

    def reader(self, variable: Any) -> Callable[[], Tensor]:
        return reader_of(variable)

    def to_array(self, tensor: Tensor) -> Array:
        return np.asarray(tensor)

    def activation(self, function: Any) -> ActivationLike:
        name = activation_name(function)
        if name is not None:
            return name

        def activation(x: Array) -> Array:
            return np.asarray(function(tf.constant(x)), dtype=x.dtype)

        return activation

    def path(self, model: Model, layer: Layer) -> str:
        # tf_keras keeps no paths: the way from the model down to the layer is looked for.
        return _paths(model).get(id(layer), str(layer.name))

    def call(self, target: Any) -> Callable[..., Any]:
        # Through AutoGraph, if it is the user's; a cell need not be a layer.
        return target._autographed_call() if isinstance(target, layers.Layer) else target.call

    def arguments(self, layer: Layer, x: Any, given: dict[str, Any]) -> tuple[Tensor, Any]:
        starts_at_zero = not layer.stateful and given.get("initial_state") is None
        starts_at_zero &= not isinstance(x, list) and not _starts_elsewhere(layer.cell)
        # The layer's own way of telling its input, states and constants apart.
        x, state, constants = layer._process_inputs(
            x, given.get("initial_state"), given.get("constants")
        )
        if constants is not None:
            given["constants"] = constants
        return x, None if starts_at_zero else tf.nest.map_structure(tf.identity, list(state))

    def dense(self, layer: Layer, output: Tensor) -> Tensor:
        if not isinstance(output, tf.RaggedTensor):
            return output
        if layer.go_backwards:  # the padding is what it reads first
            return tf.reverse(tf.reverse(output, [1]).to_tensor(), [1])
        return output.to_tensor()

    def batch_first(
        self, layer: Layer, x: Tensor, outputs: Sequence[Tensor], mask: Tensor | None
    ) -> tuple[Tensor, Sequence[Tensor], Tensor | None, bool]:
        if isinstance(x, tf.RaggedTensor):
            dense = x.to_tensor()
            return dense, outputs, tf.sequence_mask(x.row_lengths(), tf.shape(dense)[1]), True
        if not layer.time_major:
            return x, outputs, mask, False
        swapped = [x, *outputs, *([] if mask is None else [mask])]
        x, *swapped = [_swapped(each) for each in swapped]
        mask = None if mask is None else swapped.pop()
        return x, swapped, mask, False

    def computes_in(self, layer: Layer) -> str:
        return str(layer.compute_dtype)

    def masking(self, layer: Layer) -> dict[str, bool]:
        return {"zero_output_for_mask": bool(layer.zero_output_for_mask)}

    def hearing_stack(self, layer: Layer) -> dict[str, bool]:
        return {}

    def inference(self, model: Model) -> dict[str, Any]:
        return {"training": False} if model._call_spec.expects_training_arg else {}

    def takes_ragged(self, model: Model, spec: Any, leaf: Ragged) -> bool:
        if spec is None:  # a subclassed model is trained with what it is given
            return leaf.is_tensor
        return isinstance(getattr(spec, "type_spec", None), tf.RaggedTensorSpec)

    def build(
        self,
        model: Model,
        probe: Any,
        run: Callable[[Model, Any], Any],
        *,
        batch: int | None,
        symbolic: bool,
    ) -> None:
        # The variables themselves are made outside of the graph that this traces.
        _traced(lambda tensors: run(model, tensors), probe, batch)

    def trial(self, model: Model) -> Trial:
        return Trial(model, keepers=[kept_variable], internal=_internal_names())

    def trace(self, model: Model, forward: Forward, probe: Any, trial: Trial) -> Run:
        variables, leaves = list(model.variables), tf.nest.flatten(probe)
        tensors = tf.nest.flatten([constant(leaf) for leaf in leaves], expand_composites=True)
        # Where the batch is known, TimeDistributed runs a loop, inside which nobody can listen;
        # where it is not, stateful layers do not run.
        is_stateful = any(getattr(each, "stateful", False) for each in model._flatten_layers())
        ops: list[str] = []
        with trial.seeing(ops):
            concrete = _traced_for_any(forward, probe, len(leaves[0]) if is_stateful else None)
            run = Detached(concrete, also_read=False)
            ops += names_of_python_ops(concrete)
            used_up = used_up_by(concrete, lambda: run.take()(tensors))
        trial.check(used_up)

        readers = [_reader_of(variable) for variable in variables]

        def on_present_values(needed: Container[int]) -> tuple[Callable[[], Any], Sequence[Tensor]]:
            # It reads the variables themselves: now or never.
            with trial.undone() if ops else nullcontext():
                heard = run.take()(tensors)
            return lambda: heard, [read() for read in readers]

        return on_present_values


def _swapped(tensor: Tensor) -> Tensor:
    """The first two axes are those of the batch and of the time."""
    return tf.transpose(tensor, [1, 0, *range(2, tensor.shape.rank)])


def _reader_of(variable: Any) -> Callable[[], Any]:
    """`reader_of`; a layer that looks words up lists its vocabulary among the variables."""
    return (lambda: None) if hasattr(variable, "get_tensors") else reader_of(variable)


def _traced_for_any(forward: Forward, probe: Any, batch: int | None) -> Any:
    """A concrete function of the probe's leaves, for batches of this size; for those of the probe
    where the model does not run on batches of any size."""
    try:
        return _traced(forward, probe, batch)
    except LstmProbeError:
        raise
    except Exception:
        if batch is not None:
            raise
    return _traced(forward, probe, len(tf.nest.flatten(probe)[0]))


def _traced(forward: Forward, probe: Any, batch: int | None) -> Any:
    """A concrete function of the probe's leaves."""
    signature = [_spec(leaf, batch) for leaf in tf.nest.flatten(probe)]

    # The user's layers go through AutoGraph as in `fit`; code of ours does not.
    as_outside = tf.__internal__.autograph.control_status_ctx()

    def on_leaves(*leaves: Tensor) -> Any:
        graph = tf.compat.v1.get_default_graph()
        with as_outside:
            heard = forward(tf.nest.pack_sequence_as(probe, leaves))
        _check_reach(heard, graph)
        return heard

    with inlined(), tf.summary.record_if(False):  # layers may write to the log of the training
        return tf.function(on_leaves, autograph=False).get_concrete_function(*signature)


def _spec(leaf: Leaf, batch: int | None) -> Any:
    shape = (batch, *leaf.shape[1:]) if leaf.ndim else ()
    if not isinstance(leaf, Ragged):
        return tf.TensorSpec(shape, tf.as_dtype(leaf.dtype))
    ranks = len(leaf.splits)
    return tf.RaggedTensorSpec(
        [batch, *[None] * ranks, *leaf.values.shape[1:]],
        tf.as_dtype(leaf.dtype),
        ragged_rank=ranks,
        row_splits_dtype=tf.as_dtype(leaf.splits[0].dtype),
    )


@lru_cache(maxsize=1)
def _internal_names() -> frozenset[str]:
    """The attributes that Keras itself sets on layers and models.

    A model counts its batches in variables. They are made on a thread of their own, which no
    `tf.distribute` strategy is in force on: several workers would wait for each other.
    """

    def names() -> frozenset[str]:
        return frozenset({*vars(layers.Layer(name="any")), *vars(tf_keras.Model(name="any"))})

    with restored(), ThreadPoolExecutor(1) as apart:
        return apart.submit(names).result()


def _check_reach(heard: Any, graph: Any) -> None:
    for tensor in tf.nest.flatten(heard):
        if tf.is_tensor(tensor) and getattr(tensor, "graph", graph) is not graph:
            raise LstmProbeError(
                "A recurrent layer runs inside a graph of its own, where it cannot be listened to. "
                f"Received: {tensor.name} in {tensor.graph.name!r}. Expected: layers that the "
                "model calls directly, not inside tf.cond, tf.while_loop, or a method that is "
                "decorated with tf.function; remove the decorator, fit compiles anyway."
            )


def _paths(model: Model) -> dict[int, str]:
    """The way from the model down to each of its layers, by the layer's id."""
    paths: dict[int, str] = {}

    def visit(layer: Layer, prefix: str) -> None:
        for inner in layer._flatten_layers(recursive=False, include_self=False):
            if id(inner) not in paths:
                paths[id(inner)] = f"{prefix}{inner.name}"
                visit(inner, f"{prefix}{inner.name}/")

    visit(model, "")
    return paths


def _starts_elsewhere(cell: Any) -> bool:
    """Whether a cell has a say in its initial state; tf_keras's own start from zeros."""
    return hasattr(cell, "get_initial_state") and not type(cell).__module__.startswith("tf_keras.")
