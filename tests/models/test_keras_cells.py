from __future__ import annotations

from pathlib import Path
from typing import Any

import event_reading
import keras
import keras_models
import numpy as np
import pytest
from keras import layers, ops

import lstm_probe
from lstm_probe import analyse, capture
from lstm_probe.callbacks import ProbeCallback


@keras.saving.register_keras_serializable("lstm_probe_tests")
class MinimalCell(layers.Layer):
    """A cell of a user's own: one gate, and an initial state that is not zero."""

    def __init__(self, units: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units = self.state_size = units

    def build(self, shape: Any) -> None:
        self.kernel = self.add_weight(shape=(shape[-1], self.units), name="kernel")
        self.recurrent = self.add_weight(shape=(self.units, self.units), name="recurrent")

    def get_initial_state(self, batch_size: Any = None) -> list[Any]:
        return [ops.full((batch_size, self.units), 0.25)]

    def call(self, x: Any, states: Any, training: bool = False) -> Any:
        f = ops.sigmoid(states[0] @ self.recurrent)
        h = f * states[0] + (1 - f) * ops.tanh(x @ self.kernel)
        return h, [h]


class ScaledLstmCell(layers.LSTMCell):
    """Inherits an LSTM's weights but not its equations."""

    def call(self, inputs: Any, states: Any, training: bool = False) -> Any:
        h, states = super().call(inputs, states, training)
        return 2 * h, states


@pytest.fixture(autouse=True)
def nothing_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Doctests, and other tests, register cells of their own."""
    monkeypatch.setattr("lstm_probe.cells.custom._registered", {})


def minimal_step(x: Any, states: Any, weights: Any) -> Any:
    (h,) = states
    f = 1 / (1 + np.exp(-(h @ weights["recurrent"])))
    h = f * h + (1 - f) * np.tanh(x @ weights["kernel"])
    return {"f": f, "h": h}, [h]


def build(cell: Any, rng: np.random.Generator) -> tuple[keras.Model, np.ndarray]:
    inputs = keras.Input((6, 3))
    x = layers.RNN(cell, name="own", return_sequences=True)(layers.Masking()(inputs))
    probe = rng.normal(size=(2, 6, 3)).astype("float32")
    probe[0, :2] = probe[1, 3] = 0
    return keras_models.randomise(keras.Model(inputs, x), rng), probe


def test_a_cell_nobody_knows_shows_its_h_and_says_that_it_is_not_recomputed(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    model, x = build(MinimalCell(4), rng)
    model.compile("sgd", "mse")
    probe = ProbeCallback(x[:1], tmp_path, every=1, detail="full")
    model.fit(x, np.zeros((2, 6, 4)), verbose=0, callbacks=[probe])
    analysis = probe.analyses["own"]
    assert analysis.parity is None
    assert analysis.trace.letters == ("h",)
    np.testing.assert_allclose(analysis.trace.h, model.predict(x[:1], verbose=0), atol=1e-6)
    assert "not recomputed" in str(probe.report)
    read = event_reading.values(tmp_path / "lstm_probe")
    assert ("own/gates/1_h", 1) in read
    assert ("own/kernel", 1) in read
    assert not any("parity" in tag for tag, _ in read)
    assert "register_cell" in str(event_reading.array(read["lstm_probe/summary", 0]))


def test_a_cell_of_the_users_own_is_recomputed_when_it_is_registered(
    rng: np.random.Generator,
) -> None:
    ranges = {"f": (0.0, 1.0), "h": (-1.0, 1.0)}
    lstm_probe.register_cell("MinimalCell", ranges=ranges)(minimal_step)
    model, x = build(MinimalCell(4), rng)
    analysis = analyse(capture(model, x)["own"])
    assert analysis.trace.letters == ("f", "h")
    assert analysis.parity is not None
    assert analysis.parity.float64.max_abs < 1e-6

    def wrong(x: Any, states: Any, weights: Any) -> Any:
        return minimal_step(x, [2 * states[0]], weights)

    lstm_probe.register_cell("MinimalCell", ranges=ranges)(wrong)
    parity = analyse(capture(model, x)["own"]).parity
    assert parity is not None
    assert not parity.within_tolerance


def test_a_cell_with_equations_of_its_own_is_not_taken_for_its_parent(
    rng: np.random.Generator,
) -> None:
    model, x = build(ScaledLstmCell(4), rng)
    assert analyse(capture(model, x)["own"]).parity is None


def test_a_registration_without_an_output_is_refused() -> None:
    with pytest.raises(lstm_probe.LstmProbeError, match="`h` among them"):
        lstm_probe.register_cell("MinimalCell", ranges={"f": None})


@pytest.mark.parametrize(
    ("policy", "bound"),
    [("float64", 1e-13), ("float32", 1e-5), ("mixed_float16", 3e-3), ("mixed_bfloat16", 2.5e-2)],
)
@pytest.mark.parametrize("kind", [layers.LSTM, layers.GRU, layers.SimpleRNN])
def test_parity_holds_in_every_precision(
    kind: Any, policy: str, bound: float, rng: np.random.Generator
) -> None:
    inputs = keras.Input((12, 3), dtype="float32")
    model = keras.Model(inputs, kind(16, dtype=policy, name="rnn")(inputs))
    for variable in model.trainable_variables:
        variable.assign(rng.normal(0, 0.3, variable.shape))
    snapshot = capture(model, rng.normal(size=(2, 12, 3)))["rnn"]
    parity = analyse(snapshot).parity
    assert parity is not None
    assert snapshot.dtype == policy.removeprefix("mixed_")
    assert parity.float64.max_abs < bound
    assert parity.tolerance == bound
    # and the weights are those it computes with: with the full ones it would be further off
    if policy.startswith("mixed"):
        kernel = snapshot.weights.kernel.reshape(3, -1)
        assert not np.array_equal(kernel, model.get_weights()[0])
        np.testing.assert_allclose(kernel, model.get_weights()[0], rtol=bound)


def test_training_in_mixed_precision_is_captured_at_its_steps(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    inputs = keras.Input((6, 3))
    hidden = layers.LSTM(4, dtype="mixed_float16", name="rnn")(inputs)
    model = keras.Model(inputs, layers.Dense(1, dtype="float32")(hidden))
    model.compile(keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam(1e-3)), "mse")
    x, y = rng.normal(size=(64, 6, 3)).astype("float32"), rng.normal(size=(64, 1))
    probe = ProbeCallback(x[:1], tmp_path, every=3)
    model.fit(x, y, batch_size=8, verbose=0, callbacks=[probe])
    assert event_reading.steps(tmp_path / "lstm_probe", "rnn/gates/2_f") == [0, 3, 6, 8]


@pytest.mark.parametrize("mode", ["concat", "sum", "mul", "ave"])
def test_merged_output_is_that_of_the_two_traces(mode: str, rng: np.random.Generator) -> None:
    inputs = keras.Input((5, 3))
    both = layers.Bidirectional(
        layers.LSTM(4, return_sequences=True, name="lstm"), merge_mode=mode, name="both"
    )
    model = keras_models.randomise(keras.Model(inputs, both(inputs)), rng)
    x = rng.normal(size=(2, 5, 3)).astype("float32")
    forward, backward = (analyse(s).trace.h for s in capture(model, x).values())
    merged = {
        "concat": np.concatenate([forward, backward], axis=-1),
        "sum": forward + backward,
        "mul": forward * backward,
        "ave": (forward + backward) / 2,
    }[mode]
    np.testing.assert_allclose(model.predict(x, verbose=0), merged, atol=1e-6)


def test_a_mask_given_to_the_call_is_seen(rng: np.random.Generator) -> None:
    inputs, mask = keras.Input((5, 3)), keras.Input((5,), dtype="bool")
    model = keras.Model([inputs, mask], layers.GRU(4, name="gru")(inputs, mask=mask))
    keras_models.randomise(model, rng)
    given = rng.random((3, 5)) > 0.4
    given[0] = False
    snapshot = capture(model, [rng.normal(size=(3, 5, 3)), given])["gru"]
    parity = analyse(snapshot).parity
    assert (snapshot.mask == given).all()
    assert parity is not None
    assert parity.float64.max_abs < 1e-6


def test_alarm_when_keras_zeroes_the_wrong_steps(rng: np.random.Generator) -> None:
    """Keras 3.15 on TensorFlow: unrolled and backwards, `zero_output_for_mask`, which
    Bidirectional sets by itself, takes the mask in the wrong direction
    (keras/src/backend/tensorflow/rnn.py, `rnn`). The parity error tells."""
    x = rng.normal(size=(2, 5, 3))
    x[:, 3:] = 0

    def parity(unroll: bool) -> bool:
        inputs = keras.Input((5, 3))
        lstm = layers.LSTM(4, unroll=unroll, return_sequences=True, name="lstm")
        output = layers.Bidirectional(lstm, name="both")(layers.Masking()(inputs))
        model = keras_models.randomise(keras.Model(inputs, output), rng)
        found = analyse(capture(model, x)["both/backward_lstm"]).parity
        assert found is not None
        return found.within_tolerance

    assert parity(unroll=False)
    assert not parity(unroll=True)
