"""What differs between Keras's backends: compiling a pure function once, and reading tensors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from lstm_probe.arrays import Array
from lstm_probe.errors import LstmProbeError

__all__ = ["compile_once", "read", "to_numpy"]


def compile_once(
    function: Callable[[list[Any]], Any], values: Sequence[Any]
) -> Callable[[list[Any]], Any]:
    """Trace a function of a list of tensors, for the shapes and dtypes of `values` only.

    Raises:
        LstmProbeError: the backend is not TensorFlow.
    """
    if keras.backend.backend() != "tensorflow":
        raise LstmProbeError(
            f"This Keras backend cannot be probed yet. Received: {keras.backend.backend()}. "
            "Expected: tensorflow. Set KERAS_BACKEND=tensorflow."
        )
    import tensorflow as tf

    signature = [tf.TensorSpec(value.shape, value.dtype) for value in values]
    traced: Callable[[list[Any]], Any] = tf.function(
        function, autograph=False
    ).get_concrete_function(signature)
    return traced


def read(variable: Any) -> Any:
    """A variable's value now, as a tensor that later assignments do not change.

    keras.ops.convert_to_tensor would give TensorFlow's variable itself, which is read when it is
    used. Nothing is copied until the variable is assigned to.
    """
    value = getattr(variable, "value", variable)
    if keras.backend.backend() != "tensorflow":
        return value
    import tensorflow as tf

    return tf.convert_to_tensor(value)


def to_numpy(tensor: Any) -> Array:
    """A tensor as an array, sharing its memory where it can; half precisions become float32."""
    array = np.asarray(tensor)
    if array.dtype.kind == "b" or array.dtype in (np.float32, np.float64):
        return array
    return array.astype(np.float32)
