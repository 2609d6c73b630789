"""Candidates with other weights: another order of gates, other biases, another layout."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import fields, replace
from itertools import permutations
from typing import Any

import numpy as np

from lstm_probe.analysis.conventions.candidate import Candidate, change
from lstm_probe.analysis.snapshot import Snapshot
from lstm_probe.weights import GateWeights

__all__ = ["biases", "gate_orders", "readings", "transposed"]

#: Which frameworks keep the gates in an order, by the letters of that order.
_HOMES = {
    "ifgo": "Keras, torch, BlockLSTMV2",
    "igfo": "TF1's cells, BlockLSTM",
    "iofg": "ONNX",
    "zrg": "Keras",
    "rzg": "TF1, torch",
    "zgr": "unknown",
}


def readings(snapshot: Snapshot, names: Collection[str]) -> Iterator[Candidate]:
    """The other ways to compute the cell that the cell itself knows.

    Args:
        snapshot: what was captured; its cell is known.
        names: the names of the conventions that are wanted.
    """
    cell: Any = snapshot.cell
    for name, explanation, other, weights in cell.readings(snapshot.weights):
        if name in names:
            yield change(name, explanation, cell=other, weights=weights)


def gate_orders(snapshot: Snapshot) -> Iterator[Candidate]:
    """All other orders of the gates, those of known frameworks first.

    Args:
        snapshot: what was captured; its weights have gates.
    """
    weights = snapshot.weights
    assert isinstance(weights, GateWeights)
    names = [field.name for field in fields(weights)]
    count = len(weights.gates)
    gated = [n for n in names if n in ("kernel", "recurrent_kernel", "bias", "recurrent_bias")]
    orders = sorted(permutations(range(count)), key=lambda order: _is_unknown(weights, order))
    for order in orders:
        if order == tuple(range(count)):
            continue
        arrays = {
            name: np.take(array, order, axis=-2)
            for name in gated
            if (array := getattr(weights, name)) is not None
        }
        moved = replace(weights, **arrays)
        yield change("gate_order", _order_in_words(weights, order), weights=moved)


def _actual(weights: GateWeights, order: tuple[int, ...]) -> str:
    """The letters of the gates as the array holds them, if `order` puts them right."""
    return "".join(weights.gates[order.index(place)] for place in range(len(order)))


def _is_unknown(weights: GateWeights, order: tuple[int, ...]) -> bool:
    """Whether no known framework has this order; for sorting, known ones come first."""
    return _actual(weights, order) not in _HOMES


def _order_in_words(weights: GateWeights, order: tuple[int, ...]) -> str:
    actual = _actual(weights, order)
    home = f" (as {_HOMES[actual]})" if actual in _HOMES else ""
    return f"keeps the gates as {' '.join(actual)}{home} where {' '.join(weights.gates)} was read"


def biases(snapshot: Snapshot) -> Iterator[Candidate]:
    """A layer that does not add a bias, or adds it in another place.

    Args:
        snapshot: what was captured; its cell is known.
    """
    weights = snapshot.weights
    for name in ("bias", "recurrent_bias"):
        array = getattr(weights, name, None)
        if array is None:
            continue
        assert isinstance(weights, GateWeights)
        without: Any = replace(weights, **{name: np.zeros_like(array)})
        yield change("bias", f"does not add the {name}", weights=without)
        for index, letter in enumerate(weights.gates):
            rest = array.copy()
            rest[index] = 0
            without = replace(weights, **{name: rest})
            yield change("bias", f"does not add the {name} of gate {letter}", weights=without)
    yield from readings(snapshot, ("bias",))


def transposed(snapshot: Snapshot) -> Iterator[Candidate]:
    """Kernels that lie as in cuDNN: the recurrent ones transposed, the input ones relaid.

    Args:
        snapshot: what was captured; its weights have gates.
    """
    weights = snapshot.weights
    assert isinstance(weights, GateWeights)
    recurrent = weights.recurrent_kernel
    if recurrent.ndim != 3 or recurrent.shape[0] != recurrent.shape[2]:
        return
    turned = recurrent.swapaxes(0, 2)
    does = "has the recurrent kernel of each gate transposed (as CuDNNLSTM files)"
    yield change("transposed", does, weights=replace(weights, recurrent_kernel=turned))
    inputs = weights.kernel
    relaid = np.stack(
        [inputs[:, k].T.reshape(inputs[:, k].shape, order="F") for k in range(inputs.shape[1])],
        axis=1,
    )
    does += ", and the input kernels laid out anew"
    other = replace(weights, recurrent_kernel=turned, kernel=relaid)
    yield change("transposed", does, weights=other)
