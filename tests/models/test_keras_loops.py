"""Cells and layers that run inside loops, branches and functions of the framework."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import by_hand_reference
import keras
import numpy as np
import pytest
from keras import ops
from test_keras_by_hand import KERASES, both, randomised, verdicts, zeros

from lstm_probe import capture
from lstm_probe.callbacks import ProbeCallback

BACKEND = keras.backend.backend()
if BACKEND == "tensorflow":
    import tensorflow as tf

on_tensorflow = pytest.mark.skipif(BACKEND != "tensorflow", reason="loops of TensorFlow")
on_jax = pytest.mark.skipif(BACKEND != "jax", reason="loops of JAX")


def looping(kit: Any, loop: Any, units: int = 4) -> Any:
    """A model whose `call` is a loop over an LSTMCell."""

    class Looping(kit.Model):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.cell = kit.layers.LSTMCell(units, name="cell")

        def build(self, shape: Any) -> None:
            self.cell.build((None, shape[-1]))
            self.built = True

        def call(self, x: Any) -> Any:
            return loop(self.cell, x, zeros("LSTMCell", 2, units))

    return Looping()


def with_scan(cell: Any, x: Any, states: Any) -> Any:
    def step(states: Any, x_t: Any) -> Any:
        _, states = cell(x_t, states)
        return states, states

    return ops.scan(step, states, ops.transpose(x, (1, 0, 2)))[0][0]


def with_while(cell: Any, x: Any, states: Any) -> Any:
    def step(t: Any, h: Any, c: Any) -> Any:
        _, (h, c) = cell(ops.take(x, t, axis=1), [h, c])
        return t + 1, h, c

    return ops.while_loop(lambda t, *_: t < x.shape[1], step, (0, *states))[1]


def with_fori(cell: Any, x: Any, states: Any) -> Any:
    def step(t: Any, states: Any) -> Any:
        return tuple(cell(ops.take(x, t, axis=1), list(states))[1])

    return ops.fori_loop(0, x.shape[1], step, tuple(states))[0]


def with_autograph(cell: Any, x: Any, states: Any) -> Any:
    h, c = states
    for t in tf.range(tf.shape(x)[1]):
        _, (h, c) = cell(x[:, t], [h, c])
    return h


def with_branches(cell: Any, x: Any, states: Any) -> Any:
    for t in range(x.shape[1]):
        y, states = tf.cond(
            x[0, 0, 0] < 1e9,
            lambda t=t, states=states: cell(x[:, t], states),
            lambda states=states: (states[0], states),
        )
    return y


def with_first_step_outside(cell: Any, x: Any, states: Any) -> Any:
    _, states = cell(x[:, 0], states)
    return with_while(cell, x[:, 1:], states)


LOOPS = {"scan": with_scan, "while": with_while, "fori": with_fori}
if BACKEND == "tensorflow":
    LOOPS |= {"branches": with_branches, "first step outside": with_first_step_outside}


@both
@pytest.mark.parametrize("loop", LOOPS)
def test_steps_in_a_loop_are_one_trace(kit: Any, loop: str, rng: np.random.Generator) -> None:
    if BACKEND == "jax" and loop == "while":
        pytest.skip("named, not shown: see below")
    x = rng.normal(size=(2, 7, 3)).astype("float32")
    model = randomised(looping(kit, LOOPS[loop]), x, rng)
    snapshots = capture(model, x)
    assert verdicts(snapshots) == {"cell": "match"}
    expected = by_hand_reference.run("LSTMCell", x, np.zeros((2, 2, 4)), model.cell.get_weights())
    np.testing.assert_array_equal(snapshots["cell"].x, x)
    np.testing.assert_allclose(snapshots["cell"].output, expected, atol=1e-5)


@both
def test_a_cell_in_a_loop_is_read_with_the_weights_of_each_step(
    kit: Any, tmp_path: Path, rng: np.random.Generator
) -> None:
    x = rng.normal(size=(8, 7, 3)).astype("float32")
    model = randomised(looping(kit, with_scan), x[:2], rng)
    model.compile("sgd", "mse")
    probe = ProbeCallback(x[:2], tmp_path, every=1, detail="scalars")
    model.fit(x, np.ones((8, 4)), batch_size=2, verbose=0, shuffle=False, callbacks=[probe])
    assert probe.report.captured == 5
    assert probe.report.layers["cell"].verdict == "match"
    output = probe.analyses["cell"].snapshot.output
    np.testing.assert_allclose(output[:, -1], ops.convert_to_numpy(model(x[:2])), atol=1e-6)


@on_tensorflow
def test_a_loop_that_autograph_makes_is_one_trace(rng: np.random.Generator) -> None:
    x = rng.normal(size=(2, 7, 3)).astype("float32")
    for kit in KERASES[1:]:  # Keras 3 runs no AutoGraph on what is called outside of `fit`
        snapshots = capture(randomised(looping(kit, with_autograph), x, rng), x)
        assert verdicts(snapshots) == {"cell": "match"}
        np.testing.assert_array_equal(snapshots["cell"].x, x)


@both
def test_two_cells_in_one_loop_keep_their_order(kit: Any, rng: np.random.Generator) -> None:
    class Two(kit.Model):  # type: ignore[misc, name-defined]
        """One cell twice in each step, and another between."""

        def __init__(self) -> None:
            super().__init__()
            self.twice = kit.layers.GRUCell(3, name="twice")
            self.other = kit.layers.GRUCell(3, name="other")

        def build(self, shape: Any) -> None:
            self.twice.build((None, 3))
            self.other.build((None, 3))
            self.built = True

        def call(self, x: Any) -> Any:
            def step(states: Any, x_t: Any) -> Any:
                h, g = states
                _, (h,) = self.twice(x_t, [h])
                y, (g,) = self.other(h, [g])
                _, (h,) = self.twice(y, [h])
                return (h, g), (h, y)

            first = zeros("GRUCell", 2, 3)[0]
            return ops.scan(step, (first, first), ops.transpose(x, (1, 0, 2)))[0][0]

    x = rng.normal(size=(2, 60, 3)).astype("float32")
    snapshots = capture(randomised(Two(), x, rng), x)
    assert verdicts(snapshots) == {"twice": "match", "other": "match"}
    assert [each.timesteps for each in snapshots.values()] == [120, 60]
    np.testing.assert_array_equal(snapshots["twice"].x[:, ::2], x)
    np.testing.assert_array_equal(snapshots["twice"].x[:, 1::2], snapshots["other"].output)


@on_tensorflow
@both
def test_a_layer_in_map_fn_is_a_batch(kit: Any, rng: np.random.Generator) -> None:
    class Document(kit.Model):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.sentence = kit.layers.LSTM(4, name="sentence")
            self.document = kit.layers.GRU(3, name="document")

        def build(self, shape: Any) -> None:
            self.sentence.build((None, None, 3))
            self.document.build((None, None, 4))
            self.built = True

        def call(self, x: Any) -> Any:
            sentences = tf.transpose(x, [1, 0, 2, 3])
            h = tf.map_fn(self.sentence, sentences, fn_output_signature=tf.float32)
            return self.document(tf.transpose(h, [1, 0, 2]))

    x = rng.normal(size=(2, 40, 6, 3)).astype("float32")
    model = randomised(Document(), x, rng)
    snapshots = capture(model, x)
    assert verdicts(snapshots) == {"sentence": "match", "document": "match"}
    sentence, document = snapshots["sentence"], snapshots["document"]
    assert sentence.x.shape == (80, 6, 3)
    last = sentence.output[:, -1].reshape(40, 2, 4).transpose(1, 0, 2)
    np.testing.assert_array_equal(last, document.x)


@on_tensorflow
@both
def test_a_layer_inside_a_tf_function_is_shown(kit: Any, rng: np.random.Generator) -> None:
    class Compiled(kit.Model):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.rnn = kit.layers.LSTM(4, return_sequences=True, name="rnn")

        def build(self, shape: Any) -> None:
            self.rnn.build(shape)
            self.built = True

        def call(self, x: Any) -> Any:
            return tf.function(lambda each: self.rnn(each))(x)

    x = rng.normal(size=(2, 6, 3)).astype("float32")
    model = randomised(Compiled(), x, rng)
    snapshots = capture(model, x)
    assert verdicts(snapshots) == {"rnn": "match"}
    np.testing.assert_allclose(snapshots["rnn"].output, ops.convert_to_numpy(model(x)), atol=1e-6)


@on_tensorflow
@both
def test_a_cell_in_a_branch_that_is_not_taken_is_named(
    kit: Any, rng: np.random.Generator, caplog: pytest.LogCaptureFixture
) -> None:
    class Choosing(kit.Model):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.rnn = kit.layers.GRU(3, name="rnn")
            self.cell = kit.layers.GRUCell(3, name="cell")

        def build(self, shape: Any) -> None:
            self.rnn.build(shape)
            self.cell.build((None, 3))
            self.built = True

        def call(self, x: Any) -> Any:
            h = self.rnn(x)
            return tf.cond(x[0, 0, 0] > 1e9, lambda: self.cell(h, [h])[0], lambda: h)

    x = rng.normal(size=(2, 6, 3)).astype("float32")
    with caplog.at_level(logging.WARNING, "lstm_probe"):
        assert list(capture(randomised(Choosing(), x, rng), x)) == ["rnn"]
    assert "'cell': not shown: the loop around its calls did not run" in caplog.text


@on_jax
def test_a_loop_that_jax_compiles_is_named(
    rng: np.random.Generator, caplog: pytest.LogCaptureFixture
) -> None:
    class Beside(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.rnn = keras.layers.GRU(3, name="rnn")
            self.cell = keras.layers.LSTMCell(3, name="cell")

        def build(self, shape: Any) -> None:
            self.rnn.build(shape)
            self.cell.build((None, shape[-1]))
            self.built = True

        def call(self, x: Any) -> Any:
            return self.rnn(x) + with_while(self.cell, x, zeros("LSTMCell", 2, 3))

    x = rng.normal(size=(2, 7, 3)).astype("float32")
    with caplog.at_level(logging.WARNING, "lstm_probe"):
        snapshots = capture(randomised(Beside(), x, rng), x)
    assert verdicts(snapshots) == {"rnn": "match"}
    assert "'cell': not shown: it runs inside a loop" in caplog.text
