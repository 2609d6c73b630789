"""Models whose call is not that of a layer: sizes of the batch, further arguments, none at all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from lstm_probe import LstmProbeError, analyse, capture, inspect
from lstm_probe.callbacks import ProbeCallback

Package = Any
KERASES = pytest.mark.parametrize("package", [keras, tf_keras], ids=["keras", "tf_keras"])
# Keras says so of a subclassed model that is built by a pass without a method `build`.
pytestmark = pytest.mark.filterwarnings("ignore:`build\\(\\)` was called on layer:UserWarning")


def model_of(package: Package, call: Callable[..., Any] | None, **parts: Any) -> Any:
    """A subclassed model with these parts and this call."""

    class Subclassed(package.Model):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            super().__init__()
            for name, part in parts.items():
                setattr(self, name, part)

    if call is not None:
        Subclassed.call = call
    return Subclassed()


@pytest.fixture
def x(rng: np.random.Generator) -> Any:
    return rng.normal(size=(3, 5, 2)).astype("float32")


def reads_the_size(self: Any, x: Any) -> Any:
    return self.memory(x, initial_state=[tf.ones((x.shape[0], 4))] * 2)


@KERASES
def test_a_call_that_reads_the_size_of_the_batch(package: Package, x: Any) -> None:
    model = model_of(package, reads_the_size, memory=package.layers.LSTM(4, name="memory"))
    snapshot = capture(model, x)["memory"]
    assert str(analyse(snapshot).parity.verdict) == "match"
    np.testing.assert_array_equal(snapshot.initial_state[1], np.ones((3, 4)))
    model(x[:2])  # takes other batches as before


def with_lengths(self: Any, x: Any, lengths: Any, training: Any) -> Any:
    assert training is False
    return self.memory(x, mask=tf.sequence_mask(lengths, x.shape[1]))


@KERASES
def test_a_call_with_further_arguments(package: Package, x: Any) -> None:
    lengths = np.array([5, 1, 3])
    for probe in ((x, lengths), [x, lengths], {"lengths": lengths, "x": x}):
        model = model_of(package, with_lengths, memory=package.layers.GRU(4, name="memory"))
        (analysis,) = inspect(model, probe).values()
        assert analysis.snapshot.mask.sum(1).tolist() == [5, 1, 3]
        assert str(analysis.parity.verdict) == "match"
    model = model_of(package, with_lengths, memory=package.layers.GRU(4))
    with pytest.raises(
        LstmProbeError, match=r'probe=\{"x": \.\.\., "lengths": \.\.\.\}.*forward=lambda'
    ):
        capture(model, x)


@tf.function
def compiled(self: Any, x: Any) -> Any:
    y = x
    for _ in tf.range(2):  # needs AutoGraph
        y = y + 1.0
    return self.memory(y)


@KERASES
def test_a_call_that_is_compiled(package: Package, x: Any) -> None:
    model = model_of(package, compiled, memory=package.layers.LSTM(4, name="memory"))
    model.memory.build((None, 5, 2))
    model.built = True
    model(tf.constant(x))
    traced = type(model).call.experimental_get_tracing_count()
    snapshot = capture(model, x)["memory"]
    np.testing.assert_array_equal(snapshot.x, x + 1 + 1)
    assert str(analyse(snapshot).parity.verdict) == "match"
    # Neither is the training's graph used for the pass, nor the pass's graph for the training.
    model(tf.constant(x))
    assert type(model).call.experimental_get_tracing_count() == traced
    assert type(tf.function(lambda: 0)).__call__.__name__ == "__call__"


def test_a_compiled_function_inside_the_call_is_shown(x: Any) -> None:
    inner = tf_keras.layers.SimpleRNN(2, name="inner")
    inner.build((None, 5, 2))
    wrapped = tf.function(lambda x: inner(x))
    model = model_of(tf_keras, lambda self, x: wrapped(x), inner=inner)
    model(tf.constant(x))
    assert str(analyse(capture(model, x)["inner"]).parity.verdict) == "match"


@KERASES
def test_a_container_is_run_as_the_user_says(package: Package, x: Any, tmp_path: Path) -> None:
    def container() -> Any:
        writer = package.layers.LSTM(3, return_sequences=True, name="writes")
        generator = package.Sequential([package.Input((5, 2)), writer])
        judge = package.Sequential([package.Input((5, 3)), package.layers.GRU(4, name="judges")])
        return model_of(package, None, generator=generator, judge=judge)

    with pytest.raises(LstmProbeError, match=r"no call of its own.*model\.generator\(probe\)"):
        capture(container(), x)

    def forward(model: Any, probe: Any) -> Any:
        return model.judge(model.generator(probe))

    for found in (
        capture(container(), x, forward=forward),
        inspect(container(), x, forward=forward),
    ):
        assert [name.split("/")[-1] for name in found] == ["writes", "judges"]
    probe = ProbeCallback(x, tmp_path, forward=forward)
    assert probe.get_config()["forward"] is forward
    probe.step(container())
    probe.close()
    assert {each.verdict for each in probe.report.layers.values()} == {"match"}


def test_layers_are_built_by_the_users_way(x: Any) -> None:
    encoder = keras.Sequential([keras.layers.LSTM(3, name="encodes"), keras.layers.Dense(2)])
    model = model_of(keras, None, encoder=encoder)
    (snapshot,) = capture(model, x, forward=lambda model, probe: model.encoder(probe)).values()
    assert str(analyse(snapshot).parity.verdict) == "match"


def test_the_order_of_keras_2_is_left_to_the_training(x: Any) -> None:
    encoder = tf_keras.Sequential([tf_keras.layers.LSTM(3), tf_keras.layers.Dense(2)])
    model = model_of(tf_keras, None, encoder=encoder)
    with pytest.raises(LstmProbeError, match=r"not built.*model\.encoder\(x_train\[:1\]\)"):
        capture(model, x, forward=lambda model, probe: model.encoder(probe))


@KERASES
def test_other_failures_have_words_of_their_own(package: Package, x: Any) -> None:
    def wrong(self: Any, x: Any) -> Any:
        return self.memory(x) + self.missing

    model = model_of(package, wrong, memory=package.layers.GRU(4, name="memory"))
    model.memory.build((None, 5, 2))
    with pytest.raises(LstmProbeError, match=r"(?s)error of its own.*AttributeError.*forward="):
        capture(model, x)

    def idle(self: Any, x: Any) -> Any:
        return x

    model = model_of(package, idle, memory=package.layers.GRU(4, name="memory"))
    model.memory.build((None, 5, 2))
    with pytest.raises(
        LstmProbeError, match=r"memory, none of them called.*model\.memory\(probe\)"
    ):
        capture(model, x)
    fitting = package.Sequential([package.layers.GRU(4), package.layers.Dense(2)])
    fitting.build((None, 5, 2))
    with pytest.raises(LstmProbeError, match=r"does not (take the probe|fit)|does not fit"):
        capture(fitting, np.ones((1, 5, 3)))


def test_what_keeps_us_from_listening_is_not_blamed_on_the_probe(
    x: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = keras.Sequential([keras.Input((5, 2)), keras.layers.LSTM(3, name="memory")])

    def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError("a tap that leaks")

    monkeypatch.setattr("lstm_probe.models.keras.reader.sites_of", broken)
    with pytest.raises(LstmProbeError, match=r"takes the probe, but.*a tap that leaks"):
        capture(model, x)


def test_a_way_that_is_no_function_is_refused(tmp_path: Path, x: Any) -> None:
    with pytest.raises(LstmProbeError, match="forward is no function"):
        ProbeCallback(x, tmp_path, forward="encoder")  # type: ignore[arg-type]
    np.savez(tmp_path / "weights.npz", **{"memory/kernel": np.ones((3, 8))})
    with pytest.raises(LstmProbeError, match="a live model"):
        inspect(tmp_path / "weights.npz", x, forward=lambda model, probe: model(probe))


@pytest.mark.parametrize("stateful", [False, True])
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_states_of_convolutional_layers(
    rank: int, stateful: bool, rng: np.random.Generator
) -> None:
    """Keras 3 says -1 of the size of their states, of which there are two."""
    shape = (2, 3, *(4,) * rank, 2)
    x = rng.normal(size=shape).astype("float32")
    layer = getattr(keras.layers, f"ConvLSTM{rank}D")
    inputs = keras.Input(batch_shape=shape)
    options = {"padding": "same", "stateful": stateful}
    _, *states = layer(2, 3, return_state=True, name="enc", **options)(inputs)
    decoder = layer(2, 3, padding="same", return_sequences=True, name="dec")
    model = keras.Model(inputs, decoder(inputs, initial_state=states))
    if stateful:
        model.predict(x, batch_size=2, verbose=0)  # states that are not zero
    found = capture(model, x)
    assert {name: str(analyse(each).parity.verdict) for name, each in found.items()} == {
        "enc": "match",
        "dec": "match",
    }
    assert np.abs(found["dec"].initial_state[1]).max() > 0
    assert (found["enc"].initial_state is not None) == stateful
