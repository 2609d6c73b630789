"""The derivatives of the activation functions, for backpropagation.

The value of some functions, such as `sigmoid` and `tanh`, determines the slope. It is then computed
from the value, which the trace holds, so that the pre-activations need not be computed again. At a
kink the slope is that of TensorFlow, which is 0 for `relu` at 0.

Source: keras/src/activations/activations.py (Keras 3.15). Each function is differentiated by hand.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from lstm_probe.core.activations import ACTIVATIONS, ActivationLike, sigmoid, softplus
from lstm_probe.core.arrays import Array

__all__ = ["COUPLED", "derivative_of_argument", "derivative_of_value"]

Slope: TypeAlias = Callable[[Array], Array]

#: Each value of these functions depends on all units. Their derivative is a matrix and no slope.
COUPLED = frozenset({"softmax", "log_softmax", "sparsemax"})

_OF_VALUE: dict[str, Slope] = {
    "sigmoid": lambda y: y * (1 - y),
    "tanh": lambda y: 1 - np.square(y),
    "hard_sigmoid": lambda y: ((y > 0) & (y < 1)) / 6,
    "hard_sigmoid_keras2": lambda y: ((y > 0) & (y < 1)) * 0.2,
    "hard_tanh": lambda y: ((y > -1) & (y < 1)) * 1.0,
    "sparse_sigmoid": lambda y: ((y > 0) & (y < 1)) * 0.5,
    "relu": lambda y: (y > 0) * 1.0,
    "relu6": lambda y: ((y > 0) & (y < 6)) * 1.0,
    "leaky_relu": lambda y: np.where(y > 0, 1.0, 0.2),
    "linear": np.ones_like,
    "exponential": lambda y: y,
    "elu": lambda y: np.where(y > 0, 1.0, y + 1),
    "celu": lambda y: np.where(y > 0, 1.0, y + 1),
    "softsign": lambda y: np.square(1 - np.abs(y)),
    "softplus": lambda y: -np.expm1(-y),
    "soft_shrink": lambda y: (y != 0) * 1.0,
    "hard_shrink": lambda y: (y != 0) * 1.0,
}


def _silu(x: Array) -> Array:
    s = sigmoid(x)
    return s * (1 + x * (1 - s))


def _hard_silu(x: Array) -> Array:
    inside = (x > -3) & (x < 3)
    return np.where(inside, x / 3 + 0.5, (x >= 3) * 1.0)


def _selu(x: Array) -> Array:
    alpha, scale = 1.6732632423543772, 1.0507009873554805
    return np.where(x > 0, scale, scale * alpha * np.exp(np.minimum(x, 0)))


def _gelu(x: Array) -> Array:
    erf = np.vectorize(math.erf, otypes=[np.float64])
    normal = np.exp(-np.square(x) / 2) / math.sqrt(2 * math.pi)
    return np.asarray(0.5 * (1 + erf(x / math.sqrt(2))) + x * normal)


def _mish(x: Array) -> Array:
    t = np.tanh(softplus(x))
    return t + x * (1 - np.square(t)) * sigmoid(x)


_OF_ARGUMENT: dict[str, Slope] = {
    "silu": _silu,
    "swish": _silu,
    "hard_silu": _hard_silu,
    "hard_swish": _hard_silu,
    "selu": _selu,
    "gelu": _gelu,
    "mish": _mish,
    "squareplus": lambda x: (1 + x / np.sqrt(np.square(x) + 4)) / 2,
    "tanh_shrink": lambda x: np.square(np.tanh(x)),
    "log_sigmoid": lambda x: sigmoid(-x),
    "sparse_plus": lambda x: np.clip((x + 1) / 2, 0, 1),
}

_STEP = 1e-5


def derivative_of_value(activation: ActivationLike) -> Slope | None:
    """The slope of an activation as a function of its value.

    Args:
        activation: A name or a function.

    Returns:
        A function of an array of values. None if the value does not determine the slope.

    Example:
        >>> derivative_of_value("sigmoid")(np.array([0.5])).tolist()
        [0.25]
    """
    return _OF_VALUE.get(activation) if isinstance(activation, str) else None


def derivative_of_argument(activation: ActivationLike) -> Slope:
    """The slope of an activation as a function of its argument.

    The slope of a function of the user is computed by central differences. Its error is about 1e-10
    where the function is smooth.

    Args:
        activation: A function, or a name that is not in `COUPLED`.

    Returns:
        A function of an array of pre-activations.

    Example:
        >>> derivative_of_argument("tanh")(np.array([0.0])).tolist()
        [1.0]
        >>> derivative_of_argument(np.sin)(np.array([0.0])).round(9).tolist()
        [1.0]
    """
    if isinstance(activation, str):
        of_value = _OF_VALUE.get(activation)
        if of_value is None:
            return _OF_ARGUMENT[activation]
        function, slope = ACTIVATIONS[activation], of_value
        return lambda x: slope(function(x))
    own = activation
    return lambda x: (own(x + _STEP) - own(x - _STEP)) / (2 * _STEP)
