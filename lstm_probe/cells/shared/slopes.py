"""The slopes of activation functions at the values that a trace holds."""

from __future__ import annotations

from collections.abc import Callable

from lstm_probe.core.activations import ActivationLike
from lstm_probe.core.arrays import Array
from lstm_probe.core.derivatives import COUPLED, derivative_of_argument, derivative_of_value

__all__ = ["has_slopes", "slopes"]


def has_slopes(*activations: ActivationLike) -> bool:
    """Whether each value of each activation depends on one argument alone.

    `softmax` is an activation whose values depend on all units, so that it has no slope.

    Args:
        activations: Names or functions.

    Example:
        >>> has_slopes("tanh", "sigmoid"), has_slopes("tanh", "softmax")
        (True, False)
    """
    return not any(isinstance(each, str) and each in COUPLED for each in activations)


def slopes(activation: ActivationLike, values: Array, arguments: Callable[[], Array]) -> Array:
    """The derivative of an activation at the values that it returned.

    Args:
        activation: A name or a function.
        values: What the activation returned, of any shape.
        arguments: Computes what the activation was given. It is called only if the values do not
            determine the slope.

    Returns:
        The derivative, of the shape of `values`.

    Example:
        >>> import numpy as np
        >>> slopes("sigmoid", np.array([0.5]), lambda: np.array([0.0])).tolist()
        [0.25]
    """
    of_value = derivative_of_value(activation)
    if of_value is not None:
        return of_value(values)
    return derivative_of_argument(activation)(arguments())
