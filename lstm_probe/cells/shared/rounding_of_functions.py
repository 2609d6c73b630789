"""How an activation function changes the error of its argument, and which error it adds."""

from __future__ import annotations

import numpy as np

from lstm_probe.core.activations import ActivationLike, get_activation
from lstm_probe.core.arrays import Array
from lstm_probe.core.derivatives import COUPLED
from lstm_probe.core.precision import UNIT_ROUNDOFF, is_half

__all__ = ["activated", "own_error"]

#: The error of a function in float32 or float64, in multiples of the unit roundoff. TensorFlow's
#: `tanh` has an error of up to 5.
_FUNCTION_ERROR = 8
#: Half of the largest second derivative.
_CURVATURE = {"sigmoid": 0.05, "tanh": 0.4}
#: TensorFlow stores the constants of these functions in float32 even in a float64 layer. The
#: measured error is 4e-8.
_CONSTANTS_IN_FLOAT32 = frozenset({"gelu", "leaky_relu"})
_GRID = np.linspace(-12.0, 12.0, 2401)


def activated(activation: ActivationLike, y: Array, error: Array, u: float) -> Array:
    """Bound the error of the value of an activation, given the error of its argument.

    Args:
        activation: A name or a function.
        y: The values of the activation, `(..., units)`.
        error: Bounds of the absolute errors of the arguments, of the shape of `y`.
        u: The unit roundoff of the framework's computation.

    Returns:
        Bounds of the absolute errors of the values, of the shape of `y`.

    Example:
        >>> activated("relu", np.array([1.0]), np.array([0.5]), 2.0**-24).round(3).tolist()
        [0.5]
    """
    return _grown(activation, y, error) + own_error(activation, y, u)


def own_error(activation: ActivationLike, y: Array, u: float) -> Array:
    """Bound the error that the computation of an activation adds.

    Half precisions compute a function in float32 and round the result, or they compute it in a few
    operations that round. The error is then relative to the value. Functions that subtract to get a
    small value are an exception, so the bound has an absolute part too.

    Args:
        activation: A name or a function.
        y: The values of the activation, `(..., units)`.
        u: The unit roundoff of the framework's computation.

    Returns:
        Bounds of the absolute errors, of the shape of `y`.
    """
    if not isinstance(activation, str) or activation in _CONSTANTS_IN_FLOAT32:
        u = max(u, UNIT_ROUNDOFF["float32"])
    size = np.abs(y)
    if isinstance(activation, str) and activation in COUPLED:
        terms = 4 + np.sqrt(y.shape[-1])
        return np.asarray(u * terms * (size if activation == "softmax" else 1 + size))
    if is_half(u):
        return np.asarray(u * (1 + 3 * size))
    return np.asarray(_FUNCTION_ERROR * u * np.maximum(1, size))


def _grown(activation: ActivationLike, y: Array, error: Array) -> Array:
    """The error of the argument times the slope, which is at most the steepest slope."""
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
    """The same for an activation whose values depend on all units."""
    if activation == "sparsemax":
        return error + error.max(axis=-1, keepdims=True)
    parts = y if activation == "softmax" else np.exp(y)
    change = error + (parts * error).sum(axis=-1, keepdims=True)
    return np.asarray(y * np.expm1(change) if activation == "softmax" else change)
