"""Invariants 1 and 2: not a bit of a training changes, nor of any random state, with the probe."""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from samples import training_data

from lstm_probe.callbacks import ProbeCallback

LAYERS: dict[str, dict[str, Any]] = {
    "plain": {},
    "dropout": {"dropout": 0.2},
    "recurrent dropout": {"recurrent_dropout": 0.3},
    "stateful": {"stateful": True, "dropout": 0.1},
}
CELLS = {"LSTM": keras.layers.LSTM, "GRU": keras.layers.GRU, "SimpleRNN": keras.layers.SimpleRNN}


class OwnStep(keras.Model):
    """A training step of the user's own."""

    def train_step(self, data: Any) -> dict[str, Any]:
        x, y = data
        with tf.GradientTape() as tape:
            loss = self.compute_loss(y=y, y_pred=self(x, training=True))
        gradients = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply(gradients, self.trainable_variables)
        return {"loss": loss}


class Batches(keras.utils.PyDataset):
    """Batches that are made in Python."""

    def __init__(self, x: Any, y: Any) -> None:
        super().__init__()
        self.x, self.y = x, y

    def __len__(self) -> int:
        return len(self.x) // 8

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        at = slice(8 * index, 8 * index + 8)
        return self.x[at], self.y[at]


def fit(model: keras.Model, x: Any, y: Any, probe: ProbeCallback | None) -> list[float]:
    callbacks = [] if probe is None else [probe]
    return model.fit(
        x, y, batch_size=8, epochs=2, shuffle=True, verbose=0, callbacks=callbacks
    ).history["loss"]


def fit_dataset(model: keras.Model, x: Any, y: Any, probe: ProbeCallback | None) -> list[float]:
    data = tf.data.Dataset.from_tensor_slices((x, y)).shuffle(64, seed=1).batch(8)
    callbacks = [] if probe is None else [probe]
    return model.fit(data, epochs=2, shuffle=False, verbose=0, callbacks=callbacks).history["loss"]


def fit_python(model: keras.Model, x: Any, y: Any, probe: ProbeCallback | None) -> list[float]:
    callbacks = [] if probe is None else [probe]
    return model.fit(
        Batches(x, y), epochs=2, shuffle=False, verbose=0, callbacks=callbacks
    ).history["loss"]


def loop(model: keras.Model, x: Any, y: Any, probe: ProbeCallback | None) -> list[float]:
    losses = []
    if probe is not None:
        probe.step(model)
    for start in [*range(0, len(x), 8)] * 2:
        losses.append(model.train_on_batch(x[start : start + 8], y[start : start + 8]))
        if probe is not None:
            probe.step(model)
    if probe is not None:
        probe.close()
    return [float(np.sum(loss)) for loss in losses]


WAYS: dict[str, tuple[dict[str, Any], Callable[..., list[float]], type[keras.Model]]] = {
    "fit": ({}, fit, keras.Model),
    "tf.data": ({}, fit_dataset, keras.Model),
    "PyDataset": ({}, fit_python, keras.Model),
    "train_on_batch": ({}, loop, keras.Model),
    "jit_compile": ({"jit_compile": True}, fit, keras.Model),
    "no compilation": ({"run_eagerly": True}, fit, keras.Model),
    "steps_per_execution": ({"steps_per_execution": 4}, fit, keras.Model),
    "own train_step": ({}, fit, OwnStep),
    "gradient accumulation": (
        {"optimizer": lambda: keras.optimizers.Adam(gradient_accumulation_steps=2)},
        fit,
        keras.Model,
    ),
}


def trained(cell: str, layer: str, way: str, probe: ProbeCallback | None) -> dict[str, Any]:
    """Train a fresh model from fixed seeds; everything that a probe might have disturbed."""
    keras.utils.set_random_seed(7)
    x, y = training_data(np.random.default_rng(7))
    options, train, kind = WAYS[way]
    options = dict(options)
    inputs = keras.Input(batch_shape=(8, 6, 3))
    hidden = CELLS[cell](5, name="memory", **LAYERS[layer])(inputs)
    hidden = keras.layers.Dropout(0.1)(keras.layers.BatchNormalization()(hidden))
    model = kind(inputs, keras.layers.Dense(2)(hidden))
    optimizer = options.pop("optimizer", lambda: "adam")()
    model.compile(optimizer, "mse", **options)
    losses = train(model, x, y, probe)
    return {
        "weights and seeds": [v.numpy() for v in model.variables],
        "optimizer": [v.numpy() for v in model.optimizer.variables],
        "losses": [np.array(losses)],
        "python": [np.array(random.getstate()[1])],
        "numpy": [np.random.get_state()[1]],  # noqa: NPY002 - the global state is what is tested
        "tensorflow": [tf.random.uniform((3,)).numpy()],
        "keras": [keras.ops.convert_to_numpy(keras.random.uniform((3,)))],
    }


GRID = list(product(CELLS, LAYERS, WAYS))
EVERY_DAY = [
    ("LSTM", "recurrent dropout", "train_on_batch"),
    ("GRU", "stateful", "tf.data"),
    ("SimpleRNN", "dropout", "gradient accumulation"),
]


def check(cell: str, layer: str, way: str, log_dir: Path) -> None:
    x = np.random.default_rng(8).normal(size=(8, 6, 3)).astype("float32")
    probe = ProbeCallback(x, log_dir, every=3, max_overhead=None)
    without, probed = (trained(cell, layer, way, each) for each in (None, probe))
    assert probe.report.captured >= 4
    assert probe.report.failed == 0
    for name, expected in without.items():
        assert all(np.array_equal(a, b) for a, b in zip(expected, probed[name], strict=True)), name


@pytest.mark.parametrize(("cell", "layer", "way"), EVERY_DAY)
@pytest.mark.daily(1)
def test_not_a_bit_changes(cell: str, layer: str, way: str, tmp_path: Path) -> None:
    check(cell, layer, way, tmp_path)


@pytest.mark.long
@pytest.mark.parametrize(
    ("cell", "layer", "way"), [point for point in GRID if point not in EVERY_DAY]
)
def test_not_a_bit_changes_anywhere_in_the_grid(
    cell: str, layer: str, way: str, tmp_path: Path
) -> None:
    check(cell, layer, way, tmp_path)
