"""Parity with tf_keras, wherever in a model its recurrent layers are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import MethodType

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
import tf_keras_models
from tf_keras import layers

from lstm_probe import LstmProbeError, analyse, capture

BOUNDS = {"float32": 1e-5, "float64": 1e-13}


@pytest.fixture
def floats(request: pytest.FixtureRequest) -> Iterator[str]:
    before = tf_keras.backend.floatx()
    tf_keras.backend.set_floatx(request.param)
    yield request.param
    tf_keras.backend.set_floatx(before)


# Each trace of an LSTM takes tf_keras about a second: not every model in both precisions.
CASES = [("float64", name) for name in sorted(tf_keras_models.MODELS)] + [
    ("float32", name)
    for name in (
        "bidirectional",
        "cells_in_a_layer",
        "convolutional",
        "gated_units",
        "stacked_cells",
        "stateful",
        "unusual_activations",
    )
]


@pytest.mark.parametrize(("floats", "name"), CASES, indirect=["floats"])
@pytest.mark.daily(6)
def test_parity_holds_when_layers_are_found_anywhere(
    floats: str, name: str, rng: np.random.Generator
) -> None:
    model, probe, names = tf_keras_models.MODELS[name](rng)
    tf_keras_models.randomise(model, rng)
    before = [v.numpy().copy() for v in model.variables]
    snapshots = capture(model, probe)
    assert sorted(snapshots) == sorted(names)
    for snapshot in snapshots.values():
        parity = analyse(snapshot).parity
        assert parity is not None
        assert snapshot.dtype == floats
        assert parity.float64.max_abs < BOUNDS[floats]
        assert parity.same_dtype.max_abs < BOUNDS[floats]
        assert np.abs(snapshot.output).max() > 0.01
    for variable, value in zip(model.variables, before, strict=True):
        assert (variable.numpy() == value).all(), variable.name
    assert not any("call" in vars(layer) for layer in model._flatten_layers())


@pytest.mark.parametrize(("policy", "bound"), [("mixed_float16", 3e-3), ("mixed_bfloat16", 2.5e-2)])
@pytest.mark.parametrize("kind", [layers.LSTM, layers.GRU, layers.SimpleRNN])
def test_parity_holds_in_half_precision(
    kind: type[layers.RNN], policy: str, bound: float, rng: np.random.Generator
) -> None:
    inputs = tf_keras.Input((12, 3))
    model = tf_keras.Model(inputs, kind(16, dtype=policy, name="rnn")(inputs))
    for variable in model.trainable_variables:
        variable.assign(rng.normal(0, 0.3, variable.shape))
    snapshot = capture(model, rng.normal(size=(2, 12, 3)))["rnn"]
    parity = analyse(snapshot).parity
    assert parity is not None
    assert snapshot.dtype == policy.removeprefix("mixed_")
    assert parity.float64.max_abs < bound
    assert not np.array_equal(snapshot.weights.kernel.reshape(3, -1), model.get_weights()[0])


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("hard_sigmoid_keras2", "hard_sigmoid"),
        ("gelu", "gelu"),
        ("swish", "swish"),
        ("mish", tf_keras.activations.mish),
        ("softmax", tf.nn.softmax),
        ("linear", None),
    ],
)
def test_activations_have_the_form_of_keras_2(
    name: str, given: object, rng: np.random.Generator
) -> None:
    inputs = tf_keras.Input((4, 3))
    model = tf_keras.Model(inputs, layers.GRU(5, activation=given, name="gru")(inputs))
    tf_keras_models.randomise(model, rng)
    analysis = analyse(capture(model, 3 * rng.normal(size=(2, 4, 3)))["gru"])
    assert analysis.snapshot.cell is not None
    assert analysis.snapshot.cell.activation == name
    assert analysis.parity is not None
    assert analysis.parity.float64.max_abs < 1e-5


def test_alarm_when_the_hard_sigmoid_is_that_of_keras_3(rng: np.random.Generator) -> None:
    model, probe, _ = tf_keras_models.MODELS["convolutional"](rng)
    tf_keras_models.randomise(model, rng)
    for snapshot in capture(model, probe).values():
        assert snapshot.cell is not None
        assert snapshot.cell.recurrent_activation == "hard_sigmoid_keras2"
        wrong = replace(snapshot.cell, recurrent_activation="hard_sigmoid")
        parity = analyse(replace(snapshot, cell=wrong)).parity
        assert parity is not None
        assert parity.float64.max_abs > 100 * parity.tolerance


class Counting(layers.Layer):
    """A layer of a user's own that moves on whenever it is called, in training or not."""

    def build(self, shape: object) -> None:
        self.count = self.add_weight(name="count", initializer="zeros", trainable=False)
        self.generator = tf.random.Generator.from_seed(5)

    def call(self, x: tf.Tensor) -> tf.Tensor:
        return x + 0 * self.count.assign_add(1.0) + 0 * self.generator.normal([])


class LegacyLike:
    """A cell that is no layer."""

    state_size = output_size = 3

    def call(self, x: tf.Tensor, states: list[tf.Tensor]) -> tuple[tf.Tensor, list[tf.Tensor]]:
        h = tf.tanh(x + states[0])
        return h, [h]


def test_nothing_moves_when_a_layer_assigns_in_inference(rng: np.random.Generator) -> None:
    inputs = tf_keras.Input((4, 3))
    counting = Counting()
    model = tf_keras.Model(inputs, layers.SimpleRNN(2, name="rnn")(counting(inputs)))
    before = counting.generator.state.numpy()
    count = float(counting.count)
    capture(model, rng.normal(size=(1, 4, 3)))
    assert float(counting.count) == count
    assert (counting.generator.state.numpy() == before).all()


def test_a_cell_nobody_knows_shows_its_h(rng: np.random.Generator) -> None:
    inputs = tf_keras.Input((4, 3))
    layer = layers.RNN(LegacyLike(), return_sequences=True, name="own")
    model = tf_keras.Model(inputs, layer(inputs))
    x = rng.normal(size=(1, 4, 3)).astype("float32")
    analysis = analyse(capture(model, x)["own"])
    assert analysis.parity is None
    np.testing.assert_allclose(analysis.trace.h, model.predict(x, verbose=0), atol=1e-6)


def doubled(self: layers.LSTMCell, x: tf.Tensor, *others: object, **options: object) -> object:
    return type(self).call(self, 2 * x, *others, **options)


def test_a_model_is_known_when_it_has_been_saved(rng: np.random.Generator, tmp_path: Path) -> None:
    """Keras 2 leaves methods on the instances, which are those of the class."""
    model = tf_keras.Sequential([layers.InputLayer((4, 3)), layers.LSTM(2, name="memory")])
    x = rng.normal(size=(1, 4, 3)).astype("float32")
    model.save(tmp_path / "saved", save_format="tf")
    assert "call" in vars(model.layers[0].cell)
    assert analyse(capture(model, x)["memory"]).parity is not None
    cell = model.layers[0].cell
    object.__setattr__(cell, "call", MethodType(doubled, cell))
    assert analyse(capture(model, x)["memory"]).parity is None


def errors() -> Iterator[tuple[tf_keras.Model, tuple[int, ...], str]]:
    inputs = tf_keras.Input((5, 3), name="sequence")
    rnn = layers.SimpleRNN(2, name="rnn")
    model = tf_keras.Model(inputs, rnn(inputs))
    yield model, (5, 3), r"shape \(5, 3\).*\(any, 5, 3\).*'sequence'.*keeps the batch axis"
    yield model, (1, 4, 3), r"shape \(1, 4, 3\).*\(any, 5, 3\)"
    yield tf_keras.Model(inputs, layers.Dense(2)(inputs)), (1, 5, 3), r"Dense.*tf_keras.layers.LSTM"


def test_errors_say_what_was_expected() -> None:
    for model, shape, message in errors():
        with pytest.raises(LstmProbeError, match=message):
            capture(model, np.ones(shape))
    with pytest.raises(LstmProbeError, match=r"not a Keras model. Received: builtins.object"):
        capture(object(), np.ones((1, 2, 3)))


def test_autograph_leaves_code_of_ours_alone(
    rng: np.random.Generator, caplog: pytest.LogCaptureFixture
) -> None:
    model, probe, _ = tf_keras_models.MODELS["subclassed_layer"](rng)
    caplog.clear()
    with caplog.at_level("WARNING", logger="tensorflow"):
        tf.get_logger().propagate = True
        try:
            capture(model, probe)
        finally:
            tf.get_logger().propagate = False
    assert not caplog.records
