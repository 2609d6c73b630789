"""One training of the bench: what is trained, on what, and what a probe said of it."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from zlib import crc32

import keras
import numpy as np
from tasks import Task

from lstm_probe import Alert
from lstm_probe.callbacks import ProbeCallback

#: So many captures are spread over a training.
CAPTURES = 60


@dataclass(frozen=True)
class Training:
    """A network, its task, and how it is trained.

    Attributes:
        name: what it is, in words; no two have the same.
        task: makes the data.
        layers: makes all layers but the head.
        optimizer: makes the optimizer.
        steps: how many training steps there are.
        batch: the number of sequences in a batch.
        illness: the rule whose alert is right; None for a healthy training.
        good: the accuracy on held-out data that a healthy training reaches; for values, the largest
            mean squared error; None for an ill one.
        seeds: it is trained with at most so many seeds: with fewer where it is slow.
        change: what was changed in it, in the words of an advice; empty for nothing.
        prepared: changes the compiled model before it is trained.
    """

    name: str
    task: Callable[[], Task]
    layers: Callable[[], list[keras.layers.Layer]]
    optimizer: Callable[[], keras.optimizers.Optimizer] = lambda: keras.optimizers.Adam(0.005)
    steps: int = 300
    batch: int = 32
    illness: str | None = None
    good: float | None = None
    seeds: int = 5
    change: str = ""
    prepared: Callable[[keras.Model], object] = lambda model: None

    @property
    def is_sealed(self) -> bool:
        """Whether it belongs to the half that no threshold was chosen on: its name decides."""
        return crc32(self.name.encode()) % 2 == 1


@dataclass(frozen=True)
class Outcome:
    """What came of a training.

    Attributes:
        alerts: those that were raised, in order.
        loss: on held-out data.
        accuracy: on held-out data; NaN where values are to be told.
        steps: how many training steps there were.
        seconds: how long it took.
    """

    alerts: list[Alert]
    loss: float
    accuracy: float
    steps: int
    seconds: float = 0.0

    def reaches(self, good: float) -> bool:
        """Whether the task was learned."""
        return self.loss <= good if np.isnan(self.accuracy) else self.accuracy >= good


def model_of(training: Training, task: Task) -> keras.Model:
    """The network with the head that its task needs, compiled."""
    shape = task.x.shape[1:]
    inputs = keras.Input(shape, dtype="int32" if task.x.dtype.kind == "i" else "float32")
    hidden = inputs
    for layer in training.layers():
        hidden = layer(hidden)
    loss, metrics = "mse", []
    if task.kind == "frames":
        outputs, loss = (
            keras.layers.Conv3D(1, 3, padding="same", activation="sigmoid")(hidden),
            "bce",
        )
    else:
        outputs = keras.layers.Dense(task.sizes)(hidden)
    if task.kind in ("class", "token"):
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        metrics = ["accuracy"]
    model = keras.Model(inputs, outputs)
    model.compile(training.optimizer(), loss, metrics=metrics)
    training.prepared(model)
    return model


def run(training: Training, seed: int = 0, **options: Any) -> Outcome:
    """Train, with a probe that looks on."""
    started = time.perf_counter()
    keras.backend.clear_session(free_memory=False)
    keras.utils.set_random_seed(seed)
    task = training.task()
    model = model_of(training, task)
    half = task.half
    x, y = task.x[:half], task.y[:half]
    epochs = max(1, round(training.steps * training.batch / half))
    every = max(1, training.steps // CAPTURES)
    alerts: list[Alert] = []
    with tempfile.TemporaryDirectory() as folder:
        options = {"every": every, "detail": "scalars", "max_overhead": None, **options}
        probe = ProbeCallback(task.x[half : half + 4], folder, on_alert=alerts.append, **options)
        model.fit(x, y, batch_size=training.batch, epochs=epochs, verbose=0, callbacks=[probe])
    found = model.evaluate(task.x[half:], task.y[half:], verbose=0, return_dict=True)
    return Outcome(
        alerts,
        found["loss"],
        found.get("accuracy", float("nan")),
        epochs * -(-half // training.batch),
        round(time.perf_counter() - started, 1),
    )
