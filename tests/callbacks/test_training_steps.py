"""The step of a training that the model's own optimizer does not count, or not always."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import event_reading
import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from keras_models import trainable
from samples import training_data

from lstm_probe import weights
from lstm_probe.callbacks import ProbeCallback
from lstm_probe.callbacks.recording.steps import TrainingSteps


class OwnOptimizer(keras.Model):
    """Trained as the networks of Keras's example of a GAN are."""

    def __init__(self) -> None:
        super().__init__()
        self.memory = layers.LSTM(5, name="memory")
        self.own = keras.optimizers.SGD(0.1)

    def call(self, x: Any) -> Any:
        return self.memory(x)

    def train_step(self, data: Any) -> dict[str, Any]:
        x, y = data
        variables = self.memory.trainable_variables
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((self.memory(x) - y[:, :5]) ** 2)
        self.own.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return {"loss": loss}


def wide(rng: np.random.Generator) -> tuple[Any, Any]:
    x, _ = training_data(rng)
    return x, rng.normal(size=(len(x), 5)).astype("float32")


@pytest.mark.parametrize("at_once", [1, 4])
def test_batches_are_counted_when_another_optimizer_trains(
    at_once: int, tmp_path: Path, rng: np.random.Generator, caplog: pytest.LogCaptureFixture
) -> None:
    x, y = wide(rng)
    model = OwnOptimizer()
    model.compile(steps_per_execution=at_once)
    probe = ProbeCallback(x[:1], tmp_path, every=4, max_overhead=None)
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            model.fit(x, y, batch_size=8, epochs=2, verbose=0, callbacks=[probe])
    steps = 4 * -(-len(x) // 8)
    assert event_reading.captured_steps(tmp_path) == [*range(0, steps + 1, 4)]
    assert int(model.optimizer.iterations) == 0
    assert caplog.text.count("another optimizer trains it") == 1
    np.testing.assert_array_equal(
        probe.analyses["memory"].snapshot.output[0, -1], np.asarray(model(x[:1]))[0]
    )


def test_calls_are_counted_when_a_loop_trains_by_its_own_optimizer(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    x, y = wide(rng)
    model = keras.Sequential([keras.Input(x.shape[1:]), layers.LSTM(5, name="memory")])
    model.compile("adam", "mse")
    optimizer = keras.optimizers.SGD(0.1)
    probe = ProbeCallback(x[:1], tmp_path, every=2, max_overhead=None)
    probe.step(model)
    for _ in range(7):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((model(x) - y) ** 2)
        variables = model.trainable_variables
        optimizer.apply(tape.gradient(loss, variables), variables)
        probe.step(model)
    probe.close()
    assert event_reading.captured_steps(tmp_path) == [0, 2, 4, 6, 7]


def test_a_count_that_stands_still_is_believed_while_gradients_are_accumulated(
    tmp_path: Path, rng: np.random.Generator, caplog: pytest.LogCaptureFixture
) -> None:
    x, y = training_data(rng)
    model = trainable()
    model.compile(keras.optimizers.SGD(0.1, gradient_accumulation_steps=3), "mse")
    probe = ProbeCallback(x[:1], tmp_path, every=1, max_overhead=None)
    with caplog.at_level(logging.WARNING):
        model.fit(x, y, batch_size=8, epochs=3, verbose=0, callbacks=[probe])
    done = int(model.optimizer.iterations)
    assert done < 3 * -(-len(x) // 8)
    assert event_reading.captured_steps(tmp_path) == [*range(done + 1)]
    assert "another optimizer" not in caplog.text


def test_batches_are_counted_from_where_the_count_has_stopped() -> None:
    steps = TrainingSteps()
    assert steps.begin(10, lambda: [np.zeros(2)]) == 10
    steps.train(4)
    assert steps.now(12, lambda: [np.ones(2)]) == 12
    steps.train(5)
    assert steps.now(12, lambda: [np.ones(2)]) == 12
    assert steps.now(12, lambda: [np.full(2, 2.0)]) == 17
    steps.train(1)
    assert steps.now(13, lambda: [np.full(2, 3.0)]) == 18  # what was once wrong is asked no more


def test_batches_alone_count_where_there_is_no_optimizer() -> None:
    steps = TrainingSteps()
    assert steps.begin(None, list) == 0
    steps.train(3)
    assert steps.now(None, list) == 3


class LateHead(keras.Model):
    """Calls a layer in training alone, which has no variables before the first step."""

    def __init__(self) -> None:
        super().__init__()
        self.memory = layers.LSTM(5, name="memory")
        self.late, self.out = layers.Dense(5), layers.Dense(5)

    def call(self, x: Any, training: bool = False) -> Any:
        h = self.memory(x)
        return self.out(h + self.late(h) if training else h)


# Keras itself says so of a model whose call in inference leaves a layer without variables.
@pytest.mark.filterwarnings("ignore:`build\\(\\)` was called on layer:UserWarning")
def test_captures_go_on_when_a_model_gets_more_variables(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    x, y = wide(rng)
    model = LateHead()
    optimizer = keras.optimizers.SGD(0.1)
    model.compile(optimizer, "mse")
    probe = ProbeCallback(x[:1], tmp_path, every=2, max_overhead=None)
    model.fit(x, y, batch_size=8, verbose=0, callbacks=[probe])
    steps = -(-len(x) // 8)
    assert event_reading.captured_steps(tmp_path) == [*range(0, steps + 1, 2)]
    assert probe.report.failed == 0
    analysis = probe.analyses["memory"]
    assert str(analysis.parity.verdict) == "match"
    _, recurrent, *_ = weights.to_keras(analysis.snapshot.weights)
    np.testing.assert_array_equal(recurrent, model.memory.cell.recurrent_kernel)
