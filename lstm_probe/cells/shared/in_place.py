"""Activation functions that a step of a recurrence applies without allocating anything."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np

from lstm_probe.core.activations import ActivationLike, get_activation
from lstm_probe.core.arrays import Array

__all__ = ["Doubled", "Into", "activation_into", "doubled"]

#: Computes something of its first argument, and writes it to the second, which may be the same.
Into: TypeAlias = Callable[[Array, Array], object]

#: What is a straight line from 0 to 1, by name: its slope; it is 0.5 at 0.
_STRAIGHT = {"hard_sigmoid": 1 / 6, "hard_sigmoid_keras2": 0.2, "sparse_sigmoid": 0.5}
#: Arrays are read faster than numbers.
_ZERO, _ONE, _TWO = (np.array(number, np.float32) for number in (0, 1, 2))


class Doubled(NamedTuple):
    """A gate's activation `sigma`, doubled: for most that takes a call less.

    Attributes:
        apply: turns `slope * a + offset` into `2 sigma(a)`, in place.
        slope: what weights and bias are to be multiplied by, once for all steps.
        offset: what is to be added to the bias after that.
        cuts_off: all that `apply` does is to cut off at 0 and 2.
    """

    apply: Callable[[Array], object]
    slope: float = 1.0
    offset: float = 0.0
    cuts_off: bool = False


def doubled(activation: ActivationLike, batch: int, units: int) -> Doubled:
    """The activation of one or several gates, doubled.

    Args:
        activation: its Keras name, or a function.
        batch: how many sequences there are.
        units: how many values each gate has.

    Example:
        >>> sigma = doubled("hard_sigmoid", 1, 2)
        >>> a = sigma.slope * np.array([0.0, 40.0]) + sigma.offset
        >>> sigma.apply(a)
        >>> a.tolist()
        [1.0, 2.0]
    """
    if activation == "sigmoid":
        return Doubled(_tanh_and_one, slope=0.5)
    if isinstance(activation, str) and activation in _STRAIGHT:
        return Doubled(_cut_off, slope=2 * _STRAIGHT[activation], offset=1.0, cuts_off=True)
    function = get_activation(activation)

    def each(a: Array) -> None:
        for gate in a.reshape(-1, batch, units):  # as a framework's layer calls it
            np.multiply(function(gate), 2, gate)

    return Doubled(each)


def activation_into(activation: ActivationLike, batch: int, units: int) -> Into:
    """An activation of one gate, which writes to an array of as many values, in any shape.

    Example:
        >>> a = np.array([1.0, 1.0])
        >>> activation_into("softmax", 1, 2)(a, a)
        >>> a.tolist()
        [0.5, 0.5]
    """
    if activation == "tanh":
        return np.tanh
    function = get_activation(activation)

    def into(a: Array, out: Array) -> None:
        out.reshape(batch, units)[...] = function(a.reshape(batch, units))

    return into


def _tanh_and_one(a: Array) -> None:
    np.tanh(a, a)
    np.add(a, _ONE, a)  # 2 / (1 + exp(-a)) = tanh(a / 2) + 1


def _cut_off(a: Array) -> None:
    np.maximum(a, _ZERO, out=a)
    np.minimum(a, _TWO, out=a)
