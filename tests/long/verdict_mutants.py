"""One thing broken in a description, beyond `mutants.py`: variants, states, pairs, and mere noise.

Each mutant has the names of the conventions that explain it; none for one that has no cause.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from mutants import MUTANTS

from lstm_probe import LstmCell, Snapshot
from lstm_probe.weights import CoupledLstmWeights, GateWeights, GruWeights, LstmWeights

__all__ = ["MORE"]

Mutant = Callable[[Snapshot], Snapshot | None]
MORE: dict[str, tuple[Mutant, set[str]]] = {}


def mutant(name: str, *causes: str) -> Callable[[Mutant], Mutant]:
    def add(function: Mutant) -> Mutant:
        MORE[name] = function, set(causes)
        return function

    return add


def _lstm(s: Snapshot) -> Any:
    return s.cell if isinstance(s.cell, LstmCell) else None


@mutant("the cell clip is missing", "clip")
def _no_cell_clip(s: Snapshot) -> Snapshot | None:
    cell = _lstm(s)
    return None if cell is None or cell.cell_clip is None else _with(s, cell_clip=None)


@mutant("the projection clip is missing", "clip")
def _no_proj_clip(s: Snapshot) -> Snapshot | None:
    cell = _lstm(s)
    return None if cell is None or cell.proj_clip is None else _with(s, proj_clip=None)


@mutant("a cell clip that the framework does not have", "clip")
def _cell_clip(s: Snapshot) -> Snapshot | None:
    cell = _lstm(s)
    return None if cell is None or cell.cell_clip is not None else _with(s, cell_clip=0.2)


@mutant("peepholes that the description lacks", "peephole")
def _no_peepholes(s: Snapshot) -> Snapshot | None:
    weights: Any = s.weights
    if getattr(weights, "peepholes", None) is None:
        return None
    return replace(s, weights=replace(weights, peepholes=None))


@mutant("peepholes that the framework ignores", "peephole")
def _peepholes(s: Snapshot) -> Snapshot | None:
    weights: Any = s.weights
    if type(weights) is not LstmWeights or weights.extras:
        return None
    peepholes = np.random.default_rng(1).normal(0, 0.6, (3, weights.units))
    return replace(s, weights=replace(weights, peepholes=peepholes))


@mutant("coupled gates that the description lacks", "coupled")
def _uncoupled(s: Snapshot) -> Snapshot | None:
    weights = s.weights
    if not isinstance(weights, CoupledLstmWeights):
        return None
    rng = np.random.default_rng(2)
    arrays = {}
    for name in ("kernel", "recurrent_kernel", "bias"):
        array = getattr(weights, name)
        unused = rng.normal(0, 0.6, (*array.shape[:-2], 1, weights.units))
        arrays[name] = np.concatenate([unused, array], axis=-2)
    return replace(s, weights=LstmWeights(**arrays))


@mutant("a forget bias that is missing", "forget_bias")
def _no_forget_bias(s: Snapshot) -> Snapshot | None:
    cell = _lstm(s)
    return None if cell is None or not cell.forget_bias else _with(s, forget_bias=0.0)


@mutant("the activation is hard_sigmoid of Keras 2", "activation")
def _hard_activation(s: Snapshot) -> Snapshot | None:
    if getattr(s.cell, "activation", None) != "hard_sigmoid":
        return None
    return _with(s, activation="hard_sigmoid_keras2")


@mutant("both activations are others", "activation", "sigmoid")
def _both_activations(s: Snapshot) -> Snapshot | None:
    cell: Any = s.cell
    if getattr(cell, "recurrent_activation", None) != "sigmoid" or cell.activation != "tanh":
        return None
    return _with(s, activation="softsign", recurrent_activation="hard_sigmoid")


@mutant("the initial h is zero", "initial_state")
def _zero_h(s: Snapshot) -> Snapshot | None:
    if s.initial_state is None:
        return None
    first, *others = s.initial_state
    return replace(s, initial_state=(np.zeros_like(first), *others))


@mutant("a given state instead of zeros", "initial_state")
def _given_state(s: Snapshot) -> Snapshot | None:
    cell: Any = s.cell
    if s.initial_state is not None:
        return None
    rng = np.random.default_rng(3)
    sizes = [cell.state_size(letter, s.weights) for letter in cell.states]
    return replace(s, initial_state=tuple(rng.normal(0, 0.5, (len(s.x), n)) for n in sizes))


@mutant("the states of the batch before", "initial_state")
def _batch_before(s: Snapshot) -> Snapshot | None:
    """The framework shows the second of two runs over the same input, described as the first."""
    cell: Any = s.cell
    first = cell.run(
        s.x, s.weights, initial_state=s.initial_state, mask=s.mask, reverse=s.reverse,
        dtype=np.float64,
    )  # fmt: skip
    if s.dtype not in ("float32", "float64"):
        return None
    second = cell.run(
        s.x, s.weights, initial_state=tuple(first.final.values()), mask=s.mask,
        reverse=s.reverse, dtype=s.dtype,
    )  # fmt: skip
    shown = second.shown(
        zero_output_for_mask=s.zero_output_for_mask,
        initial_output_for_mask=s.initial_output_for_mask,
    )
    return replace(s, output=shown.astype(np.float64), final_output=None)


@mutant("before the first valid step, zeros for the initial state", "mask")
def _initial_output(s: Snapshot) -> Snapshot | None:
    if s.mask is None or s.initial_state is None or s.zero_output_for_mask:
        return None
    return replace(s, initial_output_for_mask=not s.initial_output_for_mask)


@mutant("a second bias is lost", "bias")
def _second_bias(s: Snapshot) -> Snapshot | None:
    weights: Any = s.weights
    if not isinstance(weights, GruWeights) or weights.recurrent_bias is None:
        return None
    return replace(s, weights=replace(weights, recurrent_bias=np.zeros_like(weights.bias)))


def _with(s: Snapshot, **options: Any) -> Snapshot:
    cell: Any = s.cell
    return replace(s, cell=replace(cell, **options))


def _two(first: str, second: str, *causes: str) -> None:
    """Two of the mutants above, or of `mutants.py`, at once."""
    every = {**MUTANTS, **{name: each for name, (each, _) in MORE.items()}}

    def both(s: Snapshot) -> Snapshot | None:
        changed = every[first](s)
        return None if changed is None else every[second](changed)

    MORE[f"{first}; {second}"] = both, set(causes)


_ORDER, _TURNED = "LSTM gates in the order TF1 i j f o", "read in the other direction"
_two(_ORDER, "forget bias added at run time", "gate_order", "forget_bias")
_two(_ORDER, "hard_sigmoid for sigmoid", "gate_order", "sigmoid")
_two(_ORDER, "initial state dropped", "gate_order", "initial_state")
_two(_ORDER, _TURNED, "gate_order", "direction")
_two("forget bias added at run time", "mask ignored", "forget_bias", "mask")
_two("hard_sigmoid for sigmoid", _TURNED, "sigmoid", "direction")
_two("mask ignored", _TURNED, "mask", "direction")
_two("initial state dropped", _TURNED, "initial_state", "direction")


@mutant("kernels with noise")
def _noisy_kernel(s: Snapshot) -> Snapshot | None:
    weights = s.weights
    if not isinstance(weights, GateWeights):
        return None
    noise = np.random.default_rng(4).normal(0, 0.1, weights.kernel.shape)
    return replace(s, weights=replace(weights, kernel=weights.kernel + noise))


@mutant("an output of noise")
def _noise(s: Snapshot) -> Snapshot | None:
    noise = np.random.default_rng(5).uniform(-0.9, 0.9, s.output.shape)
    return replace(s, output=noise, final_output=None)


@mutant("an output with one wrong value")
def _one_value(s: Snapshot) -> Snapshot | None:
    output = s.output.copy()
    valid = np.argwhere(np.ones(output.shape[:2], bool) if s.mask is None else s.mask)
    if not len(valid):
        return None
    batch, time = valid[len(valid) // 2]
    output[batch, time, 0] += 0.3
    return replace(s, output=output)
