from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from typing import Any

import event_reading
import pytest
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary

from lstm_probe.logs import EventFile, last_step
from lstm_probe.logs.events.records import frame, read_records
from lstm_probe.logs.tags.values import scalar


def summary(value: float, *, padding: int = 0) -> list[Summary.Value]:
    return [scalar("tag", value, description="x" * padding)]


def test_framing_is_that_of_tensorboard_when_compared_byte_by_byte(tmp_path: Path) -> None:
    from tensorboard.summary.writer.record_writer import RecordWriter

    data = os.urandom(1000)
    with (tmp_path / "theirs").open("wb") as file:
        RecordWriter(file).write(data)
    assert frame(data) == (tmp_path / "theirs").read_bytes()


def test_tensorboard_reads_every_event_when_the_file_is_still_open(tmp_path: Path) -> None:
    file = EventFile(tmp_path)
    for step in range(5):
        file.write(summary(step / 2), step=step)
    read = event_reading.values(tmp_path)
    assert [float(event_reading.array(read["tag", step])) for step in range(5)] == [
        0.0, 0.5, 1.0, 1.5, 2.0,
    ]  # fmt: skip
    file.close()


def test_a_record_is_an_event_with_the_values_in_their_order(tmp_path: Path) -> None:
    values = [scalar(tag, 0.25, description="words") for tag in "cab"]
    with EventFile(tmp_path) as file:
        file.write((value for value in values), step=7)
        file.write([], step=2**40)
    first, *events = (Event.FromString(data) for _, data, _ in read_records(file.path))
    assert (first.file_version, first.HasField("summary")) == ("brain.Event:2", False)
    assert [event.step for event in events] == [7, 2**40]
    assert [list(event.summary.value) for event in events] == [values, []]
    assert all(event.HasField("summary") for event in events)
    assert first.wall_time <= events[0].wall_time <= events[1].wall_time <= time.time()


def test_nothing_of_a_record_remains_when_the_disk_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = EventFile(tmp_path)
    file.write(summary(1), step=1)
    whole = file.path.read_bytes()
    real = file._file

    class FullDisk:
        def write(self, data: bytes) -> int:
            return real.write(data[: len(data) // 2])

        def __getattr__(self, name: str) -> Any:
            return getattr(real, name)

    monkeypatch.setattr(file, "_file", FullDisk())
    with pytest.raises(OSError, match="bytes could be written"):
        file.write(summary(2), step=2)
    assert file.path.read_bytes() == whole
    monkeypatch.undo()
    file.write(summary(3), step=3)
    file.close()
    assert event_reading.steps(tmp_path, "tag") == [1, 3]


def test_file_is_begun_anew_when_the_directory_was_deleted(tmp_path: Path) -> None:
    directory = tmp_path / "run"
    file = EventFile(directory)
    file.write(summary(1), step=1)
    shutil.rmtree(directory)
    file.write(summary(2), step=2)
    file.close()
    assert event_reading.steps(directory, "tag") == [2]


def test_last_step_is_found_when_the_tail_is_torn(tmp_path: Path) -> None:
    with EventFile(tmp_path) as file:
        file.write(summary(1), step=10)
        file.write(summary(2, padding=1000), step=20)
    whole = file.path.read_bytes()
    assert last_step(tmp_path) == 20
    file.path.write_bytes(whole[:-1])
    assert last_step(tmp_path) == 10
    file.path.write_bytes(whole[:30])
    assert last_step(tmp_path) is None


def test_last_step_is_none_when_there_is_no_log(tmp_path: Path) -> None:
    assert last_step(tmp_path) is None
    assert last_step(tmp_path / "missing") is None
    with EventFile(tmp_path):
        pass
    assert last_step(tmp_path) is None
