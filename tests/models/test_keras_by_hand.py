"""Cells that the user's own code calls, and layers that it calls once a step, of both Kerases."""

from __future__ import annotations

import logging
from typing import Any

import by_hand_reference
import keras
import numpy as np
import pytest

from lstm_probe import LstmProbeError, analyse, capture, register_cell

KERASES = [keras]
if keras.backend.backend() == "tensorflow":
    import tf_keras

    KERASES.append(tf_keras)

both = pytest.mark.parametrize("kit", KERASES, ids=lambda kit: str(kit.__name__))
kinds = pytest.mark.parametrize("kind", ["LSTMCell", "GRUCell", "SimpleRNNCell"])


def randomised(model: Any, x: Any, rng: np.random.Generator) -> Any:
    """The model, built by its first batch, with random weights."""
    model(x)
    model.set_weights([rng.normal(0, 0.5, each.shape) for each in model.get_weights()])
    return model


def zeros(kind: str, batch: int, units: int) -> list[Any]:
    return [keras.ops.zeros((batch, units))] * (2 if kind == "LSTMCell" else 1)


def verdicts(snapshots: Any) -> dict[str, Any]:
    parities = {name: analyse(each).parity for name, each in snapshots.items()}
    return {name: parity and parity.verdict.kind for name, parity in parities.items()}


def reader(kit: Any, kind: str, units: int = 4) -> Any:
    """A model that runs a cell over the probe, step by step."""

    class Reader(kit.Model):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.reader = getattr(kit.layers, kind)(units, name="reader")
            self.head = kit.layers.Dense(2)

        def call(self, x: Any) -> Any:
            states = zeros(kind, 2, units)
            for t in range(x.shape[1]):
                h, states = self.reader(x[:, t], states)
            return self.head(h)

    return Reader()


@both
@kinds
def test_the_calls_of_a_cell_are_one_trace(kit: Any, kind: str, rng: np.random.Generator) -> None:
    x = rng.normal(size=(2, 7, 3)).astype("float32")
    model = randomised(reader(kit, kind), x, rng)
    snapshots = capture(model, x)
    assert verdicts(snapshots) == {"reader": "match"}
    expected = by_hand_reference.run(kind, x, zeros(kind, 2, 4), model.reader.get_weights())
    np.testing.assert_allclose(snapshots["reader"].output, expected, atol=1e-5)
    np.testing.assert_allclose(analyse(snapshots["reader"]).trace.h, expected, atol=1e-5)
    np.testing.assert_array_equal(snapshots["reader"].x, x)
    assert not any("call" in vars(layer) for layer in model._flatten_layers())


@both
def test_the_initial_state_is_the_one_that_was_given(kit: Any, rng: np.random.Generator) -> None:
    class Decoder(kit.Model):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.encoder = kit.layers.LSTM(4, return_state=True, name="encoder")
            self.decoder = kit.layers.LSTMCell(4, name="decoder")
            self.head = kit.layers.Dense(3)

        def call(self, x: Any) -> Any:
            y, *states = self.encoder(x)
            for _ in range(5):
                y, states = self.decoder(self.head(y), states)
            return y

    x = rng.normal(size=(2, 6, 3)).astype("float32")
    model = randomised(Decoder(), x, rng)
    snapshots = capture(model, x)
    assert verdicts(snapshots) == {"encoder": "match", "decoder": "match"}
    decoder = snapshots["decoder"]
    assert decoder.x.shape == (2, 5, 3)
    assert decoder.initial_state is not None
    np.testing.assert_allclose(decoder.initial_state[0], snapshots["encoder"].final_output)
    weights = model.decoder.get_weights()
    expected = by_hand_reference.run("LSTMCell", decoder.x, decoder.initial_state, weights)
    np.testing.assert_allclose(decoder.output, expected, atol=1e-5)


@both
def test_a_cell_beside_a_layer_that_also_runs_it_is_shown_for_itself(
    kit: Any, rng: np.random.Generator
) -> None:
    class FeedBack(kit.Model):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.cell = kit.layers.LSTMCell(4, name="cell")
            self.warm_up = kit.layers.RNN(self.cell, return_state=True, name="warm_up")
            self.head = kit.layers.Dense(3)

        def call(self, x: Any) -> Any:
            y, *states = self.warm_up(x)
            for _ in range(4):
                y, states = self.cell(self.head(y), states=states)
            return y

    x = rng.normal(size=(2, 6, 3)).astype("float32")
    model = randomised(FeedBack(), x, rng)
    snapshots = capture(model, x)
    (by_hand,) = snapshots.keys() - {"warm_up"}
    assert verdicts(snapshots) == {"warm_up": "match", by_hand: "match"}
    assert by_hand.endswith("cell")
    assert [snapshots[name].timesteps for name in ("warm_up", by_hand)] == [6, 4]
    only_by_hand = capture(model, x, layers=[by_hand])
    assert {each.timesteps for each in only_by_hand.values()} == {4}


@both
def test_a_new_pass_begins_where_the_state_is_not_carried(
    kit: Any, rng: np.random.Generator, caplog: pytest.LogCaptureFixture
) -> None:
    class TwoPasses(kit.Model):  # type: ignore[misc, name-defined]
        """Teacher forcing first, then free running."""

        def __init__(self) -> None:
            super().__init__()
            self.cell = kit.layers.GRUCell(3, name="cell")

        def call(self, x: Any) -> Any:
            states = zeros("GRUCell", 2, 3)
            for t in range(6):
                y, states = self.cell(x[:, t], states)
            states = zeros("GRUCell", 2, 3)
            for _ in range(4):
                y, states = self.cell(y, states)
            return y

    x = rng.normal(size=(2, 6, 3)).astype("float32")
    model = randomised(TwoPasses(), x, rng)
    with caplog.at_level(logging.WARNING, "lstm_probe"):
        snapshots = capture(model, x)
    assert verdicts(snapshots) == {"cell": "match", "cell/call_2": "match"}
    assert [each.timesteps for each in snapshots.values()] == [6, 4]
    assert "10 calls do not all go on" in caplog.text
    weights = model.cell.get_weights()
    second = snapshots["cell/call_2"]
    expected = by_hand_reference.run("GRUCell", second.x, zeros("GRUCell", 2, 3), weights)
    np.testing.assert_allclose(second.output, expected, atol=1e-5)


@both
def test_another_batch_size_begins_another_sequence(kit: Any, rng: np.random.Generator) -> None:
    class Beams(kit.Model):  # type: ignore[misc, name-defined]
        """One step for each sentence, then three beams of each."""

        def __init__(self) -> None:
            super().__init__()
            self.cell = kit.layers.SimpleRNNCell(3, name="cell")

        def call(self, x: Any) -> Any:
            states = zeros("SimpleRNNCell", 2, 3)
            y, states = self.cell(x[:, 0], states)
            y, states = self.cell(x[:, 1], states)
            beams = [keras.ops.tile(each, (3, 1)) for each in states]
            for _ in range(4):
                y, beams = self.cell(keras.ops.tile(y, (3, 1))[:6], beams)
            return y

    x = rng.normal(size=(2, 6, 3)).astype("float32")
    snapshots = capture(randomised(Beams(), x, rng), x)
    assert verdicts(snapshots) == {"cell": "match", "cell/call_2": "match"}
    assert [each.x.shape for each in snapshots.values()] == [(2, 2, 3), (6, 4, 3)]


@both
def test_two_sequences_that_alternate_are_told_apart(kit: Any, rng: np.random.Generator) -> None:
    class Siamese(kit.Model):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.cell = kit.layers.LSTMCell(3, name="cell")

        def call(self, x: Any) -> Any:
            left, right = zeros("LSTMCell", 2, 3), zeros("LSTMCell", 2, 3)
            for t in range(5):
                a, left = self.cell(x[:, t], left)
                b, right = self.cell(x[:, 4 - t], right)
            return a - b

    x = rng.normal(size=(2, 5, 3)).astype("float32")
    snapshots = capture(randomised(Siamese(), x, rng), x)
    assert verdicts(snapshots) == {"cell": "match", "cell/call_2": "match"}
    np.testing.assert_array_equal(snapshots["cell/call_2"].x, x[:, ::-1])


@both
def test_a_state_that_is_changed_between_the_calls_makes_sequences_of_one_step(
    kit: Any, rng: np.random.Generator, caplog: pytest.LogCaptureFixture
) -> None:
    class Decayed(kit.Model):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.cell = kit.layers.GRUCell(3, name="cell")

        def call(self, x: Any) -> Any:
            h = zeros("GRUCell", 2, 3)[0]
            for t in range(5):
                _, (h,) = self.cell(x[:, t], [0.5 * h])
            return h

    x = rng.normal(size=(2, 5, 3)).astype("float32")
    with caplog.at_level(logging.WARNING, "lstm_probe"):
        snapshots = capture(randomised(Decayed(), x, rng), x)
    assert verdicts(snapshots) == {"cell": "match"}
    assert snapshots["cell"].x.shape == (10, 1, 3)
    assert "5 calls do not all go on" in caplog.text


@both
def test_steps_that_a_mask_skips_are_masked(kit: Any, rng: np.random.Generator) -> None:
    class Masked(kit.Model):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.cell = kit.layers.LSTMCell(3, name="cell")

        def call(self, x: Any) -> Any:
            states = zeros("LSTMCell", 2, 3)
            for t in range(6):
                valid = keras.ops.any(keras.ops.not_equal(x[:, t], 0), axis=-1, keepdims=True)
                _, new = self.cell(x[:, t], states)
                states = [keras.ops.where(valid, a, b) for a, b in zip(new, states, strict=True)]
            return states[0]

    x = rng.normal(size=(2, 6, 3)).astype("float32")
    x[1, 4:] = x[0, 2] = x[0, 5] = 0
    snapshots = capture(randomised(Masked(), x, rng), x)
    assert verdicts(snapshots) == {"cell": "match"}
    mask = snapshots["cell"].mask
    assert mask is not None
    # Whether the last step counts is known to nobody: no call follows.
    np.testing.assert_array_equal(mask[:, :5], (x != 0).any(-1)[:, :5])


@both
def test_stacked_cells_are_shown_one_by_one(kit: Any, rng: np.random.Generator) -> None:
    class Stack(kit.Model):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            cells = [kit.layers.LSTMCell(4, name="low"), kit.layers.GRUCell(3, name="high")]
            self.cells = kit.layers.StackedRNNCells(cells)

        def call(self, x: Any) -> Any:
            states = [zeros("LSTMCell", 2, 4), zeros("GRUCell", 2, 3)]
            for t in range(5):
                y, states = self.cells(x[:, t], states)
            return y

    x = rng.normal(size=(2, 5, 3)).astype("float32")
    snapshots = capture(randomised(Stack(), x, rng), x)
    assert list(verdicts(snapshots).values()) == ["match", "match"]
    low, high = snapshots.values()
    assert low.layer.endswith("low")
    assert high.layer.endswith("high")
    np.testing.assert_array_equal(low.output, high.x)


@both
@pytest.mark.parametrize("kind", ["LSTM", "GRU", "SimpleRNN"])
@pytest.mark.daily(1)
def test_a_layer_that_is_called_once_a_step_is_one_sequence(
    kit: Any, kind: str, rng: np.random.Generator
) -> None:
    class Stepper(kit.Model):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.rnn = getattr(kit.layers, kind)(4, return_state=True, name="rnn")

        def call(self, x: Any) -> Any:
            y, *states = self.rnn(x[:, :1])
            for t in range(1, 6):
                y, *states = self.rnn(x[:, t : t + 1], initial_state=states)
            return y

    x = rng.normal(size=(2, 6, 3)).astype("float32")
    model = randomised(Stepper(), x, rng)
    snapshots = capture(model, x)
    assert verdicts(snapshots) == {"rnn": "match"}
    cell, weights = f"{kind}Cell", model.rnn.get_weights()
    expected = by_hand_reference.run(cell, x, zeros(cell, 2, 4), weights)
    np.testing.assert_allclose(analyse(snapshots["rnn"]).trace.h, expected, atol=1e-5)


@both
def test_a_prompt_and_the_steps_that_follow_it_are_one_sequence(
    kit: Any, rng: np.random.Generator
) -> None:
    class Generator(kit.Model):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.rnn = kit.layers.LSTM(3, return_sequences=True, return_state=True, name="rnn")

        def call(self, x: Any) -> Any:
            y, *states = self.rnn(x)
            for _ in range(4):
                y, *states = self.rnn(y[:, -1:], initial_state=states)
            return y

    x = rng.normal(size=(2, 6, 3)).astype("float32")
    snapshots = capture(randomised(Generator(), x, rng), x)
    assert verdicts(snapshots) == {"rnn": "match"}
    assert snapshots["rnn"].timesteps == 10


@both
def test_the_cell_inside_a_wrapper_of_the_users_own_is_shown(
    kit: Any, rng: np.random.Generator
) -> None:
    class Attentive(kit.layers.Layer):  # type: ignore[misc, name-defined]
        """Reads a mixture of its input and state."""

        def __init__(self) -> None:
            super().__init__(name="attentive")
            self.inner = kit.layers.LSTMCell(4, name="inner")
            self.state_size, self.output_size = [4, 4], 4

        def build(self, shape: Any) -> None:
            self.inner.build((shape[0], 7))
            self.built = True

        def call(self, x: Any, states: Any) -> Any:
            return self.inner(keras.ops.concatenate([x, states[0]], -1), states)

    x = rng.normal(size=(2, 6, 3)).astype("float32")
    inputs = kit.Input((6, 3))
    model = kit.Model(inputs, kit.layers.RNN(Attentive(), name="rnn")(inputs))
    snapshots = capture(randomised(model, x, rng), x)
    (inner,) = (name for name in snapshots if name.endswith("inner"))
    assert verdicts(snapshots) == {"rnn": None, inner: "match"}
    assert snapshots[inner].x.shape == (2, 6, 7)


@both
def test_a_registered_cell_is_recomputed_when_it_is_called_by_hand(
    kit: Any, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lstm_probe.cells.custom._registered", {})

    class LeakyCell(kit.layers.Layer):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__(name="leaky")
            self.state_size = self.output_size = 3

        def build(self, shape: Any) -> None:
            self.kernel = self.add_weight(shape=(shape[-1], 3), name="kernel")

        def call(self, x: Any, states: Any) -> Any:
            h = 0.9 * states[0] + keras.ops.tanh(keras.ops.matmul(x, self.kernel))
            return h, [h]

    class Reader(kit.Model):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.cell = LeakyCell()

        def call(self, x: Any) -> Any:
            states = zeros("GRUCell", 2, 3)
            for t in range(5):
                h, states = self.cell(x[:, t], states)
            return h

    x = rng.normal(size=(2, 5, 3)).astype("float32")
    model = randomised(Reader(), x, rng)
    assert verdicts(capture(model, x)) == {"leaky": None}

    @register_cell("LeakyCell", ranges={"h": None})
    def leaky(x: Any, states: Any, weights: Any) -> Any:
        kernel = next(value for name, value in weights.arrays.items() if "kernel" in name)
        h = 0.9 * states[0] + np.tanh(x @ kernel)
        return {"h": h}, [h]

    assert verdicts(capture(model, x)) == {"leaky": "match"}


@both
def test_a_cell_that_does_not_run_is_named(
    kit: Any, rng: np.random.Generator, caplog: pytest.LogCaptureFixture
) -> None:
    class Idle(kit.Model):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.rnn = kit.layers.GRU(3, name="rnn")
            self.cell = kit.layers.GRUCell(3, name="spare")
            self.cell.build((None, 3))

        def call(self, x: Any) -> Any:
            return self.rnn(x)

    x = rng.normal(size=(2, 5, 3)).astype("float32")
    with caplog.at_level(logging.WARNING, "lstm_probe"):
        assert list(capture(randomised(Idle(), x, rng), x)) == ["rnn"]
    assert "'spare': not shown" in caplog.text


@both
def test_a_layer_that_only_has_a_state_size_is_no_cell(
    kit: Any, rng: np.random.Generator, caplog: pytest.LogCaptureFixture
) -> None:
    class Filter(kit.layers.Layer):  # type: ignore[misc, name-defined]
        """A state space model: its states stay inside."""

        state_size = 16

        def call(self, x: Any, training: Any = None) -> Any:
            return 0.5 * x

    x = rng.normal(size=(2, 5, 3)).astype("float32")
    rnn = kit.layers.GRU(3, name="rnn")
    model = randomised(kit.Sequential([kit.Input((5, 3)), Filter(), rnn]), x, rng)
    with caplog.at_level(logging.WARNING, "lstm_probe"):
        assert list(capture(model, x)) == ["rnn"]
    assert "not shown" not in caplog.text


@both
def test_the_cells_of_a_functional_model_are_shown(kit: Any, rng: np.random.Generator) -> None:
    inputs, cell = kit.Input((5, 3)), kit.layers.GRUCell(4, name="cell")
    h = kit.layers.Dense(4)(inputs[:, 0])
    for t in range(5):
        h, _ = cell(inputs[:, t], [h])
    x = rng.normal(size=(2, 5, 3)).astype("float32")
    model = randomised(kit.Model(inputs, h), x, rng)
    snapshots = capture(model, x)
    assert verdicts(snapshots) == {"cell": "match"}
    np.testing.assert_allclose(
        snapshots["cell"].output[:, -1], keras.ops.convert_to_numpy(model(x)), atol=1e-6
    )
    assert snapshots["cell"].timesteps == 5


@both
def test_a_model_with_nothing_recurrent_is_refused(kit: Any) -> None:
    model = kit.Sequential([kit.Input((5, 3)), kit.layers.Dense(2)])
    with pytest.raises(LstmProbeError, match="a cell such as LSTMCell"):
        capture(model, np.ones((1, 5, 3)))


@both
@pytest.mark.parametrize("way", ["initial state", "stateful", "once a step"])
def test_the_states_of_convolutional_layers_are_read(
    kit: Any, way: str, rng: np.random.Generator
) -> None:
    def layer(name: str, **options: Any) -> Any:
        return kit.layers.ConvLSTM2D(2, 3, padding="same", name=name, **options)

    x = rng.normal(size=(2, 3, 4, 4, 2)).astype("float32")
    inputs = kit.Input(batch_shape=x.shape)
    if way == "stateful":
        outputs = layer("enc", stateful=True, return_sequences=True)(inputs)
    elif way == "initial state":
        _, h, c = layer("enc", return_state=True)(inputs)
        outputs = layer("dec", return_sequences=True)(inputs, initial_state=[h, c])
    else:
        rnn, state = layer("enc", return_state=True), None
        for t in range(3):
            outputs, *state = rnn(inputs[:, t : t + 1], initial_state=state)
    model = randomised(kit.Model(inputs, outputs), x, rng)
    snapshots = capture(model, x)
    names = ["enc", "dec"] if way == "initial state" else ["enc"]
    assert verdicts(snapshots) == dict.fromkeys(names, "match")
    assert [each.timesteps for each in snapshots.values()] == [3] * len(names)
    if way != "once a step":
        state = snapshots[names[-1]].initial_state
        assert state is not None
        assert [each.shape for each in state] == [(2, 32), (2, 32)]
        assert way == "initial state" or np.abs(state[0]).max() > 0
