from __future__ import annotations

import logging
import os
import threading
import time
from pathlib import Path
from typing import Any

import event_reading
import keras
import numpy as np
import pytest
from event_reading import captured_steps
from keras_models import trainable
from samples import training_data

from lstm_probe.callbacks import ProbeCallback
from lstm_probe.callbacks.recording.worker import LIMIT, Worker
from lstm_probe.callbacks.schedule import Logarithmic


def weights_after(tmp_path: Path | None, rng: np.random.Generator, **options: Any) -> list[Any]:
    x, y = training_data(rng)
    keras.utils.set_random_seed(1)
    model = trainable()
    callbacks = [] if tmp_path is None else [ProbeCallback(x[:1], tmp_path, **options)]
    model.fit(x, y, batch_size=8, epochs=2, verbose=0, callbacks=callbacks)
    return model.get_weights()


def test_training_is_the_same_when_captures_are_worked_off_in_the_background(
    tmp_path: Path,
) -> None:
    bare = weights_after(None, np.random.default_rng(0))
    probed = weights_after(tmp_path, np.random.default_rng(0), every=5, background=True)
    assert all((a == b).all() for a, b in zip(bare, probed, strict=True))
    assert captured_steps(tmp_path)[0] == 0
    assert captured_steps(tmp_path)[-1] == 16


def test_the_background_shows_the_weights_of_the_step(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    x, y = training_data(rng)
    model = trainable()
    kernels, seen = {}, {}

    class Record(keras.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            kernels[int(self.model.optimizer.iterations)] = self.model.layers[0].get_weights()[0]
            time.sleep(0.1)  # so that the worker is done with it
            snapshot = probe.analyses["memory"].snapshot
            seen[snapshot.step] = snapshot.weights.kernel.reshape(3, 20).copy()

    probe = ProbeCallback(x[:1], tmp_path, every=1, background=True)
    model.fit(x, y, batch_size=8, verbose=0, callbacks=[probe, Record()])
    shown = sorted(set(seen) & set(kernels))
    assert len(shown) >= 6
    for step in shown:
        assert (seen[step] == kernels[step]).all()
    assert probe.report.layers["memory"].max_abs_error < 1e-5


def test_every_capture_is_written_or_counted_when_the_worker_is_too_slow(
    tmp_path: Path,
    rng: np.random.Generator,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    from lstm_probe.callbacks.recording import captures

    analyse = captures.analyse

    def slowly(*args: Any, **options: Any) -> Any:
        time.sleep(0.1)
        return analyse(*args, **options)

    monkeypatch.setattr(captures, "analyse", slowly)
    x, y = training_data(rng)
    before = set(threading.enumerate())
    probe = ProbeCallback(x[:1], tmp_path, every=1, background=True)
    trainable().fit(x, y, batch_size=8, epochs=3, verbose=0, callbacks=[probe])
    report = probe.report
    assert report.skipped > 0
    assert report.failed == 0
    assert report.captured + report.skipped == report.due == 25
    steps = captured_steps(tmp_path)
    assert len(steps) == report.captured
    assert (steps[0], steps[-1]) == (0, 24)
    assert sum("background" in record.getMessage() for record in caplog.records) == 1
    assert set(threading.enumerate()) <= before


def test_a_failure_in_the_background_is_counted_and_training_goes_on(
    tmp_path: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    x, y = training_data(rng)
    probe = ProbeCallback(x[:1], tmp_path, every=4, background=True)

    class Break(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
            if batch == 1:
                monkeypatch.setattr(
                    "lstm_probe.callbacks.recording.captures.analyse", lambda *_, **__: 1 / 0
                )

    trainable().fit(x, y, batch_size=8, verbose=0, callbacks=[Break(), probe])
    assert (probe.report.captured, probe.report.failed, probe.report.due) == (1, 2, 3)


def test_nothing_is_captured_in_a_forked_process(tmp_path: Path, rng: np.random.Generator) -> None:
    x, y = training_data(rng)
    probe = ProbeCallback(x[:1], tmp_path, every=1)
    sizes = []

    class Fork(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
            if batch == 2:
                # What a fork would change for the probe, without forking TensorFlow's threads.
                monkeypatch.setattr(os, "getpid", lambda: -1)
                sizes.append(len(captured_steps(tmp_path)))
            if batch == 4:
                sizes.append(len(captured_steps(tmp_path)))
                monkeypatch.undo()

    monkeypatch = pytest.MonkeyPatch()
    trainable().fit(x, y, batch_size=8, verbose=0, callbacks=[Fork(), probe])
    assert sizes == [3, 3]


def test_says_once_that_captures_are_left_out_when_they_exceed_the_budget(
    tmp_path: Path,
    rng: np.random.Generator,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("lstm_probe.callbacks.recording.budget.GRACE", 0.0)
    x, y = training_data(rng)
    with caplog.at_level(logging.WARNING):
        probe = ProbeCallback(x[:1], tmp_path, every=1, max_overhead=1e-9)
        trainable().fit(x, y, batch_size=8, verbose=0, callbacks=[probe])
    assert captured_steps(tmp_path) == [0, 1, 8]  # what a capture takes is known after the first
    assert (probe.report.captured, probe.report.skipped, probe.report.due) == (3, 6, 9)
    assert sum("max_overhead=1e-09" in record.getMessage() for record in caplog.records) == 1
    fractions = event_reading.steps(tmp_path / "lstm_probe", "cost/overhead_fraction")
    assert fractions == [0, 1, 8]


@pytest.mark.parametrize(
    ("every", "expected"),
    [(Logarithmic(per_decade=3), [0, 1, 2, 5, 8]), (lambda step: step in (3, 4), [0, 3, 4, 8])],
)
def test_captures_when_a_schedule_or_a_function_says_so(
    every: Any, expected: list[int], tmp_path: Path, rng: np.random.Generator
) -> None:
    x, y = training_data(rng)
    probe = ProbeCallback(x[:1], tmp_path, every=every)
    trainable().fit(x, y, batch_size=8, verbose=0, callbacks=[probe])
    assert captured_steps(tmp_path) == expected


def test_a_worker_takes_on_a_bounded_number_of_jobs() -> None:
    worker, gate, done = Worker(), threading.Event(), []
    offers = [worker.offer(lambda: done.append(gate.wait())) for _ in range(LIMIT + 3)]
    assert offers == [True] * (LIMIT + 1) + [False] * 2
    gate.set()
    worker.drain()
    assert len(done) == LIMIT + 1
