"""What frameworks do differently: tried one by one when a layer does not match its description."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from functools import partial
from itertools import permutations
from typing import Any

import numpy as np

from lstm_probe.activations import ActivationLike
from lstm_probe.arrays import Array
from lstm_probe.cells import GruCell, LstmCell
from lstm_probe.convention_inferred import inferred
from lstm_probe.convention_weights import (
    Candidate,
    Convention,
    biases,
    change,
    change_weights,
    forget_biases,
    gate_orders,
    transposed,
)
from lstm_probe.snapshot import Snapshot
from lstm_probe.verdict import within_rounding
from lstm_probe.weights import GateWeights, GruWeights, LstmWeights

__all__ = ["Convention", "find_convention"]

_SIGMOIDS = ("sigmoid", "hard_sigmoid", "hard_sigmoid_keras2")
_SEQUENCES_TRIED = 2


def find_convention(snapshot: Snapshot) -> Convention | None:
    """The first known convention under which a snapshot's steps obey the equations.

    Takes up to about 100 recomputations of two sequences: not for every capture.

    Args:
        snapshot: one that does not match its cell as it is.

    Returns:
        What explains it; None if nothing known does.

    Example:
        >>> from lstm_probe import LstmCell, Snapshot, lstm, weights
        >>> rng = np.random.default_rng(0)
        >>> w = weights.from_keras(rng.normal(size=(3, 8)), rng.normal(size=(2, 8)))
        >>> x = rng.normal(size=(1, 5, 3))
        >>> h = lstm(x, w, cell=LstmCell(forget_bias=1.0)).h
        >>> print(find_convention(Snapshot(0, "lstm", LstmCell(), w, x=x, output=h)))
        forget_bias: the framework adds 1.0 to the forget gate
    """
    if snapshot.cell is None or not isinstance(snapshot.weights, GateWeights):
        return None
    tried = _few_sequences(snapshot)
    for convention, candidate in _candidates(tried):
        if within_rounding(candidate):
            return convention
    return None


def _few_sequences(snapshot: Snapshot) -> Snapshot:
    """The sequences with the most masked steps: a convention shows where it makes a difference."""
    if len(snapshot.x) <= _SEQUENCES_TRIED:
        return snapshot
    chosen = np.arange(_SEQUENCES_TRIED)
    if snapshot.mask is not None:
        chosen = np.argsort(snapshot.mask.sum(axis=1))[[len(snapshot.x) // 2, 0]]
    few: dict[str, Any] = {
        name: value[chosen]
        for name in ("x", "output", "final_output", "mask")
        if (value := getattr(snapshot, name)) is not None
    }
    if snapshot.initial_state is not None:
        few["initial_state"] = tuple(state[chosen] for state in snapshot.initial_state)
    return replace(snapshot, **few)


def _candidates(snapshot: Snapshot) -> Iterator[Candidate]:
    single = list(_single(snapshot))
    yield from single
    # A TF1 layer that is read as Keras's has both: another order, and a bias in none of the arrays.
    for first, ordered in single:
        if first.name == "gate_order":
            for second, candidate in (*forget_biases(ordered), *_activations(ordered)):
                yield _joined(first, second), candidate
    for first, changed in single:
        if first.name == "forget_bias":
            for second, candidate in _activations(changed):
                yield _joined(first, second), candidate
    yield from inferred(snapshot)


def _joined(first: Convention, second: Convention) -> Convention:
    return Convention(
        f"{first.name}+{second.name}", f"{first.explanation}, and {second.explanation}"
    )


def _single(snapshot: Snapshot) -> Iterator[Candidate]:
    for tries in (
        _masks,
        forget_biases,
        _activations,
        _resets,
        gate_orders,
        biases,
        _states,
        _variants,
        transposed,
        _directions,
    ):
        yield from tries(snapshot)


def _cell(snapshot: Snapshot, name: str, explanation: str, **options: Any) -> Candidate:
    assert snapshot.cell is not None
    cell: Any = snapshot.cell
    return change(snapshot, name, explanation, cell=replace(cell, **options))


def _masks(snapshot: Snapshot) -> Iterator[Candidate]:
    mask, zero = snapshot.mask, snapshot.zero_output_for_mask
    if mask is None or mask.all():
        return
    does = "repeats the last output at masked steps" if zero else "shows zeros at masked steps"
    yield change(snapshot, "mask", does, zero_output_for_mask=not zero)
    yield change(snapshot, "mask", "ignores the mask", mask=None)


def _activations(snapshot: Snapshot) -> Iterator[Candidate]:
    cell: Any = snapshot.cell
    if hasattr(cell, "recurrent_activation"):
        for name in _SIGMOIDS:
            if name != cell.recurrent_activation:
                does = f"computes the gates with {name}"
                yield _cell(snapshot, "sigmoid", does, recurrent_activation=name)
    for option in ("activation", "recurrent_activation"):
        for name, function in _others(getattr(cell, option, None)).items():
            yield _cell(snapshot, "activation", f"computes {name}", **{option: function})


def _others(activation: ActivationLike | None) -> dict[str, Callable[[Array], Array]]:
    """Functions that bear the same name somewhere else."""
    if activation == "leaky_relu":
        slopes = (0.01, 0.1, 0.3)
        return {f"leaky_relu with slope {s}": partial(_leaky_relu, slope=s) for s in slopes}
    if activation == "gelu":
        return {"gelu by its tanh approximation": _gelu_by_tanh}
    if activation == "tanh":
        return {"relu instead of tanh": lambda x: np.maximum(x, 0)}
    if activation == "relu":
        return {"tanh instead of relu": np.tanh}
    return {}


def _leaky_relu(x: Array, slope: float) -> Array:
    return np.where(x >= 0, x, slope * x)


def _gelu_by_tanh(x: Array) -> Array:
    inner = np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)
    return np.asarray(0.5 * x * (1 + np.tanh(inner)), x.dtype)


def _resets(snapshot: Snapshot) -> Iterator[Candidate]:
    cell, weights = snapshot.cell, snapshot.weights
    if not isinstance(cell, GruCell) or not isinstance(weights, GruWeights):
        return
    after = cell._resets_after(weights)
    place = "before" if after else "after"
    does = f"applies the reset gate {place} the recurrent product"
    yield _cell(snapshot, "reset_after", does, reset_after=not after)
    if cell.recurrent_activation in _SIGMOIDS:  # 1 - s(a) = s(-a)
        sign = np.array([[-1.0], [1.0], [1.0]])
        arrays = {
            field.name: sign * array
            for field in fields(weights)
            if (array := getattr(weights, field.name)) is not None
        }
        does = "lets the update gate take the new state, where ours keeps the old"
        yield change_weights(snapshot, "update_gate", does, **arrays)


def _states(snapshot: Snapshot) -> Iterator[Candidate]:
    state = snapshot.initial_state
    if state is None:
        return
    yield change(snapshot, "initial_state", "begins with zeros", initial_state=None)
    if len(state) == 2 and state[0].shape == state[1].shape:
        does = "reads the states in the other order, c before h"
        yield change(snapshot, "initial_state", does, initial_state=state[::-1])


def _variants(snapshot: Snapshot) -> Iterator[Candidate]:
    cell, weights = snapshot.cell, snapshot.weights
    if not isinstance(cell, LstmCell) or not isinstance(weights, LstmWeights):
        return
    if cell.cell_clip is not None:
        yield _cell(snapshot, "clip", "does not clip the cell state", cell_clip=None)
    if cell.proj_clip is not None:
        yield _cell(snapshot, "clip", "does not clip the projection", proj_clip=None)
    if weights.peepholes is None:
        return
    yield change_weights(snapshot, "peephole", "has no peepholes", peepholes=None)
    for order in permutations(range(len(weights.peephole_gates))):
        if order != tuple(range(len(order))):
            letters = " ".join(weights.peephole_gates[order.index(k)] for k in range(len(order)))
            does = f"keeps the peepholes as {letters}"
            yield change_weights(
                snapshot, "peephole", does, peepholes=weights.peepholes[list(order)]
            )


def _directions(snapshot: Snapshot) -> Iterator[Candidate]:
    does = "reads in the other direction"
    yield change(snapshot, "direction", does, reverse=not snapshot.reverse)
    turned = snapshot.output[:, ::-1]
    yield change(snapshot, "direction", "leaves its output reversed", output=turned)
    both = {"output": turned, "reverse": not snapshot.reverse}
    yield change(snapshot, "direction", f"{does}, and leaves its output reversed", **both)
    if snapshot.mask is not None:
        own_end = _rows_reversed(snapshot)
        yield change(snapshot, "direction", "begins each row at its own end", **own_end)


def _rows_reversed(snapshot: Snapshot) -> dict[str, Any]:
    """Each row turned within its own length, as TF1, ONNX and torch do."""
    assert snapshot.mask is not None
    lengths = snapshot.mask.sum(axis=1)[:, None]
    steps = np.arange(snapshot.timesteps)
    index = np.where(steps < lengths, lengths - 1 - steps, steps)[:, :, None]
    return {
        "x": np.take_along_axis(snapshot.x, index, axis=1),
        "output": np.take_along_axis(snapshot.output, index, axis=1),
        "reverse": False,
    }
