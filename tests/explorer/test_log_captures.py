"""Captures read from a log directory without TensorBoard, and what becomes of a log meanwhile."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tab_logs
from tab_logs import wait_until
from tensorboard.compat.proto.summary_pb2 import DATA_CLASS_BLOB_SEQUENCE
from werkzeug.test import Client, TestResponse

from lstm_probe.analysis.alerts.board import Alert
from lstm_probe.explorer.log_captures import LogCaptures
from lstm_probe.explorer.requests import WHOLE
from lstm_probe.explorer.server import Access, Application
from lstm_probe.logs import EventFile
from lstm_probe.logs.stored.course import captures_value, point_of
from lstm_probe.logs.stored.format import pack, unpack
from lstm_probe.logs.stored.names import PROBE, PROBE_SERIES, stored_tag
from lstm_probe.logs.stored.reader import RunReader
from lstm_probe.logs.stored.values import plugin_metadata
from lstm_probe.logs.tags.values import strings_value


def names(captures: LogCaptures) -> list[str]:
    return [run["name"] for run in captures.runs(WHOLE)]


def get(client: Client, path: str, **parameters: Any) -> TestResponse:
    return client.get(f"/{path}", query_string=parameters)


def test_runs_and_captures_are_found_as_they_appear(tmp_path: Path) -> None:
    with LogCaptures(tmp_path) as captures:
        assert names(captures) == []
        tab_logs.write_run(tmp_path / "b", [0])
        wait_until(lambda: names(captures) == ["b/lstm_probe"])
        tab_logs.write_run(tmp_path / "a", [0])
        wait_until(lambda: names(captures) == ["a/lstm_probe", "b/lstm_probe"])
        tab_logs.write_small_run(tmp_path / "a" / "lstm_probe", range(5, 6))
        wait_until(lambda: captures.steps(WHOLE, "a/lstm_probe", "memory") == [0, 5])


def test_a_run_that_is_deleted_or_begun_anew_is_told(tmp_path: Path) -> None:
    tab_logs.write_run(tmp_path / "a", [0])
    tab_logs.write_run(tmp_path / "b", [0])
    with LogCaptures(tmp_path) as captures:
        client = Client(Application(captures, Access("127.0.0.1")))
        place = {"run": "a/lstm_probe", "layer": "memory", "step": 0}
        assert get(client, "capture", **place).status_code == 200
        shutil.rmtree(tmp_path / "a")
        answer = get(client, "capture", **place)
        assert answer.status_code == 404
        assert len(answer.json["error"]) > 20
        wait_until(lambda: names(captures) == ["b/lstm_probe"])
        tab_logs.write_run(tmp_path / "a", [9])
        wait_until(lambda: names(captures) == ["a/lstm_probe", "b/lstm_probe"])
        assert captures.steps(WHOLE, "a/lstm_probe", "memory") == [9]


def test_a_log_that_is_truncated_shows_what_is_left_and_then_grows(tmp_path: Path) -> None:
    directory = tab_logs.write_run(tmp_path / "a", [0, 5, 9])
    (path,) = directory.glob("*tfevents*")
    whole = path.read_bytes()
    with LogCaptures(tmp_path) as captures:
        client = Client(Application(captures, Access("127.0.0.1")))
        place = {"run": "a/lstm_probe", "layer": "memory"}
        assert get(client, "steps", **place).json == {"steps": [0, 5, 9]}
        path.write_bytes(whole[:-100])
        assert get(client, "capture", **place, step=9).status_code == 404
        wait_until(lambda: get(client, "steps", **place).json == {"steps": [0, 5]})
        assert get(client, "capture", **place, step=5).status_code == 200
        path.write_bytes(whole)
        wait_until(lambda: get(client, "steps", **place).json == {"steps": [0, 5, 9]})


def test_reading_goes_on_after_what_nobody_foresaw(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tab_logs.write_run(tmp_path / "a", [0])
    with LogCaptures(tmp_path) as captures:
        assert names(captures) == ["a/lstm_probe"]
        with monkeypatch.context() as broken:
            broken.setattr(RunReader, "refresh", lambda run: 1 / 0)
            wait_until(lambda: "could not be read" in caplog.text)
        tab_logs.write_small_run(tmp_path / "a" / "lstm_probe", range(5, 6))
        wait_until(lambda: captures.steps(WHOLE, "a/lstm_probe", "memory") == [0, 5])


def test_a_directory_that_vanishes_is_told_and_found_again(tmp_path: Path) -> None:
    log_dir = tmp_path / "logs"
    tab_logs.write_run(log_dir / "a", [0])
    with LogCaptures(log_dir) as captures:
        client = Client(Application(captures, Access("127.0.0.1")))
        assert get(client, "runs").status_code == 200
        log_dir.rename(tmp_path / "elsewhere")
        answer = get(client, "runs")
        assert answer.status_code == 404
        assert "no such log directory" in answer.json["error"]
        wait_until(lambda: get(client, "layers", run="a/lstm_probe").status_code == 404)
        (tmp_path / "elsewhere").rename(log_dir)
        wait_until(lambda: get(client, "layers", run="a/lstm_probe").status_code == 200)
        assert names(captures) == ["a/lstm_probe"]


def test_the_probes_own_data_stay_in_a_log_that_is_thinned(tmp_path: Path) -> None:
    metadata = plugin_metadata(DATA_CLASS_BLOB_SEQUENCE)
    tab_logs.write_small_run(tmp_path, range(3))
    with EventFile(tmp_path) as file:
        tag = stored_tag(PROBE_SERIES, PROBE)
        data = pack({"inputs/x": np.zeros(3)}, {})
        file.write([strings_value(tag, metadata, [data], scalar=False)], step=3)
    tab_logs.write_small_run(tmp_path, range(4, 50))
    run = RunReader(tmp_path, most=10)
    assert len(run.steps("memory")) <= 10
    assert run.probe() is not None


def test_alerts_stay_in_the_course_of_a_log_that_is_thinned(tmp_path: Path) -> None:
    alert = Alert("dead_units", "memory", 7, "1 of 5", 0.2, 0.1, "lower the learning rate", unit=3)
    summaries = [tab_logs.analysis(0).summary()]
    with EventFile(tmp_path) as file:
        for step in range(60):
            point = point_of(summaries, step=step, alerts=[alert] if step == 7 else [])
            file.write([captures_value(point)], step=step)
    run = RunReader(tmp_path, most=10)
    assert 7 in [point.step for point in run.course]
    assert len(run.course) <= 11


def test_a_log_that_grows_for_ever_takes_bounded_memory(tmp_path: Path) -> None:
    tab_logs.write_small_run(tmp_path / "long", range(900))
    with LogCaptures(tmp_path, most=100) as captures:
        steps = captures.steps(WHOLE, "long", "memory")
        assert 50 <= len(steps) <= 100
        assert (steps[0], steps[-1]) == (0, 899)
        points = [point.step for point in captures.timeline(WHOLE, "long")]
        assert points == steps
        assert captures.layers(WHOLE, "long") == {"memory": steps}
        for step in steps[:: len(steps) // 3]:
            assert unpack(captures.capture(WHOLE, "long", "memory", step)).meta["layer"] == "memory"
