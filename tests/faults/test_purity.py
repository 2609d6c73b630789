"""Faults 42 to 45 and 52: what a model's own call does, beside the variables of Keras, is undone.

A sample of the grid in tests/long/test_purity_grid.py, and what is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import purity_sessions
import pytest
import tensorflow as tf
import tf_keras
from purity_trainings import differences
from session_graphs import tf1

from lstm_probe import LstmProbeError, capture
from lstm_probe.callbacks import ProbeCallback, ProbeHook
from lstm_probe.models.keras.reader import KerasReader

SAMPLE = [
    (keras, "tf.Variable now and then"),
    (keras, "tf.random.Generator, background"),
    (keras, "hash table"),
    (keras, "numpy_function"),
    (keras, "both randoms, eager"),
    (keras, "several, eager"),
    (tf_keras, "tf.Variable in a loop"),
    (tf_keras, "py_function"),
    (tf_keras, "subclassed"),
]


@pytest.mark.parametrize(("package", "name"), SAMPLE, ids=lambda v: getattr(v, "__name__", v))
@pytest.mark.daily(1)
def test_nothing_is_left_of_a_capture(package: Any, name: str, tmp_path: Path) -> None:
    control, probed = differences(package, "tensorflow", name, tmp_path)
    assert control == []
    assert probed == []


@pytest.mark.filterwarnings("ignore:.tf.nn.rnn_cell:UserWarning")
@pytest.mark.parametrize("name", ["variational of inputs", "dropout in layers"])
def test_nothing_is_left_of_a_capture_in_a_session(name: str, tmp_path: Path) -> None:
    control, probed = purity_sessions.differences(name, tmp_path)
    assert control == []
    assert probed == []


@pytest.mark.parametrize("size", [0.5, 0.0])
def test_a_probe_that_is_not_the_same_each_time_is_told(
    size: float, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with tf.Graph().as_default():
        fed = tf1.placeholder("float32", [None, 6, 3])
        dropped = fed + tf.random.uniform([6, 3], maxval=tf.constant(size))
        cell = keras.layers.LSTM(4, return_sequences=True, name="memory")
        outputs, probe = cell(dropped), {fed: np.ones((1, 6, 3))}
        hook = ProbeHook(cell, inputs=dropped, outputs=outputs, feed_dict=probe, log_dir=tmp_path)
        with tf1.Session() as session:
            session.run(tf1.global_variables_initializer())
            hook.after_step(session, 0)
            hook.end(session)
    assert ("not the same sequence" in caplog.text) == (size > 0)
    assert ("the probe is random" in str(hook.report)) == (size > 0)


class Takes(keras.layers.Layer):
    """Takes the next element of something in each call."""

    def __init__(self, take: Callable[[], Any]) -> None:
        super().__init__()
        self.take = take

    def call(self, x: Any) -> Any:
        return x * (1 + 0 * tf.cast(self.take(), "float32"))


def from_a_dataset() -> Callable[[], Any]:
    elements = iter(tf.data.Dataset.range(100))
    return lambda: next(elements)


def from_a_queue() -> Callable[[], Any]:
    queue = tf.queue.FIFOQueue(100, [tf.float32], [()])
    queue.enqueue_many([np.arange(100, dtype="float32")])
    return queue.dequeue


def from_a_generator() -> Callable[[], Any]:
    numbers = (number for number in range(100))
    return lambda: next(numbers)


@pytest.mark.parametrize(
    ("source", "op"),
    [
        (from_a_dataset, "IteratorGetNext"),
        (from_a_queue, "QueueDequeueV2"),
        (from_a_generator, "'numbers'"),
    ],
)
def test_what_cannot_be_put_back_is_refused_before_the_first_step(
    source: Callable[[], Callable[[], Any]], op: str, tmp_path: Path
) -> None:
    inputs = keras.Input((6, 3))
    hidden = keras.layers.SimpleRNN(4)(Takes(source())(inputs))
    model = keras.Model(inputs, hidden)
    model.compile("adam", "mse")
    before = [value.copy() for value in model.get_weights()]
    x = np.ones((8, 6, 3), "float32")
    with pytest.raises(LstmProbeError, match=op) as refused:
        model.fit(x, x[:, 0, :1], verbose=0, callbacks=[ProbeCallback(x[:1], tmp_path)])
    assert "if training:" in str(refused.value)
    for value, after in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(value, after)


def test_an_op_that_could_take_but_does_not_is_not_refused() -> None:
    elements = iter(tf.data.Dataset.range(100))
    flag = tf.Variable(False)
    take = lambda: tf.cond(flag, lambda: next(elements), lambda: tf.constant(0, tf.int64))  # noqa: E731
    inputs = keras.Input((6, 3))
    model = keras.Model(inputs, keras.layers.SimpleRNN(4)(Takes(take)(inputs)))
    assert capture(model, np.ones((1, 6, 3), "float32"))
    assert int(next(elements)) == 0


def test_a_layer_does_not_write_to_the_log_of_the_training(tmp_path: Path) -> None:
    class Logs(keras.layers.Layer):
        def call(self, x: Any) -> Any:
            tf.summary.scalar("mean", tf.reduce_mean(x), step=0)
            return x

    inputs = keras.Input((6, 3))
    model = keras.Model(inputs, keras.layers.SimpleRNN(4)(Logs()(inputs)))
    writer = tf.summary.create_file_writer(str(tmp_path))
    with writer.as_default():
        capture(model, np.ones((1, 6, 3), "float32"))
    writer.close()
    (events,) = tmp_path.glob("*tfevents*")
    assert b"mean" not in events.read_bytes()


def test_values_of_a_capture_are_those_of_its_step_on_another_thread(tmp_path: Path) -> None:
    """What a layer holds in a variable of its own is read when the weights are, not later."""

    class Scaled(keras.layers.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.scale = tf.Variable(1.0, trainable=False)

        def call(self, x: Any) -> Any:
            return x * self.scale

    scaled, inputs = Scaled(), keras.Input((6, 3))
    model = keras.Model(inputs, keras.layers.SimpleRNN(4)(scaled(inputs)))
    x = np.ones((1, 6, 3), "float32")
    taken = KerasReader(model, x, None).take(model, step=0)
    scaled.scale.assign(5.0)
    (snapshot,) = taken.snapshots()
    np.testing.assert_array_equal(snapshot.x, x)
