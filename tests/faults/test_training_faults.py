"""Faults of the model, of its values, and of what surrounds a training."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import event_reading
import keras
import numpy as np
import pytest
from event_reading import captured_steps
from keras import layers
from keras_models import trainable
from samples import training_data

from lstm_probe import LstmProbeError
from lstm_probe.callbacks import ProbeCallback


def probed(x: Any, log_dir: Path, **options: Any) -> ProbeCallback:
    return ProbeCallback(x[:1], log_dir, **{"every": 2, "max_overhead": None, **options})


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_weight_that_is_not_finite_is_shown_and_told(
    value: float, tmp_path: Path, rng: np.random.Generator
) -> None:
    x, y = training_data(rng)
    model, alerts = trainable(), []

    class Spoil(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
            if batch == 3:
                kernel = self.model.get_layer("memory").cell.recurrent_kernel
                array = kernel.numpy()
                array[2, 7] = value  # a forget gate's
                kernel.assign(array)

    probe = probed(x, tmp_path, on_alert=alerts.append)
    model.fit(x, y, batch_size=8, verbose=0, callbacks=[Spoil(), probe])
    assert captured_steps(tmp_path) == [0, 2, 4, 6, 8]
    assert probe.report.failed == 0
    assert "not_finite" in {alert.rule for alert in alerts}


def test_zeros_everywhere_are_a_flat_picture(tmp_path: Path, rng: np.random.Generator) -> None:
    x, y = training_data(rng)
    model = trainable()
    for weight in model.get_layer("memory").weights:
        weight.assign(np.zeros(weight.shape))
    probe = probed(np.zeros_like(x), tmp_path, on_alert=lambda _: None)
    model.fit(x, y, batch_size=8, verbose=0, callbacks=[probe])
    assert (probe.report.captured, probe.report.failed) == (5, 0)


@pytest.mark.parametrize("background", [False, True])
@pytest.mark.daily(1)
def test_saturated_gates_are_no_error_when_numpy_raises_them(
    background: bool, tmp_path: Path
) -> None:
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((6, 3)), keras.layers.LSTM(5, name="memory")])
    kernel = model.layers[0].cell.kernel
    kernel.assign(kernel * 1e4)  # what lies between saturated and not is close to zero
    model.compile("adam", "mse")
    x = np.random.default_rng(0).normal(size=(8, 6, 3)).astype("float32")
    y = np.ones((8, 5), "float32")
    probe = probed(x, tmp_path, every=1, background=background, detail="full")
    with np.errstate(all="raise"):
        model.fit(x, y, batch_size=4, epochs=2, verbose=0, callbacks=[probe])
    assert (probe.report.captured, probe.report.failed) == (5, 0)


@pytest.mark.parametrize("shape", [(0, 6, 3), (1, 0, 3), (1, 6, 0)])
def test_zero_sizes_are_refused_before_the_first_step(
    shape: tuple[int, ...], tmp_path: Path
) -> None:
    with pytest.raises(LstmProbeError, match="is empty"):
        ProbeCallback(np.ones(shape), tmp_path)


WRAPPED = {
    "bidirectional": lambda: layers.Bidirectional(layers.LSTM(3, name="memory"), name="both"),
    "in a nested model": lambda: keras.Sequential(
        [keras.Input((6, 3)), layers.LSTM(3, name="memory")], name="inner"
    ),
    "time distributed": lambda: keras.Sequential(
        [
            keras.Input((6, 3)),
            layers.Reshape((2, 3, 3)),
            layers.TimeDistributed(layers.LSTM(3, name="memory")),
            layers.Flatten(),
        ]
    ),
    "a cell in an RNN": lambda: layers.RNN(layers.LSTMCell(3), name="memory"),
}


@pytest.mark.parametrize("name", WRAPPED)
@pytest.mark.daily(1)
def test_a_wrapped_layer_is_found(name: str, tmp_path: Path, rng: np.random.Generator) -> None:
    x, y = training_data(rng)
    model = keras.Sequential([keras.Input((6, 3)), WRAPPED[name](), layers.Dense(2)])
    model.compile("adam", "mse")
    probe = probed(x, tmp_path, every=100)
    model.fit(x, y, batch_size=8, verbose=0, callbacks=[probe])
    assert any("memory" in layer for layer in probe.report.layers)
    assert {layer.verdict for layer in probe.report.layers.values()} == {"match"}


def test_a_resumed_training_goes_on_in_the_same_run(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    x, y = training_data(rng)

    class PowerCut(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            if epoch == 2:
                raise KeyboardInterrupt

    for extra in ([PowerCut()], []):
        model = trainable()
        backup = keras.callbacks.BackupAndRestore(tmp_path / "backup")
        callbacks = [probed(x, tmp_path / "logs", every=4), backup, *extra]
        try:
            model.fit(x, y, batch_size=8, epochs=4, verbose=0, callbacks=callbacks)
        except KeyboardInterrupt:
            assert extra
            callbacks[0].on_train_end()  # closes the log, which ends with the process otherwise
    runs = sorted(run.name for run in (tmp_path / "logs").iterdir())
    shown = {run: event_reading.steps(tmp_path / "logs" / run, "memory/gates/2_f") for run in runs}
    # What was restored goes on at step 16 after the first capture of a model that begins at 0.
    assert shown["lstm_probe"] == [0, 4, 8, 12, 16]
    for steps in shown.values():
        assert steps == sorted(steps)
    assert max(max(steps) for steps in shown.values()) == 32


def prune(model: keras.Model) -> None:
    kernel = model.get_layer("memory").cell.recurrent_kernel
    kernel.assign(np.where(np.abs(kernel.numpy()) < 0.2, 0, kernel.numpy()))


def replace_layer(model: keras.Model) -> None:
    model.pop()
    model.add(layers.Dense(2))


HARMLESS: dict[str, Callable[[keras.Model], Any]] = {
    "pruned": prune,
    "frozen": lambda model: setattr(model.get_layer("memory"), "trainable", False),
    "renamed": lambda model: setattr(model.get_layer("memory"), "name", "other"),
    "lora": lambda model: model.layers[-1].enable_lora(1),
    "other weights": lambda model: model.set_weights([w / 2 for w in model.get_weights()]),
}
REBUILT: dict[str, Callable[[keras.Model], Any]] = {
    "quantized": lambda model: model.layers[-1].quantize("int8"),
    "replaced": replace_layer,
}


@pytest.mark.parametrize("change", [*HARMLESS, *REBUILT])
@pytest.mark.daily(1)
def test_a_model_that_is_changed_in_training_trains_on(
    change: str, tmp_path: Path, rng: np.random.Generator, caplog: pytest.LogCaptureFixture
) -> None:
    x, y = training_data(rng)

    class Change(keras.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            if batch == 4:
                (HARMLESS | REBUILT)[change](self.model)

    model = trainable()
    probe = probed(x, tmp_path, on_alert=lambda _: None)
    model.fit(x, y, batch_size=8, verbose=0, callbacks=[Change(), probe])
    captured = 5 if change in HARMLESS else 3
    assert captured_steps(tmp_path) == [0, 2, 4, 6, 8][:captured]
    assert (probe.report.captured, probe.report.failed) == (captured, 5 - captured)
    assert caplog.text.count("has been rebuilt") == (change in REBUILT)
    assert probe.report.layers["memory"].verdict == "match"


def test_two_trainings_in_threads_do_not_disturb_each_other(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    x, y = training_data(rng)
    models = [trainable() for _ in range(2)]
    probes = [probed(x, tmp_path / str(number)) for number in range(2)]

    def train(number: int) -> None:
        models[number].fit(x, y, batch_size=8, verbose=0, callbacks=[probes[number]])

    threads = [threading.Thread(target=train, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    for number in range(2):
        assert captured_steps(tmp_path / str(number)) == [0, 2, 4, 6, 8]
        assert probes[number].report.layers["memory"].verdict == "match"
        assert (probes[number].report.captured, probes[number].report.failed) == (5, 0)


def test_settings_of_the_process_are_as_before(
    tmp_path: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    import matplotlib

    x, y = training_data(rng)

    def settings() -> tuple[Any, ...]:
        root = logging.getLogger()
        return (
            np.get_printoptions(), np.geterr(), dict(matplotlib.rcParams), root.level,
            list(root.handlers), logging.getLogger("lstm_probe").handlers, threading.active_count(),
        )  # fmt: skip

    model = trainable()
    model.fit(x, y, batch_size=8, verbose=0)
    before = settings()
    model.fit(
        x, y, batch_size=8, verbose=0, callbacks=[probed(x, tmp_path / "well", detail="full")]
    )
    assert settings() == before
    monkeypatch.setattr("lstm_probe.logs.run_log.captures_value", lambda *_, **__: 1 / 0)
    with pytest.raises(LstmProbeError, match="ZeroDivisionError"):
        model.fit(x, y, batch_size=8, verbose=0, callbacks=[probed(x, tmp_path / "ill")])
    assert settings() == before


CALL_SITES = [
    "lstm_probe.callbacks.recording.captures.analyse",
    "lstm_probe.models.keras.sites.Site.read",
    "lstm_probe.logs.run_log.layer_values",
    "lstm_probe.logs.events.event_file._append",
    "lstm_probe.analysis.alerts.board.AlertBoard.update",
    "lstm_probe.models.keras.reader.StepReader.__call__",
]


@pytest.mark.parametrize("site", CALL_SITES)
@pytest.mark.daily(2)
def test_an_error_anywhere_in_the_probe_does_not_stop_the_training(
    site: str,
    tmp_path: Path,
    rng: np.random.Generator,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    x, y = training_data(rng)

    def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError("injected")

    class Break(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
            if batch == 1:
                monkeypatch.setattr(site, broken)

    model = trainable()
    history = model.fit(x, y, batch_size=8, verbose=0, callbacks=[Break(), probed(x, tmp_path)])
    monkeypatch.undo()
    assert len(history.history["loss"]) == 1
    assert int(model.optimizer.iterations) == 8
    told = [r for r in caplog.records if "RuntimeError: injected" in r.getMessage()]
    assert 1 <= len(told) <= 2
    assert captured_steps(tmp_path) == [0]


def test_a_loop_of_the_users_own_is_probed(tmp_path: Path, rng: np.random.Generator) -> None:
    x, y = training_data(rng)
    model = trainable()
    probe = probed(x, tmp_path)
    probe.step(model)
    for _ in range(5):
        model.train_on_batch(x, y)
        probe.step(model)
    probe.close()
    assert captured_steps(tmp_path) == [0, 2, 4, 5]
    numbered = probed(x, tmp_path / "numbered", every=10)
    for step in range(0, 31, 5):
        numbered.step(model, step)
    numbered.close()
    assert captured_steps(tmp_path / "numbered") == [0, 10, 20, 30]
    with pytest.raises(LstmProbeError, match="does not fit"):
        ProbeCallback(np.ones((1, 6, 4)), tmp_path).step(model)
