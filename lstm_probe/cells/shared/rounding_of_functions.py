"""What an activation function makes of its argument's error, and what it adds of its own."""

from __future__ import annotations

import numpy as np

from lstm_probe.core.activations import ActivationLike, get_activation
from lstm_probe.core.arrays import Array
from lstm_probe.core.derivatives import COUPLED
from lstm_probe.core.precision import UNIT_ROUNDOFF

__all__ = ["activated", "own_error"]

_FLOAT32_ROUNDOFF = UNIT_ROUNDOFF["float32"]
#: The error of a function in float32 or float64, in units of roundoff: TensorFlow's tanh is off by
#: up to 5.
_FUNCTION_ERROR = 8
#: Half of the largest second derivative.
_CURVATURE = {"sigmoid": 0.05, "tanh": 0.4}
#: TensorFlow keeps the constants of these in float32 even in a float64 layer: measured 4e-8.
_CONSTANTS_IN_FLOAT32 = frozenset({"gelu", "leaky_relu"})
_GRID = np.linspace(-12.0, 12.0, 2401)


def activated(activation: ActivationLike, y: Array, error: Array, u: float) -> Array:
    """The error of an activation's value, given that of its argument.

    Args:
        activation: by name, or a function.
        y: its values.
        error: of the arguments; the same shape.
        u: the unit roundoff of the computation.

    Example:
        >>> activated("relu", np.array([1.0]), np.array([0.5]), 2.0**-24).round(3).tolist()
        [0.5]
    """
    return _grown(activation, y, error) + own_error(activation, y, u)


def own_error(activation: ActivationLike, y: Array, u: float) -> Array:
    """What computing the function adds to the error of its argument.

    Half precisions compute a function in float32 and round the result, or in a few rounded
    operations: relative to the value, but for functions that subtract on the way to a small one.
    """
    if not isinstance(activation, str) or activation in _CONSTANTS_IN_FLOAT32:
        u = max(u, _FLOAT32_ROUNDOFF)
    size = np.abs(y)
    if isinstance(activation, str) and activation in COUPLED:
        terms = 4 + np.sqrt(y.shape[-1])
        return np.asarray(u * terms * (size if activation == "softmax" else 1 + size))
    if u > _FLOAT32_ROUNDOFF:
        return np.asarray(u * (1 + 3 * size))
    return np.asarray(_FUNCTION_ERROR * u * np.maximum(1, size))


def _grown(activation: ActivationLike, y: Array, error: Array) -> Array:
    """What an activation makes of its argument's error: never more than its steepest slope."""
    if activation == "sigmoid":
        slope = y * (1 - y) + _CURVATURE["sigmoid"] * error
        return np.asarray(np.minimum(np.minimum(slope, 0.25) * error, 1))
    if activation == "tanh":
        slope = 1 - np.square(y) + _CURVATURE["tanh"] * error
        return np.asarray(np.minimum(np.minimum(slope, 1) * error, 2))
    if activation == "exponential":
        return np.asarray(np.abs(y) * np.expm1(error))
    if activation == "linear":
        return error
    if isinstance(activation, str) and activation in COUPLED:
        return _grown_together(activation, y, error)
    values = get_activation(activation)(_GRID)
    steepest = float(np.nanmax(np.abs(np.diff(values) / np.diff(_GRID)), initial=0.0))
    return np.asarray(steepest * error)


def _grown_together(activation: str, y: Array, error: Array) -> Array:
    """Each value depends on all units."""
    if activation == "sparsemax":
        return error + error.max(axis=-1, keepdims=True)
    parts = y if activation == "softmax" else np.exp(y)
    change = error + (parts * error).sum(axis=-1, keepdims=True)
    return np.asarray(y * np.expm1(change) if activation == "softmax" else change)
