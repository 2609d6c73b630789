"""What holds on JAX and PyTorch, beyond the tests of the callback that run on every backend."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import keras_models
import numpy as np
import pytest
from event_reading import captured_steps
from keras import layers
from keras_models import trainable
from samples import training_data

from lstm_probe import analyse, capture
from lstm_probe.callbacks import ProbeCallback

BACKEND = keras.backend.backend()
pytestmark = pytest.mark.skipif(BACKEND == "tensorflow", reason="the other backends' tests")


def test_tensorflow_is_not_imported() -> None:
    assert BACKEND in sys.modules
    assert "tensorflow" not in sys.modules


def masked(layer: Callable[..., Any]) -> Callable[[], keras.Model]:
    """A layer behind a mask, which begins with a state that is not zero."""

    def build() -> keras.Model:
        inputs = keras.Input((7, 3))
        state = layers.Dense(4, activation="tanh")(inputs[:, 0])
        count = 2 if layer is layers.LSTM else 1
        hidden = layer(4, name="memory", return_sequences=True)(
            layers.Masking()(inputs), initial_state=[state] * count
        )
        return keras.Model(inputs, hidden)

    return build


def sequential(*stack: Callable[[], keras.Layer]) -> Callable[[], keras.Model]:
    return lambda: keras.Sequential([keras.Input((7, 3)), *(make() for make in stack)])


MODELS: dict[str, Callable[[], keras.Model]] = {
    "LSTM, masked from the start": masked(layers.LSTM),
    "GRU, masked from the start": masked(layers.GRU),
    "SimpleRNN, masked from the start": masked(layers.SimpleRNN),
    "GRU as in Keras 1": sequential(lambda: layers.GRU(4, reset_after=False)),
    "zeros where masked": sequential(
        layers.Masking, lambda: layers.GRU(4, return_sequences=True, zero_output_for_mask=True)
    ),
    "unrolled and masked": sequential(
        layers.Masking, lambda: layers.LSTM(4, return_sequences=True, unroll=True)
    ),
    "zeros where masked, unrolled": sequential(
        layers.Masking,
        lambda: layers.LSTM(4, return_sequences=True, unroll=True, zero_output_for_mask=True),
    ),
    "backwards and masked": sequential(
        layers.Masking, lambda: layers.GRU(4, return_sequences=True, go_backwards=True)
    ),
    "last step, backwards and masked": sequential(
        layers.Masking, lambda: layers.LSTM(4, go_backwards=True)
    ),
    "stack, backwards and masked": sequential(
        layers.Masking,
        lambda: layers.RNN(
            layers.StackedRNNCells([layers.GRUCell(3), layers.LSTMCell(4), layers.GRUCell(2)]),
            return_sequences=True,
            go_backwards=True,
        ),
    ),
    "stack, its last step": sequential(
        layers.Masking, lambda: layers.RNN([layers.LSTMCell(3), layers.LSTMCell(4)])
    ),
    "bidirectional": sequential(
        layers.Masking, lambda: layers.Bidirectional(layers.GRU(4, return_sequences=True))
    ),
    "dropout": sequential(lambda: layers.LSTM(4, dropout=0.4, recurrent_dropout=0.3)),
}


def probe(rng: np.random.Generator) -> Any:
    """Four sequences: whole, masked in front, at the end, and throughout."""
    x = rng.normal(size=(4, 7, 3)).astype(np.float32)
    x[1, :3] = x[2, 4:] = x[3] = 0
    return x


@pytest.mark.parametrize("policy", ["float32", "mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize("name", MODELS)
def test_parity(name: str, policy: str, rng: np.random.Generator) -> None:
    default = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        model = keras_models.randomise(MODELS[name](), rng)
    finally:
        keras.config.set_dtype_policy(default)
    for snapshot in capture(model, probe(rng)).values():
        parity = analyse(snapshot).parity
        assert parity is not None
        assert parity.verdict is not None
        assert parity.verdict.kind == "match", parity.verdict
        assert np.abs(snapshot.output).max() > 0.01
        if policy == "float32":
            assert parity.float64.max_abs < 2e-6


def test_an_activation_of_the_users_is_run_in_float64(rng: np.random.Generator) -> None:
    framework = importlib.import_module("jax.numpy" if BACKEND == "jax" else BACKEND)

    def bent(x: Any) -> Any:
        return framework.tanh(x) * 0.9

    model = sequential(lambda: layers.LSTM(4, activation=bent, name="memory"))()
    keras_models.randomise(model, rng)
    snapshot = capture(model, probe(rng))["memory"]
    assert snapshot.cell is not None
    x = rng.normal(size=(3, 4))
    values = snapshot.cell.activation(x)  # type: ignore[attr-defined]
    assert values.dtype == np.float64
    np.testing.assert_allclose(values, np.tanh(x) * 0.9, rtol=1e-14)
    assert analyse(snapshot).parity.float64.max_abs < 2e-6  # type: ignore[union-attr]


def test_captures_keep_their_values_while_training_goes_on(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    x, y = training_data(rng)
    model, kept = trainable(), []

    class Keep(keras.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            snapshot = attached.analyses["memory"].snapshot
            kept.append((snapshot, snapshot.output.copy(), snapshot.weights.kernel.copy()))

    attached = ProbeCallback(x[:1], tmp_path, every=1)
    model.fit(x, y, batch_size=8, verbose=0, callbacks=[attached, Keep()])
    assert len({kernel.tobytes() for _, _, kernel in kept}) == 8
    for snapshot, output, kernel in kept:
        assert (snapshot.output == output).all()
        assert (snapshot.weights.kernel == kernel).all()


def test_a_bidirectional_layer_is_listened_to_where_keras_would_run_it_as_one(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    def on_a_gpu(*_: Any, **__: Any) -> Any:
        raise AssertionError("run as one")

    model = sequential(lambda: layers.Bidirectional(layers.LSTM(4, name="lstm"), name="both"))()
    for name in ("bidirectional_lstm", "bidirectional_gru"):
        monkeypatch.setattr(f"keras.src.layers.rnn.bidirectional.backend.{name}", on_a_gpu)
    with pytest.raises(AssertionError, match="run as one"):
        model(probe(rng))
    assert sorted(capture(model, probe(rng))) == ["both/backward_lstm", "both/forward_lstm"]
    with pytest.raises(AssertionError, match="run as one"):
        model(probe(rng))


WITHOUT_TENSORFLOW = """
import sys
sys.modules["tensorflow"] = None  # as if it were not installed
import keras, numpy as np
from lstm_probe.callbacks import ProbeCallback
model = keras.Sequential([keras.Input((5, 2)), keras.layers.LSTM(3, name="memory")])
model.compile("adam", "mse")
probe = ProbeCallback(np.ones((1, 5, 2)), sys.argv[1], every=2)
model.fit(np.ones((8, 5, 2)), np.ones((8, 3)), batch_size=2, verbose=0, callbacks=[probe])
print(probe.report)
"""


def test_training_is_logged_where_tensorflow_is_not_installed(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-c", WITHOUT_TENSORFLOW, str(tmp_path)],
        capture_output=True, text=True, cwd=tmp_path, timeout=120,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert "3 of 3 captures" in run.stdout
    assert captured_steps(tmp_path) == [0, 2, 4]
