"""Finding dropout and noise in a graph, so that a probe can do without.

A graph of TF1 has no mode of inference: `tf.nn.dropout` with a constant rate also drops parts of a
probe. Its ops have a known form, and so has noise that is added; what they make of a tensor is that
tensor again, on the average.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any

import tensorflow as tf

__all__ = ["silenced"]

#: A symbolic tensor.
Tensor = Any

_UNIFORM = ("RandomUniform",)
_NORMAL = ("RandomStandardNormal", "TruncatedNormal")
_SUMS = ("Add", "AddV2")
_QUOTIENTS = ("RealDiv", "Div")


def silenced(ops: Mapping[str, tf.Operation], fed_names: Container[str] = ()) -> dict[str, Tensor]:
    """The tensors that dropout or noise has made, each with the tensor that it was made of.

    Args:
        ops: those that run, by name.
        fed_names: the names of tensors that are fed, and so made by nothing.

    Returns:
        By the name of the tensor with the noise, the one without.

    Source:
        `dropout_v2` in tensorflow/python/ops/nn_ops.py, and its form in TensorFlow 1.0 to 1.15.

    Example:
        >>> with tf.Graph().as_default() as graph:
        ...     x = tf.ones([2, 3])
        ...     y = tf.nn.dropout(x, rate=0.5) + tf.random.normal([2, 3])
        >>> ops = {op.name: op for op in graph.get_operations()}
        >>> sorted(tensor.op.type for tensor in silenced(ops).values())
        ['Const', 'SelectV2']
    """
    found = {}
    for op in ops.values():
        plain = _plain(op)
        if plain is not None and op.outputs[0].name not in fed_names:
            found[op.outputs[0].name] = plain
    return found


def _plain(op: tf.Operation) -> Tensor | None:
    """The tensor that an op adds noise to; None if it does something else."""
    inputs = list(op.inputs)
    if op.type in ("Select", "SelectV2"):
        mask, kept, zero = inputs
        return _unscaled(kept) if _is_mask(mask) and _constant(zero) == 0 else None
    if op.type == "Mul":
        for kept, mask in (inputs, inputs[::-1]):
            if _is_mask(_uncast(mask)) or _is_floored(mask):
                return _unscaled(kept)
            if _is_noise_around(mask, 1):
                return _of_shape(kept, op)
    if op.type in _SUMS:
        for kept, noise in (inputs, inputs[::-1]):
            if _is_noise(noise) and _constant(kept) is None:
                return _of_shape(kept, op)
    return None


def _unscaled(kept: Tensor) -> Tensor | None:
    """What dropout has divided by the probability with which a value is kept."""
    scaled = kept.op
    if scaled.type == "Mul" and _constant(scaled.inputs[1]) is not None:
        return scaled.inputs[0]
    if scaled.type in _QUOTIENTS and _is_scalar(scaled.inputs[1]):
        return scaled.inputs[0]
    return None


def _is_mask(tensor: Tensor) -> bool:
    """Whether it tells which of uniform random numbers are large enough."""
    op = tensor.op
    return op.type in ("GreaterEqual", "Greater") and _is_uniform(op.inputs[0])


def _is_floored(tensor: Tensor) -> bool:
    """Whether it is 1 where a uniform random number and a probability are 1 or more, else 0."""
    op = tensor.op
    if op.type != "Floor" or op.inputs[0].op.type not in _SUMS:
        return False
    return any(_is_uniform(each) for each in op.inputs[0].op.inputs)


def _uncast(tensor: Tensor) -> Tensor:
    return tensor.op.inputs[0] if tensor.op.type == "Cast" else tensor


def _is_uniform(tensor: Tensor) -> bool:
    """Whether it holds uniform random numbers, which may have been moved to another interval."""
    op = tensor.op
    if op.type in _UNIFORM:
        return True
    if op.type not in ("Mul", "Sub", *_SUMS):
        return False
    return any(_is_uniform(each) and _is_scalar(other) for each, other in _pairs(op))


def _is_noise(tensor: Tensor) -> bool:
    """Whether it holds random numbers of a normal distribution around zero."""
    op = tensor.op
    if op.type in _NORMAL:
        return True
    if op.type == "Mul":
        return any(_is_noise(each) and not _is_random(other) for each, other in _pairs(op))
    return op.type in _SUMS and _is_noise_around(tensor, 0)


def _is_noise_around(tensor: Tensor, mean: float) -> bool:
    op = tensor.op
    if op.type not in _SUMS:
        return False
    return any(_is_noise(each) and _constant(other) == mean for each, other in _pairs(op))


def _is_random(tensor: Tensor) -> bool:
    return tensor.op.type in (*_UNIFORM, *_NORMAL)


def _pairs(op: tf.Operation) -> list[list[Tensor]]:
    inputs = list(op.inputs)
    return [inputs, inputs[::-1]]


def _of_shape(tensor: Tensor, op: tf.Operation) -> Tensor | None:
    """The tensor, if the op does not broadcast it."""
    shape = op.outputs[0].shape
    same = tensor.shape.rank is not None and tensor.shape.rank == shape.rank
    return tensor if same and tensor.shape.is_compatible_with(shape) else None


def _is_scalar(tensor: Tensor) -> bool:
    return bool(tensor.shape.rank == 0)


def _constant(tensor: Tensor) -> float | None:
    """The value of a constant that is one number; None of all else."""
    value = tf.get_static_value(tensor) if _is_scalar(tensor) else None
    return None if value is None else float(value)
