from __future__ import annotations

import copy
import importlib
import logging
import pickle
import random
from pathlib import Path
from typing import Any

import event_reading
import keras
import numpy as np
import pytest
from event_reading import captured_steps
from keras.ops import convert_to_numpy
from keras_models import trainable
from samples import training_data

from lstm_probe import LstmProbeError, capture
from lstm_probe.callbacks import ProbeCallback
from lstm_probe.logs.stored.reader import RunReader


def not_on(*backends: str) -> pytest.MarkDecorator:
    """For what Keras itself cannot do, or does in another way, on these backends."""
    return pytest.mark.skipif(
        keras.backend.backend() in backends, reason=f"not on {', '.join(backends)}"
    )


def test_captures_before_the_first_step_at_each_multiple_and_at_the_end(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    x, y = training_data(rng)
    probe = ProbeCallback(x[:1], tmp_path, every=5)
    trainable().fit(x, y, batch_size=8, epochs=2, verbose=0, callbacks=[probe])
    assert captured_steps(tmp_path) == [0, 5, 10, 15, 16]
    assert event_reading.steps(tmp_path / "lstm_probe", "cost/capture_ms") == [0, 5, 10, 15, 16]
    report = probe.report
    assert (report.captured, report.failed, report.due) == (5, 0, 5)
    assert report.layers["memory"].captures == 5
    assert report.layers["memory"].max_abs_error < 1e-5
    assert "memory" in str(report)
    assert "5 of 5 captures" in str(report)


@not_on("torch")  # which runs one step at a time
@pytest.mark.parametrize("size", [3, 4, 5, 7])
def test_captures_where_the_counter_crosses_when_keras_runs_several_steps_at_once(
    size: int, tmp_path: Path, rng: np.random.Generator
) -> None:
    x, y = training_data(rng, 96)
    model = trainable()
    model.compile("sgd", "mse", steps_per_execution=size)
    model.fit(x, y, batch_size=4, verbose=0, callbacks=[ProbeCallback(x[:1], tmp_path, every=10)])
    steps = captured_steps(tmp_path)
    assert steps[0] == 0
    assert steps[-1] == 24
    assert [s // 10 for s in steps] == [0, 1, 2, 2]
    assert all(s % 10 < size for s in steps[1:-1])


@pytest.mark.parametrize("size", [1, 4])
def test_reads_the_step_only_where_a_capture_is_due_when_training_keeps_its_pace(
    size: int, tmp_path: Path, rng: np.random.Generator
) -> None:
    if size > 1 and keras.backend.backend() == "torch":
        pytest.skip("runs one step at a time")
    x, y = training_data(rng, 160)
    model = trainable()
    model.compile("sgd", "mse", steps_per_execution=size)
    probe, reads = ProbeCallback(x[:1], tmp_path, every=20), []
    read = probe._watch._read_step
    probe._watch._read_step = lambda: reads.append(1) or read()  # type: ignore[func-returns-value]
    model.fit(x, y, batch_size=4, epochs=3, verbose=0, callbacks=[probe])
    assert captured_steps(tmp_path) == [0, 20, 40, 60, 80, 100, 120]
    assert len(reads) <= 10  # of 120: at the beginning, after the first batch, and where it is due


def test_each_point_shows_the_weights_of_its_step(tmp_path: Path, rng: np.random.Generator) -> None:
    x, y = training_data(rng)
    kernels = {}
    model = trainable()

    class Record(keras.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            step = int(self.model.optimizer.iterations)
            kernels[step] = self.model.layers[0].get_weights()[0]

    class Check(ProbeCallback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            super().on_train_batch_end(batch, logs)
            snapshot = self.analyses["memory"].snapshot
            seen[snapshot.step] = snapshot.weights.kernel.reshape(3, 20).copy()

    seen: dict[int, np.ndarray] = {}
    model.fit(x, y, batch_size=8, verbose=0, callbacks=[Record(), Check(x[:1], tmp_path, every=2)])
    assert sorted(seen) == [0, 2, 4, 6, 8]
    for step in (2, 4, 6, 8):
        assert (seen[step] == kernels[step]).all()


@not_on("jax", "torch")  # which do not fit without an optimizer
def test_batches_are_counted_when_the_model_has_no_optimizer(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    import tensorflow as tf

    class Adversarial(keras.Model):
        """A training step of its own, with an optimizer that Keras does not know."""

        def __init__(self) -> None:
            super().__init__()
            self.memory = keras.layers.LSTM(2, name="memory")
            self.own = keras.optimizers.SGD(0.1)

        def call(self, inputs: Any) -> Any:
            return self.memory(inputs)

        def train_step(self, batch: Any) -> dict[str, Any]:
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean(self(batch[0]) ** 2)
            self.own.apply(tape.gradient(loss, self.trainable_variables), self.trainable_variables)
            return {"loss": loss}

    x, y = training_data(rng)
    model = Adversarial()
    model.compile(optimizer=None)
    model.fit(x, y, batch_size=8, verbose=0, callbacks=[ProbeCallback(x[:1], tmp_path, every=3)])
    assert captured_steps(tmp_path) == [0, 3, 6, 8]


def test_a_capture_outside_of_training_bears_the_models_step(rng: np.random.Generator) -> None:
    x, y = training_data(rng)
    model = trainable()
    assert capture(model, x[:1])["memory"].step == 0
    model.fit(x, y, batch_size=8, verbose=0)
    assert capture(model, x[:1])["memory"].step == 8


def test_steps_go_on_when_the_model_is_fitted_again(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    x, y = training_data(rng)
    model, probe = trainable(), ProbeCallback(x[:1], tmp_path, every=5)
    for _ in range(2):
        model.fit(x, y, batch_size=8, verbose=0, callbacks=[probe])
    assert captured_steps(tmp_path) == [0, 5, 8, 10, 15, 16]
    another = ProbeCallback(x[:1], tmp_path, every=5)
    model.fit(x, y, batch_size=8, verbose=0, callbacks=[another])
    assert captured_steps(tmp_path) == [0, 5, 8, 10, 15, 16, 16, 20, 24]


def test_log_is_whole_when_training_is_interrupted_and_begun_again(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    x, y = training_data(rng)
    model, probe = trainable(), ProbeCallback(x[:1], tmp_path, every=2)

    class Interrupt(keras.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            if batch == 4:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        model.fit(x, y, batch_size=8, verbose=0, callbacks=[probe, Interrupt()])
    assert captured_steps(tmp_path) == [0, 2, 4]
    model.fit(x, y, batch_size=8, verbose=0, callbacks=[probe])
    assert captured_steps(tmp_path) == [0, 2, 4, 6, 8, 10, 12, 13]


TRAININGS: dict[str, dict[str, Any]] = {
    "dropout": {"dropout": 0.2},
    "recurrent dropout": {"recurrent_dropout": 0.3, "return_sequences": False},
    "stateful": {"stateful": True},
    "built by its first batch": {"dropout": 0.2},
}


def framework_random() -> Any:
    """Drawn from the global generator of Keras's backend; JAX has none."""
    if keras.backend.backend() == "jax":
        return np.zeros(3)
    framework = importlib.import_module(keras.backend.backend())
    draw = framework.rand if framework.__name__ == "torch" else framework.random.uniform
    return draw((3,)).numpy()


def trained(kind: str, callbacks: list[keras.callbacks.Callback]) -> dict[str, Any]:
    """Train a fresh model from fixed seeds; everything that a probe might have disturbed."""
    if kind == "stateful" and keras.backend.backend() == "torch":
        pytest.skip("Keras cannot train stateful layers there")
    keras.utils.clear_session()  # Keras 3.12: a seed leaves its global generator where it was
    keras.utils.set_random_seed(7)
    rng = np.random.default_rng(7)
    x, y = training_data(rng)
    batch = {"batch_shape": (8, 6, 3)} if kind == "stateful" else {"shape": (6, 3)}
    inputs = keras.Input(**batch)
    hidden = keras.layers.LSTM(5, name="memory", **TRAININGS[kind])(inputs)
    hidden = keras.layers.Dropout(0.1)(keras.layers.BatchNormalization()(hidden))
    model = keras.Model(inputs, keras.layers.Dense(2)(hidden))
    if kind == "built by its first batch":
        lstm = keras.layers.LSTM(5, name="memory", **TRAININGS[kind])
        model = keras.Sequential([lstm, keras.layers.Dropout(0.1), keras.layers.Dense(2)])
    model.compile("adam", "mse")
    history = model.fit(x, y, batch_size=8, epochs=2, verbose=0, callbacks=callbacks)
    return {
        "weights": [convert_to_numpy(v) for v in model.variables],
        "optimizer": [convert_to_numpy(v) for v in model.optimizer.variables],
        "states": [
            convert_to_numpy(s)
            for layer in model.layers
            for s in getattr(layer, "states", None) or []
        ],
        "losses": np.array(history.history["loss"]),
        "python": np.array([random.random()]),
        "numpy": np.random.random(3),  # noqa: NPY002 - the global state is what is tested
        "framework": framework_random(),
        "keras": convert_to_numpy(keras.random.uniform((3,))),
    }


@pytest.mark.parametrize("kind", TRAININGS)
@pytest.mark.daily(2)
def test_training_is_bit_identical_when_the_probe_is_attached(kind: str, tmp_path: Path) -> None:
    probe = ProbeCallback(np.ones((8, 6, 3), "float32"), tmp_path, every=3)
    without, with_probe = trained(kind, []), trained(kind, [probe])
    assert probe.report.captured == 7
    for name, expected in without.items():
        received = with_probe[name]
        assert len(expected) == len(received)
        assert all(np.array_equal(a, b) for a, b in zip(expected, received, strict=True)), name


def test_training_goes_on_when_captures_fail(
    tmp_path: Path,
    rng: np.random.Generator,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    x, y = training_data(rng)
    probe = ProbeCallback(x[:1], tmp_path, every=1)

    class Break(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
            if batch == 3:
                monkeypatch.setattr(
                    "lstm_probe.callbacks.recording.captures.analyse", lambda *_, **__: 1 / 0
                )
            if batch == 6:
                monkeypatch.undo()

    history = trainable().fit(x, y, batch_size=8, verbose=0, callbacks=[Break(), probe])
    assert len(history.history["loss"]) == 1
    assert captured_steps(tmp_path) == [0, 1, 2, 3, 7, 8]
    assert (probe.report.captured, probe.report.failed, probe.report.due) == (6, 3, 9)
    messages = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert len(messages) == 2
    assert "capturing at step 4" in messages[0]
    assert "ZeroDivisionError" in messages[0]
    assert "3 of 9 captures failed, 0 were left out" in messages[1]


@not_on("jax", "torch")  # where training does not survive it
def test_training_goes_on_when_the_model_is_changed(
    tmp_path: Path, rng: np.random.Generator, caplog: pytest.LogCaptureFixture
) -> None:
    x, y = training_data(rng)
    probe = ProbeCallback(x[:1], tmp_path, every=2)

    class Adapt(keras.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            if batch == 4:
                self.model.layers[-1].quantize("int8")

    trainable().fit(x, y, batch_size=8, verbose=0, callbacks=[Adapt(), probe])
    assert captured_steps(tmp_path) == [0, 2, 4]
    assert "has been rebuilt" in caplog.text


def never_called(*_: Any, **__: Any) -> None:
    raise AssertionError("a training step was taken")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"every": 0}, "every=0"),
        ({"on_alert": "shout"}, "on_alert='shout'"),
        ({"probe": np.ones((6, 3))}, r"\(6, 3\).*\(any, 6, 3\)"),
        ({"probe": np.full((1, 6, 3), np.nan)}, "not finite"),
        ({"probe": np.ones((0, 6, 3))}, "is empty"),
        ({"probe": np.ones((1, 6, 3), complex)}, "dtype"),
        ({"layers": ["no_such"]}, "'no_such'.*'memory'"),
        ({"log_dir": "file/below"}, "cannot be written"),
        ({"model": "dense"}, "no recurrent layer"),
    ],
)
def test_what_does_not_fit_is_refused_before_the_first_step(
    arguments: dict[str, Any], message: str, tmp_path: Path, rng: np.random.Generator
) -> None:
    (tmp_path / "file").touch()
    x, y = training_data(rng)
    model = trainable()
    if arguments.pop("model", None):
        model = keras.Sequential(
            [keras.Input((6, 3)), keras.layers.Flatten(), keras.layers.Dense(2)]
        )
        model.compile("sgd", "mse")
    log_dir = tmp_path / arguments.pop("log_dir", "logs")
    watch = keras.callbacks.LambdaCallback(on_train_batch_begin=never_called)
    with pytest.raises(LstmProbeError, match=message):
        model.fit(
            x, y, verbose=0,
            callbacks=[watch, ProbeCallback(arguments.pop("probe", x[:1]), log_dir, **arguments)],
        )  # fmt: skip


def test_a_callback_can_be_copied_before_it_is_used(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    x, y = training_data(rng)
    original = ProbeCallback(x[:1], tmp_path, every=4)
    for twin in (copy.deepcopy(original), pickle.loads(pickle.dumps(original))):
        trainable().fit(x, y, batch_size=8, verbose=0, callbacks=[twin])
        assert twin.report.captured == 3
    assert original.report.captured == 0


def test_two_probes_are_independent_in_one_fit(tmp_path: Path, rng: np.random.Generator) -> None:
    x, y = training_data(rng)
    probes = [ProbeCallback(x[:1], tmp_path / str(every), every=every) for every in (2, 3)]
    trainable().fit(x, y, batch_size=8, verbose=0, callbacks=probes)
    assert captured_steps(tmp_path / "2") == [0, 2, 4, 6, 8]
    assert captured_steps(tmp_path / "3") == [0, 3, 6, 8]


@not_on("torch")  # which traces nothing
def test_the_model_is_traced_once_however_often_it_is_captured(
    tmp_path: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lstm_probe.models.keras import reader as keras_reader

    calls = []
    real = keras_reader.tapped
    monkeypatch.setattr(keras_reader, "tapped", lambda layers: calls.append(1) or real(layers))
    x, y = training_data(rng)
    probe = ProbeCallback(x[:1], tmp_path, every=1)
    trainable().fit(x, y, batch_size=8, epochs=3, verbose=0, callbacks=[probe])
    assert probe.report.captured == 25
    # Keras runs a model's call more than once while it is traced only where TensorFlow asks it to
    assert len(calls) == 1


def test_a_callback_serves_another_model_after_the_first(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    x, y = training_data(rng)
    probe = ProbeCallback(x[:1], tmp_path, every=4)
    trainable().fit(x, y, batch_size=8, verbose=0, callbacks=[probe])
    larger = keras.Sequential([keras.layers.LSTM(9, name="memory"), keras.layers.Dense(2)])
    larger.compile("adam", "mse")
    larger.fit(x, y, batch_size=8, verbose=0, callbacks=[probe])
    assert probe.analyses["memory"].trace.units == 9
    steps = event_reading.steps(tmp_path / "lstm_probe_2", "memory/gates/2_f")
    assert captured_steps(tmp_path) == steps == [0, 4, 8]


def test_epochs_and_labels_are_stored_with_the_gates(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    x, y = training_data(rng)
    probe = ProbeCallback(x[:1], tmp_path, every=3, labels=list("recall"))
    trainable().fit(x, y, batch_size=16, epochs=2, verbose=0, callbacks=[probe])
    run = RunReader(tmp_path / "lstm_probe")
    stored = [run.capture("memory", step).meta for step in run.steps("memory")]
    assert [meta["epoch"] for meta in stored] == [0.0, 0.75, 1.5, 2.0]
    assert stored[0]["labels"] == list("recall")


def test_labels_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    with pytest.raises(LstmProbeError, match=r"3 labels.*each of its 6 timesteps"):
        ProbeCallback(np.zeros((1, 6, 3)), tmp_path, labels=["a", "b", "c"])


def test_a_loop_has_no_epochs_and_neither_has_the_beginning_of_a_later_fit(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    x, y = training_data(rng)
    model = trainable()
    loop = ProbeCallback(x[:1], tmp_path / "loop", every=1)
    loop.step(model)
    model.train_on_batch(x[:8], y[:8])
    loop.step(model)
    loop.close()
    later = ProbeCallback(x[:1], tmp_path / "later", every=100)
    model.fit(x, y, batch_size=16, epochs=1, verbose=0, callbacks=[later])
    epochs = {
        name: [point.epoch for point in RunReader(tmp_path / name / "lstm_probe").course]
        for name in ("loop", "later")
    }
    assert epochs == {"loop": [None, None], "later": [None, 1.0]}
