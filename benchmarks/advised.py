"""A training as an alert advises it: the words of the advice are applied, and nothing else.

Where the advice names two ways ("this, or that"), the first is taken. "A lower learning rate" is a
tenth of it, and no more than the default of the optimizer.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import keras
import numpy as np
from tasks import Task
from trainings import Training

_EditLayer = Callable[[keras.layers.Layer], object]
_EditOptimizer = Callable[[keras.optimizers.Optimizer], object]


def advised(training: Training, advice: str) -> Training:
    """The training with the change that the advice names first.

    Raises:
        ValueError: the advice has words that no change belongs to.
    """
    first = chosen(advice)
    changes = [
        (change, found) for words, change in CHANGES.items() if (found := re.search(words, first))
    ]
    if not changes:
        raise ValueError(f"Nothing is known to do for {first!r}.")
    changed = replace(training, illness=None, change=first)
    for change, found in changes:
        changed = change(changed, found)
    return changed


def chosen(advice: str) -> str:
    """The first way of an advice that names several."""
    return re.split(r"[,;] or ", advice)[0]


def _optimizer(edit: _EditOptimizer) -> Callable[[Training, re.Match[str]], Training]:
    def change(training: Training, _: re.Match[str]) -> Training:
        def make() -> keras.optimizers.Optimizer:
            optimizer = training.optimizer()
            edit(optimizer)
            return optimizer

        return replace(training, optimizer=make)

    return change


def _cells(edit: _EditLayer) -> Callable[[Training, re.Match[str]], Training]:
    def change(training: Training, _: re.Match[str]) -> Training:
        return _with_cells(training, edit)

    return change


def _with_cells(training: Training, edit: _EditLayer) -> Training:
    def make() -> list[keras.layers.Layer]:
        layers = training.layers()
        for layer in layers:
            edit(layer.cell)
        return layers

    return replace(training, layers=make)


def _lower_rate(optimizer: keras.optimizers.Optimizer) -> None:
    usual = float(type(optimizer)().learning_rate)
    optimizer.learning_rate = min(usual, float(optimizer.learning_rate) / 10)


def _rate_times_lower(training: Training, found: re.Match[str]) -> Training:
    times = float(found["times"])

    def edit(optimizer: keras.optimizers.Optimizer) -> None:
        optimizer.learning_rate = float(optimizer.learning_rate) / times

    return _optimizer(edit)(training, found)


def _rate_above_zero(optimizer: keras.optimizers.Optimizer) -> None:
    if float(optimizer.learning_rate) == 0:
        optimizer.learning_rate = float(type(optimizer)().learning_rate)


def _clip(optimizer: keras.optimizers.Optimizer) -> None:
    optimizer.clipnorm = 1.0


def _default_weights(cell: keras.layers.Layer) -> None:
    cell.kernel_initializer = keras.initializers.GlorotUniform()
    cell.recurrent_initializer = keras.initializers.Orthogonal()


def _orthogonal(cell: keras.layers.Layer) -> None:
    cell.recurrent_initializer = keras.initializers.Orthogonal()


def _identity(cell: keras.layers.Layer) -> None:
    cell.activation = keras.activations.relu
    cell.recurrent_initializer = keras.initializers.Identity()


def _tanh(cell: keras.layers.Layer) -> None:
    cell.activation = keras.activations.tanh


def _unit_variance(training: Training, _: re.Match[str]) -> Training:
    def make() -> Task:
        task = training.task()
        trained = task.x[: task.half]
        return replace(task, x=(task.x - trained.mean()) / trained.std())

    return replace(training, task=make)


def _chrono(training: Training, found: re.Match[str]) -> Training:
    """Biases of a gate that spread over the logarithms, beside those that there are."""
    gate, longest, negated = found["gate"], int(found["longest"]), found["negated"]

    def edit(cell: keras.layers.Layer) -> None:
        biases = np.log(np.linspace(2, longest, cell.units)).astype(np.float32)
        before = cell.bias_initializer
        cell.bias_initializer = lambda shape, dtype=None: _with_biases(
            np.array(before(shape, dtype), np.float32), gate, biases, negated
        )
        cell.unit_forget_bias = False

    return _with_cells(training, edit)


def _with_biases(bias: np.ndarray, gate: str, biases: np.ndarray, negated: str | None) -> object:
    units = len(biases)
    if gate == "f":
        bias[units : 2 * units] = biases
        if negated:
            bias[:units] = -biases
    else:  # the update gate of a GRU has two biases, which are added
        bias[0, :units], bias[1, :units] = biases, 0
    return keras.ops.convert_to_tensor(bias)


def _trainable(training: Training, _: re.Match[str]) -> Training:
    return replace(training, prepared=lambda model: None)


#: What the words of an advice change.
CHANGES: dict[str, Callable[[Training, re.Match[str]], Training]] = {
    r"a lower learning rate": _optimizer(_lower_rate),
    r"a learning rate (?P<times>\d+) times lower": _rate_times_lower,
    r"smaller initial weights": _cells(_default_weights),
    r"inputs of unit variance|smaller inputs": _unit_variance,
    r"biases of gate (?P<gate>\w) from log\(2\) to log\((?P<longest>\d+)\), unit by unit"
    r"(?P<negated>, and their negatives for gate i)?": _chrono,
    r"clipnorm=1\.0": _optimizer(_clip),
    r"(an orthogonal|a smaller) recurrent kernel": _cells(_orthogonal),
    r"relu with an identity as recurrent kernel": _cells(_identity),
    r"tanh instead of relu": _cells(_tanh),
    r"trainable=True": _trainable,
    r"a learning rate above 0": _optimizer(_rate_above_zero),
}
