"""A tracker that put its own writer in the place of TensorBoard's is told of the log."""

from __future__ import annotations

import logging
from pathlib import Path

import event_reading
import numpy as np
import pytest
from samples import snapshot
from tensorboard.summary.writer import event_file_writer

from lstm_probe import Snapshot
from lstm_probe.callbacks.recording.options import Options
from lstm_probe.callbacks.recording.recorder import Recorder

_TensorBoards = event_file_writer.EventFileWriter


class Model:
    """Random snapshots, which need not be computed any more."""

    def __init__(self) -> None:
        self._rng, self._found = np.random.default_rng(0), [snapshot(np.random.default_rng(0))]

    def take(self, step: int) -> Model:
        self._found = [snapshot(self._rng, step=step)]
        return self

    def snapshots(self) -> list[Snapshot]:
        return self._found


def record(log_dir: Path) -> list[int]:
    recorder, model = Recorder(log_dir, Options(max_overhead=None)), Model()
    recorder.start(0, model)
    recorder.capture(3, model)
    recorder.close()
    return event_reading.captured_steps(log_dir)


def test_tracker_is_told_of_the_directory_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []

    class TrackersWriter(_TensorBoards):  # type: ignore[misc]  # as that of wandb
        def __init__(self, logdir: str) -> None:
            told.append(logdir)
            super().__init__(logdir)

    monkeypatch.setattr(event_file_writer, "EventFileWriter", TrackersWriter)
    assert record(tmp_path) == [0, 3]
    assert told == [str(tmp_path / "lstm_probe")]
    assert record(tmp_path / "second") == [0, 3]


def test_no_file_is_made_when_nobody_listens(tmp_path: Path) -> None:
    assert record(tmp_path) == [0, 3]
    assert len(list((tmp_path / "lstm_probe").iterdir())) == 1


def test_training_goes_on_when_the_tracker_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken:
        def __init__(self, logdir: str) -> None:
            raise RuntimeError("no connection")

    monkeypatch.setattr(event_file_writer, "EventFileWriter", Broken)
    with caplog.at_level(logging.WARNING):
        assert record(tmp_path) == [0, 3]
    assert "telling trackers of the log" in caplog.text
