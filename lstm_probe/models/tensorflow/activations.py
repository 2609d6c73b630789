"""The activations of TF1's cells, by the names that the core gives them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from lstm_probe.core.activations import ACTIVATIONS, ActivationLike
from lstm_probe.core.arrays import Array
from lstm_probe.core.errors import LstmProbeError

__all__ = ["activation_name", "activation_of"]

# What TensorFlow or tf_keras name otherwise than Keras 3 does, or mean otherwise.
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
    """The core's name for one of TensorFlow's or tf_keras's own functions; None for another's.

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
    """By name where it is one of TensorFlow's own; a function of the user's is run by TensorFlow.

    Raises:
        LstmProbeError: the function needs tensors of the user's graph.

    Example:
        >>> activation_of(tf.nn.relu)
        'relu'
    """
    name = activation_name(function)
    if name is not None:
        return name
    return _run_by_tensorflow(function)


def _run_by_tensorflow(function: Callable[..., Any]) -> Callable[[Array], Array]:
    """The function, in a graph of its own: the user's stays as it is."""
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
