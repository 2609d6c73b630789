"""Candidates whose activation functions are others than those the cell is described with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from lstm_probe.analysis.conventions.candidate import Candidate, change, joined
from lstm_probe.analysis.snapshot import Snapshot
from lstm_probe.core.activations import SIGMOIDS, ActivationLike
from lstm_probe.core.arrays import Array

__all__ = ["any_activation", "likely_activations", "pairs_of_activations"]

#: The functions that cells are usually built with. Functions that jump are left out: a snapshot
#: would match one by chance.
_USUAL = (
    "tanh",
    "sigmoid",
    "relu",
    "linear",
    "hard_tanh",
    "hard_sigmoid",
    "hard_sigmoid_keras2",
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
    """Other functions that bear the name of the one that the cell is described with.

    Args:
        snapshot: what was captured; its cell is known.

    Yields:
        Candidates with the other sigmoids of the gates, with other slopes of `leaky_relu`, and with
        the other form of `gelu`.
    """
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
    """Every function that cells are usually built with, in the place of the one described.

    Args:
        snapshot: what was captured; its cell is known.
    """
    yield from _others(snapshot, "activation", "")
    yield from _others(snapshot, "recurrent_activation", " in the gates")


def pairs_of_activations(snapshot: Snapshot) -> Iterator[Candidate]:
    """Other functions in both places at once.

    Args:
        snapshot: what was captured; its cell is known.
    """
    for candidate in _others(snapshot, "activation", ""):
        changed = candidate.reread(snapshot)
        assert changed is not None
        for other in _others(changed, "recurrent_activation", " in the gates"):
            yield joined(candidate, other)


def _others(snapshot: Snapshot, option: str, where: str) -> Iterator[Candidate]:
    cell: Any = snapshot.cell
    described = getattr(cell, option, None)
    for name in _USUAL if isinstance(described, str) else ():
        if name != described:
            does = f"computes {name}{where}, not {described}"
            yield _with(snapshot, "activation", does, **{option: name})


def _with(snapshot: Snapshot, name: str, explanation: str, **options: Any) -> Candidate:
    cell: Any = snapshot.cell
    return change(name, explanation, cell=replace(cell, **options))


def _namesakes(activation: ActivationLike | None) -> dict[str, Callable[[Array], Array]]:
    """Functions that some framework computes under this name, by a name that tells them apart."""
    if activation == "leaky_relu":
        slopes = (0.01, 0.1, 0.3)
        return {f"leaky_relu with slope {s}": partial(_leaky_relu, slope=s) for s in slopes}
    if activation == "gelu":
        return {"gelu by its tanh approximation": _gelu_by_tanh}
    return {}


def _leaky_relu(x: Array, slope: float) -> Array:
    return np.where(x >= 0, x, slope * x)


def _gelu_by_tanh(x: Array) -> Array:
    # Hendrycks & Gimpel 2016, "Gaussian error linear units", section 2.
    inner = np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)
    return np.asarray(0.5 * x * (1 + np.tanh(inner)), x.dtype)
