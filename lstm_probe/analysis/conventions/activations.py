"""Activation functions that bear the same name, or are simply others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from lstm_probe.analysis.conventions.weights import Candidate, change
from lstm_probe.analysis.snapshot import Snapshot
from lstm_probe.core.activations import SIGMOIDS, ActivationLike
from lstm_probe.core.arrays import Array

__all__ = ["any_activation", "likely_activations"]

#: What cells are built with. Functions that jump are none: they would explain anything.
_USUAL = (
    "tanh",
    "sigmoid",
    "relu",
    "linear",
    "hard_tanh",
    "hard_sigmoid",
    "softsign",
    "elu",
    "selu",
    "leaky_relu",
    "gelu",
    "silu",
    "mish",
    "softplus",
    "relu6",
    "softmax",
    "exponential",
)


def likely_activations(snapshot: Snapshot) -> Iterator[Candidate]:
    """The other forms of the functions that the cell is described with."""
    cell: Any = snapshot.cell
    if hasattr(cell, "recurrent_activation"):
        for name in SIGMOIDS:
            if name != cell.recurrent_activation:
                does = f"computes the gates with {name}"
                yield _with(snapshot, "sigmoid", does, recurrent_activation=name)
    for option in ("activation", "recurrent_activation"):
        for name, function in _namesakes(getattr(cell, option, None)).items():
            yield _with(snapshot, "activation", f"computes {name}", **{option: function})


def any_activation(snapshot: Snapshot) -> Iterator[Candidate]:
    """Every function that cells are built with."""
    cell: Any = snapshot.cell
    for option, where in (("activation", ""), ("recurrent_activation", " in the gates")):
        described = getattr(cell, option, None)
        for name in _USUAL if isinstance(described, str) else ():
            if name != described:
                does = f"computes {name}{where}, not {described}"
                yield _with(snapshot, "activation", does, **{option: name})


def _with(snapshot: Snapshot, name: str, explanation: str, **options: Any) -> Candidate:
    cell: Any = snapshot.cell
    return change(snapshot, name, explanation, cell=replace(cell, **options))


def _namesakes(activation: ActivationLike | None) -> dict[str, Callable[[Array], Array]]:
    if activation == "leaky_relu":
        slopes = (0.01, 0.1, 0.3)
        return {f"leaky_relu with slope {s}": partial(_leaky_relu, slope=s) for s in slopes}
    if activation == "gelu":
        return {"gelu by its tanh approximation": _gelu_by_tanh}
    return {}


def _leaky_relu(x: Array, slope: float) -> Array:
    return np.where(x >= 0, x, slope * x)


def _gelu_by_tanh(x: Array) -> Array:
    inner = np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)
    return np.asarray(0.5 * x * (1 + np.tanh(inner)), x.dtype)
