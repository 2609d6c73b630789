"""Loss and metrics of the training, from the framework's hands into the log."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tf_keras
from keras_models import trainable
from samples import training_data

from lstm_probe.callbacks import ProbeCallback
from lstm_probe.callbacks.recording.training_logs import TrainingLogs
from lstm_probe.logs.stored.course import answers_at
from lstm_probe.logs.stored.reader import RunReader


class Batches(keras.callbacks.Callback):
    """What Keras hands over, batch by batch."""

    def __init__(self) -> None:
        super().__init__()
        self.losses: list[float] = []

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.losses.append(float(logs["loss"]))


def test_the_mean_since_the_last_capture_is_that_of_its_batches(rng: np.random.Generator) -> None:
    logs, losses = TrainingLogs(), rng.random(20)
    found = []
    for epoch in range(2):
        for batch in range(10):
            mean = losses[10 * epoch : 10 * epoch + batch + 1].mean()
            logs.running({"loss": mean}, batch + 1)
            if batch % 4 == 3:
                found.append(logs.take().mean_loss)
    # Batches 8 and 9 of an epoch are not in the next one's mean.
    expected = [losses[0:4], losses[4:8], losses[10:14], losses[14:18]]
    assert found == pytest.approx([each.mean() for each in expected])


def test_what_is_no_number_is_left_out() -> None:
    logs = TrainingLogs()
    given = {"loss": np.ones(3), "accuracy": 0.5, "words": "many", "nothing": None, "\ud800": 1.0}
    logs.given(given)
    assert logs.take().latest == {"accuracy": 0.5}
    assert logs.take().mean_loss is None
    logs.running(None, 1)
    assert logs.take().latest == {}


def test_loss_metrics_and_validation_stand_beside_the_gates(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    x, y = training_data(rng)
    model = trainable()
    model.compile("adam", "mse", metrics=["mae"])
    probe, batches = ProbeCallback(x[:1], tmp_path, every=1), Batches()
    history = model.fit(
        x, y, batch_size=8, epochs=2, verbose=0, validation_data=(x, y), callbacks=[batches, probe]
    ).history
    points = RunReader(tmp_path / "lstm_probe").course
    assert points[0].training == {}
    assert [each.training["loss"] for each in points[1:]] == pytest.approx(batches.losses)
    assert {"mae", "loss"} == points[1].training.keys()  # nothing has been validated yet
    after = next(each for each in points if "val_loss" in each.training)
    assert after.training["val_loss"] == pytest.approx(history["val_loss"][0])
    (layer,) = points[-1].layers
    assert any("the loss" in each.text for each in answers_at(points, layer, points[-1].step))


def test_a_loop_gives_its_own_logs(tmp_path: Path, rng: np.random.Generator) -> None:
    x, y = training_data(rng)
    model, probe = trainable(), ProbeCallback(x[:1], tmp_path, every=1)
    probe.step(model)
    for step in range(3):
        model.train_on_batch(x[:8], y[:8])
        probe.step(model, logs={"loss": 1.0 / (step + 1), "temperature": 37.0})
    probe.close()
    points = RunReader(tmp_path / "lstm_probe").course
    assert [each.training.get("loss") for each in points] == [None, 1.0, 0.5, pytest.approx(1 / 3)]
    assert points[-1].training["temperature"] == 37.0


def test_keras_2_hands_over_tensors(tmp_path: Path, rng: np.random.Generator) -> None:
    x, y = training_data(rng)
    layers = [tf_keras.layers.LSTM(4), tf_keras.layers.Dense(y.shape[-1])]
    model = tf_keras.Sequential([tf_keras.Input(x.shape[1:]), *layers])
    model.compile("adam", "mse")
    probe = ProbeCallback(x[:1], tmp_path, every=1)
    history = model.fit(x, y, batch_size=8, epochs=1, verbose=0, callbacks=[probe]).history
    points = RunReader(tmp_path / "lstm_probe").course
    assert points[-1].training["loss"] == pytest.approx(history["loss"][-1])
