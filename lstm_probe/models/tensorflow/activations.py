"""The activations of TF1's cells, by their names in the core."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from lstm_probe.core.activations import ACTIVATIONS, ActivationLike
from lstm_probe.core.arrays import Array
from lstm_probe.core.errors import LstmProbeError

__all__ = ["activation_name", "activation_of"]

# Functions that TensorFlow or tf_keras name otherwise than Keras 3, or that compute otherwise.
_RENAMED = {
    "identity": "linear",
    "hard_sigmoid": "hard_sigmoid_keras2",
    "softmax_v2": "softmax",
}
_SAME = frozenset(
    [
        "elu",
        "exponential",
        "gelu",
        "linear",
        "mish",
        "relu",
        "relu6",
        "selu",
        "sigmoid",
        "silu",
        "softmax",
        "softplus",
        "softsign",
        "swish",
        "tanh",
    ]
)


def activation_name(function: Any) -> str | None:
    """The name in the core of a function of TensorFlow or tf_keras.

    Args:
        function: an activation function.

    Returns:
        The name; None for any other function.

    Example:
        >>> activation_name(tf.nn.relu), activation_name(lambda x: x)
        ('relu', None)
    """
    library = str(getattr(function, "__module__", "")).split(".")[0] in ("tensorflow", "tf_keras")
    name = getattr(function, "__name__", "")
    if library and name in _RENAMED:
        return _RENAMED[name]
    return name if library and name in _SAME & ACTIVATIONS.keys() else None


def activation_of(function: Callable[..., Any]) -> ActivationLike:
    """The activation of a cell, as the core takes it.

    Args:
        function: an activation function of TensorFlow, tf_keras or the user.

    Returns:
        A name for a function of TensorFlow or tf_keras. For a function of the user's, a function
        of arrays that has TensorFlow run it.

    Raises:
        LstmProbeError: the function needs tensors or variables of the user's graph.

    Example:
        >>> activation_of(tf.nn.relu)
        'relu'
    """
    name = activation_name(function)
    if name is not None:
        return name
    return _run_by_tensorflow(function)


def _run_by_tensorflow(function: Callable[..., Any]) -> Callable[[Array], Array]:
    """A function of arrays that runs in a graph of its own, so that the user's is not changed."""
    runs = {}
    try:
        for dtype in (np.float32, np.float64):
            with tf.Graph().as_default() as graph:
                x = tf.compat.v1.placeholder(dtype)
                session = tf.compat.v1.Session(graph=graph)
                runs[np.dtype(dtype)] = session, x, function(x)
    except Exception as error:
        raise LstmProbeError(
            f"The cell's activation cannot be recomputed. Received: {function!r}; on its own it "
            f"gives {type(error).__name__}: {error}. Expected: a function of one tensor that "
            "needs no other tensor or variable."
        ) from error

    def activation(x: Array) -> Array:
        session, placeholder, result = runs[x.dtype]
        return np.asarray(session.run(result, {placeholder: x}))

    return activation
