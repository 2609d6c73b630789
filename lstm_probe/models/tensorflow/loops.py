"""Taking tensors out of the loops, branches and functions of a TensorFlow graph.

The body of a `tf.while_loop` is a graph of its own, whose tensors cannot be read from outside. They
are written to arrays that belong to the graph around it: one array for each tensor, with an element
for each run of the body. The arrays live as long as one run of the whole graph.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

__all__ = ["GraphLoops"]

#: A symbolic tensor, or an op.
Tensor = Any
Op = Any


@dataclass(frozen=True)
class _Kept:
    """An array in the graph around the loops.

    Attributes:
        handle: of the array.
        flow: stands for the array as it was made.
        dtype: of its elements.
        shape: of its elements, as far as it is known.
    """

    handle: Tensor
    flow: Tensor
    dtype: tf.DType
    shape: tf.TensorShape

    def size(self) -> Tensor:
        """The number of elements so far."""
        return tf.raw_ops.TensorArraySizeV3(handle=self.handle, flow_in=self.flow)

    def write(self, index: Tensor, value: Tensor) -> Op:
        """Write an element."""
        return tf.raw_ops.TensorArrayWriteV3(
            handle=self.handle, index=index, value=value, flow_in=self.flow
        )

    def read(self) -> Tensor:
        """All elements along a first axis; an empty tensor if nothing was written."""
        size = self.size()
        all_of_it = tf.cond(size > 0, lambda: self._elements(size), self._nothing)
        all_of_it.set_shape(tf.TensorShape([None]).concatenate(self.shape))
        return all_of_it

    def _elements(self, size: Tensor) -> Tensor:
        return tf.raw_ops.TensorArrayGatherV3(
            handle=self.handle, indices=tf.range(size), flow_in=self.flow, dtype=self.dtype
        )

    def _nothing(self) -> Tensor:
        return tf.zeros([0, *(size or 0 for size in self.shape.as_list())], self.dtype)


class GraphLoops:
    """Takes tensors out of the loops of the graph that is the default one now."""

    CAN_KEEP = True
    TRIES_FIRST = True

    def __init__(self) -> None:
        self._home = tf.compat.v1.get_default_graph()
        self._clock: _Kept | None = None
        self._pending: list[Op] = []

    def inside(self) -> bool:
        """Whether the code that runs now builds the graph of a loop, a branch or a function."""
        return tf.compat.v1.get_default_graph() is not self._home

    def kept(self, tensors: Sequence[Any]) -> list[Any]:
        """Write nested tensors in each run of the graph that is the default one now.

        Returns:
            The arrays in the structure of the tensors, and that of the order of all writes.
        """
        if self._clock is None:
            self._clock = self._array(tf.int32, tf.TensorShape([]))
        flat = tf.nest.flatten(list(tensors))
        flat = [None if each is None else tf.convert_to_tensor(each) for each in flat]
        with tf.control_dependencies(self._pending):
            now = self._clock.size()
        order = self._array(tf.int32, tf.TensorShape([]))
        arrays = [None if each is None else self._array(each.dtype, each.shape) for each in flat]
        with tf.control_dependencies([now]):
            index = order.size()
        written = zip([*arrays, order, self._clock], [*flat, now, now], strict=True)
        self._pending += [
            array.write(now if array is self._clock else index, value)
            for array, value in written
            if array is not None
        ]
        return [*tf.nest.pack_sequence_as(list(tensors), arrays), order]

    def tied(self, result: Any) -> Any:
        """The result of a call, which is there only when all writes before it have been done."""
        if not self._pending:
            return result
        pending, self._pending = self._pending, []
        with tf.control_dependencies(pending):
            return tf.nest.map_structure(tf.identity, result)

    def gathered(self, kept: Any) -> Any:
        """The arrays of a nested structure as tensors; None stays None."""
        return tf.nest.map_structure(
            lambda each: each.read() if isinstance(each, _Kept) else each, kept
        )

    def _array(self, dtype: tf.DType, shape: tf.TensorShape) -> _Kept:
        with self._home.as_default():
            handle, flow = tf.raw_ops.TensorArrayV3(
                size=0, dtype=dtype, dynamic_size=True, clear_after_read=False
            )
        return _Kept(handle, flow, dtype, shape)
