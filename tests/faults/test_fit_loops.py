"""Several fits with one callback are one training, which nothing of ours ends."""

from __future__ import annotations

import copy
import errno
import logging
import os
import pickle
from pathlib import Path
from typing import Any

import event_reading
import keras
import numpy as np
import pytest
from keras import layers
from keras_models import trainable
from samples import training_data

from lstm_probe import LstmProbeError, weights
from lstm_probe.callbacks import ProbeCallback
from lstm_probe.callbacks.recording.budget import Budget
from lstm_probe.logs import EventFile
from lstm_probe.models.keras.reader import KerasReader

NEVER = 10**6


def event_files(log_dir: Path) -> list[Path]:
    return [path for path in log_dir.rglob("*tfevents*") if path.is_file()]


def fits(model: Any, probe: ProbeCallback, count: int, **options: Any) -> None:
    x, y = training_data(np.random.default_rng(0))
    for _ in range(count):
        model.fit(x, y, batch_size=32, verbose=0, callbacks=[probe], **options)  # 2 steps


def probed(log_dir: Path, **options: Any) -> ProbeCallback:
    x, _ = training_data(np.random.default_rng(0))
    return ProbeCallback(x[:1], log_dir, **{"every": NEVER, "max_overhead": None, **options})


def test_a_loop_of_fits_is_traced_once_and_has_one_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    traced = []
    made = KerasReader.__init__

    def counted(self: KerasReader, *given: Any, **options: Any) -> None:
        traced.append(1)
        made(self, *given, **options)

    monkeypatch.setattr(KerasReader, "__init__", counted)
    model, probe = trainable(), probed(tmp_path)
    fits(model, probe, 5)
    assert (len(traced), len(event_files(tmp_path))) == (1, 1)
    ends = [0, *(int(model.optimizer.iterations) * part // 5 for part in range(1, 6))]
    assert event_reading.captured_steps(tmp_path) == ends


def test_later_fits_capture_only_what_is_due_and_ends_that_the_budget_allows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    allowed = iter([True, False, False, True])
    monkeypatch.setattr(Budget, "allows_end", lambda self, of_fit: next(allowed))
    monkeypatch.setattr(Budget, "allows", lambda self: True)
    model, probe = trainable(), probed(tmp_path, every=7)
    fits(model, probe, 5, epochs=2)
    per_fit = int(model.optimizer.iterations) // 5
    due = set(range(0, 5 * per_fit + 1, 7))
    ends = {per_fit, 2 * per_fit, 5 * per_fit}
    assert event_reading.captured_steps(tmp_path) == sorted(due | ends)
    assert (probe.report.skipped, probe.report.failed) == (0, 0)


def test_close_captures_the_last_weights_whatever_that_costs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Budget, "allows_end", lambda self, of_fit: False)
    model, probe = trainable(), probed(tmp_path)
    fits(model, probe, 3)
    steps = int(model.optimizer.iterations)
    assert event_reading.captured_steps(tmp_path) == [0, steps // 3]
    probe.close()
    probe.close()
    assert event_reading.captured_steps(tmp_path) == [0, steps // 3, steps]
    assert len(event_files(tmp_path)) == 1
    kernel, *_ = weights.to_keras(probe.analyses["memory"].snapshot.weights)
    np.testing.assert_array_equal(kernel, model.get_layer("memory").cell.kernel)


def test_another_model_gets_a_run_of_its_own(tmp_path: Path) -> None:
    probe = probed(tmp_path)
    for _ in range(2):
        fits(trainable(), probe, 2)
    assert sorted(path.parent.name for path in event_files(tmp_path)) == [
        "lstm_probe",
        "lstm_probe_2",
    ]
    for name in ("lstm_probe", "lstm_probe_2"):
        steps = event_reading.steps(tmp_path / name, "memory/gates/2_f")
        assert steps[0] == 0
        assert len(steps) == 3


def test_a_model_that_was_compiled_anew_is_read_anew(tmp_path: Path) -> None:
    """Keras itself takes note of what was changed in a model when it is compiled."""
    model, probe = trainable(), probed(tmp_path)
    fits(model, probe, 1)
    model.get_layer("memory").cell.activation = keras.activations.relu
    model.compile("sgd", "mse")
    fits(model, probe, 1)
    assert probe.analyses["memory"].snapshot.cell.activation == "relu"
    assert str(probe.analyses["memory"].parity.verdict) == "match"


def test_only_the_first_fit_may_refuse(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    x, y = training_data(np.random.default_rng(0))
    plain = keras.Sequential([keras.Input(x.shape[1:]), layers.Flatten(), layers.Dense(y.shape[1])])
    plain.compile("sgd", "mse")
    with pytest.raises(LstmProbeError):
        fits(plain, probed(tmp_path / "first"), 1)
    model, probe = trainable(), probed(tmp_path)
    fits(model, probe, 1)
    with caplog.at_level(logging.WARNING):
        fits(plain, probe, 2)
    assert int(plain.optimizer.iterations) > 0
    assert caplog.text.count("training goes on") == 1
    fits(model, probe, 1)
    assert event_reading.captured_steps(tmp_path)[-1] == int(model.optimizer.iterations)


def test_a_disk_that_is_full_between_fits_ends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    model, probe = trainable(), probed(tmp_path, every=2)
    fits(model, probe, 1)
    before = probe.report.captured
    with monkeypatch.context() as patch, caplog.at_level(logging.WARNING):
        patch.setattr(EventFile, "write", full)
        fits(model, probe, 2)
    failed = probe.report.failed
    fits(model, probe, 1)
    assert failed > 0
    assert (probe.report.failed, probe.report.skipped) == (failed, 0)
    assert probe.report.captured > before
    assert "No space left" in caplog.text


def test_a_copy_of_a_callback_that_has_trained_trains_another_model(tmp_path: Path) -> None:
    model, probe = trainable(), probed(tmp_path)
    fits(model, probe, 1)
    probe.set_model(None)
    for again in (copy.deepcopy(probe), pickle.loads(pickle.dumps(probe))):
        fits(trainable(), again, 1)
        assert again.report.captured == probe.report.captured + 2
    assert sorted({path.parent.name for path in event_files(tmp_path)}) == [
        "lstm_probe",
        "lstm_probe_2",
        "lstm_probe_3",
    ]


def test_two_callbacks_with_one_directory_have_a_run_each(tmp_path: Path) -> None:
    x, y = training_data(np.random.default_rng(0))
    probes = [ProbeCallback(x[k : k + 1], tmp_path, every=2, max_overhead=None) for k in range(2)]
    model = trainable()
    for _ in range(2):
        model.fit(x, y, batch_size=16, verbose=0, callbacks=probes)
    directories = [probe.report.directory for probe in probes]
    assert [path.name for path in directories if path] == ["lstm_probe", "lstm_probe_2"]
    for probe in probes:
        assert probe.report.directory is not None
        steps = event_reading.steps(probe.report.directory, "memory/gates/2_f")
        assert steps == sorted(set(steps))
        assert len(steps) == probe.report.captured
    # A training that is resumed finds the runs of the last one, each its own.
    again = [ProbeCallback(x[k : k + 1], tmp_path, every=2, max_overhead=None) for k in range(2)]
    model.fit(x, y, batch_size=16, verbose=0, callbacks=again)
    assert [probe.report.directory for probe in again] == directories


def test_an_exit_in_the_background_reaches_the_training(tmp_path: Path) -> None:
    x, y = training_data(np.random.default_rng(0))

    def leave(_: Any) -> None:
        raise SystemExit(3)

    class Poison(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
            if batch == 1:
                kernel = self.model.get_layer("memory").cell.recurrent_kernel
                kernel.assign(kernel * np.nan)

    probe = probed(tmp_path, every=1, background=True, on_alert=leave)
    model = trainable()
    with pytest.raises(SystemExit) as left:
        model.fit(x, y, batch_size=8, epochs=50, verbose=0, callbacks=[Poison(), probe])
    assert left.value.code == 3
    assert int(model.optimizer.iterations) < 400


def test_pauses_between_fits_are_no_training_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("lstm_probe.callbacks.recording.budget.GRACE", 2.0)
    monkeypatch.setattr("time.perf_counter", lambda: now[0])
    budget = Budget(0.01)
    for _ in range(3):
        budget.start()
        now[0] += 1.0
        budget.stop()
        now[0] += 1000.0
    assert budget.trained == 3.0
    budget.spend(0.02)
    assert budget.allows_end(of_fit=10)
    assert not budget.allows_end(of_fit=11)
    budget.start()
    now[0] += 1.1
    budget.stop()
    assert budget.allows_end(of_fit=11)
    budget.spend(1.99)
    assert not budget.allows_end(of_fit=2)
