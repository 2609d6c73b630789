"""The activation functions of recurrent layers, by their Keras names.

`hard_sigmoid` differs between Keras 2 and Keras 3. The form of Keras 2 is `hard_sigmoid_keras2`
here. Each function takes an array of floats and returns one of the same shape and dtype.

Source: keras/src/activations/activations.py (Keras 3.15), keras/activations.py (Keras 2.15).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from lstm_probe.core.arrays import Array
from lstm_probe.core.errors import LstmProbeError

__all__ = [
    "ACTIVATIONS",
    "SIGMOIDS",
    "Activation",
    "ActivationLike",
    "get_activation",
    "value_range",
]

Activation: TypeAlias = Callable[[Array], Array]
#: An activation by its name, or a function from an array to an array of the same shape.
ActivationLike: TypeAlias = "str | Activation"
#: The functions that frameworks use, or have used, as the sigmoid of a gate.
SIGMOIDS = ("sigmoid", "hard_sigmoid", "hard_sigmoid_keras2")


def sigmoid(x: Array) -> Array:
    """`1 / (1 + exp(-x))`; range 0..1.

    It is computed from `tanh`, which neither overflows nor warns. The absolute error is about one
    unit in the last place of 1.0.
    """
    half = x.dtype.type(0.5)
    result = np.tanh(x * half)
    result *= half
    result += half
    return result


def hard_sigmoid(x: Array) -> Array:
    """`relu6(x + 3) / 6`, as in Keras 3; range 0..1."""
    return np.clip(x / 6 + 0.5, 0, 1)


def hard_sigmoid_keras2(x: Array) -> Array:
    """`clip(0.2 x + 0.5, 0, 1)`, as in Keras 1, Keras 2 and tf_keras; range 0..1."""
    return np.clip(0.2 * x + 0.5, 0, 1)


def relu(x: Array) -> Array:
    """`max(x, 0)`. NaN stays NaN."""
    return np.maximum(x, 0)


def leaky_relu(x: Array) -> Array:
    """`x` above 0, and `0.2 x` below, which is the slope of Keras 3."""
    return np.where(x >= 0, x, 0.2 * x)


def relu6(x: Array) -> Array:
    """`min(max(x, 0), 6)`."""
    return np.clip(x, 0, 6)


def elu(x: Array) -> Array:
    """`x` above 0, and `exp(x) - 1` below."""
    return np.where(x > 0, x, np.expm1(np.minimum(x, 0)))


def celu(x: Array) -> Array:
    """`max(x, 0) + min(exp(x) - 1, 0)`. With the default alpha of 1 this is `elu`."""
    return elu(x)


def selu(x: Array) -> Array:
    """Scaled `elu` (Klambauer et al. 2017)."""
    alpha, scale = 1.6732632423543772, 1.0507009873554805
    return np.where(x > 0, scale * x, scale * alpha * np.expm1(np.minimum(x, 0)))


def softplus(x: Array) -> Array:
    """`log(1 + exp(x))`."""
    return np.logaddexp(x, x.dtype.type(0))


def softsign(x: Array) -> Array:
    """`x / (1 + |x|)`; range -1..1."""
    return x / (1 + np.abs(x))


def squareplus(x: Array) -> Array:
    """`(x + sqrt(x^2 + 4)) / 2`."""
    return (x + np.sqrt(np.square(x) + 4)) / 2


def soft_shrink(x: Array) -> Array:
    """`x - 0.5` above 0.5, `x + 0.5` below -0.5, and else 0."""
    return np.where(np.abs(x) > 0.5, x - 0.5 * np.sign(x), 0 * x)


def hard_shrink(x: Array) -> Array:
    """`x` where `|x| > 0.5`, and else 0."""
    return np.where(np.abs(x) > 0.5, x, 0 * x)


def tanh_shrink(x: Array) -> Array:
    """`x - tanh(x)`."""
    return x - np.tanh(x)


def sparse_plus(x: Array) -> Array:
    """0 up to -1, `(x + 1)^2 / 4` from -1 to 1, and `x` from 1 on."""
    return np.where(x <= -1, 0 * x, np.where(x < 1, np.square(x + 1) / 4, x))


def sparse_sigmoid(x: Array) -> Array:
    """0 up to -1, `(x + 1) / 2` from -1 to 1, and 1 from 1 on; range 0..1."""
    return np.clip(0.5 * (x + 1), 0, 1)


def silu(x: Array) -> Array:
    """`x sigmoid(x)`, which is also called swish."""
    return x * sigmoid(x)


def hard_silu(x: Array) -> Array:
    """`x hard_sigmoid(x)`, which is also called hard_swish."""
    return x * hard_sigmoid(x)


def hard_tanh(x: Array) -> Array:
    """`clip(x, -1, 1)`."""
    return np.clip(x, -1, 1)


def gelu(x: Array) -> Array:
    """`x (1 + erf(x / sqrt(2))) / 2`, the exact form, which is the default of Keras 3."""
    erf = np.vectorize(math.erf, otypes=[np.float64])
    return (0.5 * x * (1 + erf(x / math.sqrt(2)))).astype(x.dtype)


def mish(x: Array) -> Array:
    """`x tanh(softplus(x))`."""
    return x * np.tanh(softplus(x))


def log_sigmoid(x: Array) -> Array:
    """`log(sigmoid(x))`."""
    return -softplus(-x)


def softmax(x: Array) -> Array:
    """`exp(x) / sum(exp(x))` over the last axis, the units; range 0..1."""
    powers = np.exp(x - np.max(x, axis=-1, keepdims=True))
    return powers / np.sum(powers, axis=-1, keepdims=True)


def log_softmax(x: Array) -> Array:
    """`log(softmax(x))` over the last axis, the units."""
    shifted = x - np.max(x, axis=-1, keepdims=True)
    return shifted - np.log(np.sum(np.exp(shifted), axis=-1, keepdims=True))


def sparsemax(x: Array) -> Array:
    """The `sparsemax` of Keras 3 over the last axis, the units. It is not negative and not bounded.

    This is not the projection onto the simplex of Martins & Astudillo (2016). Keras computes the
    threshold from the sum of all partial sums over the support, and the paper from the last of
    them. The form of Keras stands here, because the probe recomputes what the layer computes.
    """
    ordered = -np.sort(-x, axis=-1)
    sums = np.cumsum(ordered, axis=-1)
    counts = np.arange(1, x.shape[-1] + 1, dtype=x.dtype)
    support = ordered - (sums - 1) / counts > 0
    size = np.sum(support, axis=-1, keepdims=True, dtype=x.dtype)
    tau = (np.sum(np.where(support, sums, 0), axis=-1, keepdims=True) - 1) / size
    return np.maximum(x - tau, 0)


def linear(x: Array) -> Array:
    """`x`."""
    return x


#: The activations that Keras has, by name.
ACTIVATIONS: dict[str, Activation] = {
    "celu": celu,
    "elu": elu,
    "exponential": np.exp,
    "gelu": gelu,
    "hard_shrink": hard_shrink,
    "hard_sigmoid": hard_sigmoid,
    "hard_sigmoid_keras2": hard_sigmoid_keras2,
    "hard_silu": hard_silu,
    "hard_swish": hard_silu,
    "hard_tanh": hard_tanh,
    "leaky_relu": leaky_relu,
    "linear": linear,
    "log_sigmoid": log_sigmoid,
    "log_softmax": log_softmax,
    "mish": mish,
    "relu": relu,
    "relu6": relu6,
    "selu": selu,
    "sigmoid": sigmoid,
    "silu": silu,
    "soft_shrink": soft_shrink,
    "softmax": softmax,
    "softplus": softplus,
    "softsign": softsign,
    "sparse_plus": sparse_plus,
    "sparse_sigmoid": sparse_sigmoid,
    "sparsemax": sparsemax,
    "squareplus": squareplus,
    "swish": silu,
    "tanh": np.tanh,
    "tanh_shrink": tanh_shrink,
}

_UNIT_RANGE = frozenset(
    {"sigmoid", "hard_sigmoid", "hard_sigmoid_keras2", "softmax", "sparse_sigmoid"}
)
_SIGNED_RANGE = frozenset({"tanh", "softsign", "hard_tanh"})


def get_activation(activation: ActivationLike) -> Activation:
    """Look up an activation function by its name.

    Args:
        activation: A key of `ACTIVATIONS`, or a function, which is returned as it is.

    Raises:
        LstmProbeError: The name is not known.

    Source:
        keras/src/activations/activations.py.

    Example:
        >>> float(get_activation("hard_sigmoid")(np.array([1.5]))[0])
        0.75
    """
    if callable(activation):
        return activation
    if isinstance(activation, str) and activation in ACTIVATIONS:
        return ACTIVATIONS[activation]
    raise LstmProbeError(
        f"Unknown activation. Received: {activation!r}. Expected one of "
        f"{', '.join(sorted(ACTIVATIONS))}, or a function from an array to an array."
    )


def applied(activation: ActivationLike, a: Array) -> Array:
    """Apply an activation to one gate.

    A function of the user gets a copy, so that it may write to its argument.

    Args:
        activation: A name or a function.
        a: The pre-activations, `(..., units)`.

    Returns:
        `(..., units)`, of the dtype of `a`.

    Example:
        >>> a = np.array([1.0], np.float32)
        >>> applied(lambda x: np.float64(2) * x, a).dtype
        dtype('float32')
    """
    if isinstance(activation, str):
        return get_activation(activation)(a)
    return np.asarray(activation(a.copy())).astype(a.dtype, copy=False)


def of_gates(activation: ActivationLike, a: Array) -> Array:
    """Apply an activation to several gates.

    A function of the user is called for each gate, as the layer of a framework calls it.

    Args:
        activation: A name or a function.
        a: The pre-activations, `(..., gates, units)`.

    Returns:
        `(..., gates, units)`, of the dtype of `a`.

    Example:
        >>> of_gates("relu", np.array([[[-1.0, 1.0]]])).tolist()
        [[[0.0, 1.0]]]
    """
    if isinstance(activation, str):
        return get_activation(activation)(a)
    return np.stack([applied(activation, gate) for gate in np.moveaxis(a, -2, 0)], axis=-2)


def value_range(activation: ActivationLike) -> tuple[float, float] | None:
    """The closed interval that contains the values of an activation.

    Args:
        activation: A name or a function.

    Returns:
        The lower and the upper bound. None if the values are not bounded, or for a function.

    Example:
        >>> value_range("tanh")
        (-1.0, 1.0)
    """
    if isinstance(activation, str):  # a function may not be hashable
        if activation in _UNIT_RANGE:
            return (0.0, 1.0)
        if activation in _SIGNED_RANGE:
            return (-1.0, 1.0)
    return None
