"""Logs whose records are not what lstm_probe wrote, and disks that are full."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli_files import DATA, run
from samples import snapshot
from tensorboard.compat.proto.summary_pb2 import Summary

from lstm_probe import analyse
from lstm_probe.logs import EventFile, RunLog
from lstm_probe.logs.stored.format import pack
from lstm_probe.logs.stored.names import CAPTURES_TAG
from lstm_probe.logs.stored.reader import find_runs

GATE = np.zeros((1, 3, 2), np.float16)
INDICES = {name: np.arange(n, dtype=np.int32) for name, n in
           (("sequences", 1), ("timesteps", 3), ("units", 2))}  # fmt: skip
META = {"letters": ["f"], "ranges": {"f": [0, 1]}, "titles": {"f": "gate"}, "cell": "lstm",
        "step": 0, "layer": "x", "parity": None}  # fmt: skip


def value_of(tag: str, data: bytes | None) -> Summary.Value:
    value = Summary.Value(tag=tag)
    value.metadata.plugin_data.plugin_name = "lstm_probe"
    if data is not None:
        value.tensor.string_val.append(data)
    return value


def log_of(directory: Path, capture: bytes | None, point: bytes | None) -> Path:
    with EventFile(directory / "lstm_probe") as file:
        values = [value_of("x/capture", capture), value_of(CAPTURES_TAG, point)]
        file.write(values, step=0)
    return directory


def packed(arrays: Any = None, meta: Any = None) -> bytes:
    return pack({"gates/f": GATE, **INDICES, **(arrays or {})}, {**META, **(meta or {})})


CAPTURES = {
    "nothing": None,
    "empty": b"",
    "garbage": b"\x99" * 50,
    "no letters": packed(meta={"letters": 7}),
    "other letters": packed(meta={"letters": ["f", "q"]}),
    "flat gate": packed({"gates/f": np.zeros(3, np.float16)}),
    "whole numbers": packed({"gates/f": np.zeros((1, 3, 2), np.int32)}),
    "no indices": packed({"units": np.zeros(9, np.int32)}),
    "several lengths": packed({"gates/g": np.zeros((1, 5, 2), np.float16)},
                              {"letters": ["f", "g"]}),
    "ranges": packed(meta={"ranges": {"f": "wide"}}),
    "range beyond float64": packed(meta={"ranges": {"f": [0, 10**400]}}),
    "mask": packed({"mask": np.zeros((9, 9), np.uint8)}),
}  # fmt: skip
POINT = {"format": 1, "step": 1, "epoch": None, "layers": {}, "alerts": []}
POINTS = [None, b"", b"{", b"[]", b"7"] + [json.dumps({**POINT, **other}).encode() for other in (
    {"format": 2}, {"step": "x"}, {"epoch": "x"}, {"layers": [1]}, {"layers": {"x": 3}},
    {"layers": {"x": {"saturated": {"f": "much"}}}}, {"layers": {"x": {"verdict": ["match"]}}},
    {"layers": {"\ud800": {}}}, {"alerts": [{}]}, {"alerts": [1]},
    {"alerts": [{"layer": "x", "text": 7}]}, {"alerts": [{"layer": "x", "text": "\ud800"}]},
)]  # fmt: skip


def fine_or_one_line(result: Any) -> None:
    assert result.exit_code in (0, 2), result.output
    if result.exit_code == 2:
        assert result.stderr.count("\n") == 1
        assert "should not happen" not in result.stderr, result.stderr


@pytest.mark.parametrize("name", CAPTURES)
def test_a_capture_that_is_damaged_is_refused_by_every_command(tmp_path, name):
    log_dir = log_of(tmp_path / "logs", CAPTURES[name], None)
    for command in (
        ["export", log_dir, "-o", tmp_path / "a.npz"],
        ["export", log_dir, "-o", tmp_path / "a.csv"],
        ["report", log_dir, "-o", tmp_path / "a.html"],
        ["report", log_dir, "-o", tmp_path / "a.png"],
        ["diff", log_dir, log_dir],
    ):
        result = run(*command)
        assert result.exit_code == 2, (command, result.output)
        fine_or_one_line(result)
    fine_or_one_line(run("watch", log_dir, "--once"))
    assert [path.name for path in tmp_path.iterdir()] == ["logs"]


def test_the_samples_are_fine_when_nothing_is_wrong_with_them(tmp_path):
    log_dir = log_of(tmp_path / "logs", packed(), json.dumps(POINT).encode())
    (reader,) = find_runs(log_dir).values()
    assert len(reader.course) == 1
    for output in ("a.npz", "a.csv"):
        assert run("export", log_dir, "-o", tmp_path / output).exit_code == 0
    for output in ("a.html", "a.png"):
        assert run("report", log_dir, "-o", tmp_path / output).exit_code == 0


@pytest.mark.parametrize("point", POINTS)
def test_a_course_that_is_damaged_is_left_out(tmp_path, point):
    log_dir = log_of(tmp_path / "logs", packed(), point)
    (reader,) = find_runs(log_dir).values()
    assert reader.course == []
    for command in (["watch", log_dir, "--once"], ["export", log_dir, "-o", tmp_path / "a.npz"]):
        assert run(*command).exit_code == 0


def test_damaged_bytes_in_a_log_never_get_more_than_one_line(tmp_path, rng):
    with RunLog(tmp_path / "logs", pictures=False) as log:
        for step in range(3):
            log.write([analyse(snapshot(rng, step=step))], step=step)
    (path,) = (tmp_path / "logs").rglob("*tfevents*")
    good = path.read_bytes()
    for number in range(40):
        data = bytearray(good)
        for place in rng.integers(0, len(data), 1 + number % 4):
            data[place] = rng.integers(256)
        path.write_bytes(bytes(data[: len(data) if number % 3 else len(data) // 2]))
        fine_or_one_line(run("watch", tmp_path / "logs", "--json"))
        fine_or_one_line(run("export", tmp_path / "logs", "-o", tmp_path / "a.npz"))


@pytest.mark.parametrize(
    "command",
    [
        "['export', LOGS, '-o', OUT + '.npz']",
        "['export', LOGS, '-o', OUT + '.csv']",
        "['export', LOGS, '-o', OUT + '.nc']",
        "['export', LOGS, '-o', OUT + '.parquet']",
        "['report', LOGS, '-o', OUT + '.html']",
        "['report', LOGS, '-o', OUT + '.png']",
        "['inspect', MODEL, '--random', '8,99,3', '--log-dir', OUT]",
        "['inspect', MODEL, '--random', '8,99,3', '--plot', OUT + '.pdf']",
    ],
)
def test_nothing_is_left_behind_when_the_disk_is_full(tmp_path, rng, command):
    """A limit of the size of files stands for the disk: writing fails in the same place."""
    with RunLog(tmp_path / "logs", pictures=False) as log:
        log.write([analyse(snapshot(rng, batch=4, time=64))], step=0)
    names = {"LOGS": tmp_path / "logs", "OUT": tmp_path / "out", "MODEL": DATA / "torch_state.pt"}
    code = "import resource, sys\nfrom lstm_probe.cli import main\n"
    code += "".join(f"{name} = {str(path)!r}\n" for name, path in names.items())
    code += f"sys.argv[1:] = {command}\n"
    code += "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\nmain()"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd="/", timeout=60
    )
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("\n") == 1
    assert "should not happen" not in done.stderr, done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["logs"]


_AT_EVERY_SIZE = """
import os, resource, sys
from pathlib import Path
from lstm_probe.logs.export import export, series_of
from lstm_probe.logs.stored.reader import find_runs
logs, target = map(Path, sys.argv[1:])
(run,) = find_runs(logs).values()
series = series_of(run)
export(target, series)
whole, failed = target.stat().st_size, 0
sizes = [*range(0, whole, whole // 24), *range(whole - 1000, whole, 100)]
for size in sizes:
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    try:
        export(target, series)
    except OSError:
        failed += 1
print(failed, "of", len(sizes))
"""


def test_netcdf_ends_in_an_error_wherever_the_disk_is_full(tmp_path, rng):
    """HDF5 would bring the process down."""
    with RunLog(tmp_path / "logs", pictures=False) as log:
        for step in range(4):
            log.write([analyse(snapshot(rng, batch=2, time=64))], step=step)
    done = subprocess.run(
        [sys.executable, "-c", _AT_EVERY_SIZE, tmp_path / "logs", tmp_path / "a.nc"],
        capture_output=True, text=True, cwd="/", timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    failed, _, count = done.stdout.split()
    assert failed == count


def test_json_of_watch_can_be_read_by_scripts(tmp_path, rng):
    with RunLog(tmp_path / "logs") as log:
        log.write([analyse(snapshot(rng))], step=0)
    found = json.loads(run("watch", tmp_path / "logs", "--json").stdout)
    assert found["lstm_probe"]["layers"]["memory"]["verdict"] == "match"


@pytest.mark.parametrize(
    "arguments",
    [
        ("export", "logs", "-o", "gates.npz"),
        ("report", "logs", "-o", "page.html"),
        ("watch", "logs", "--once"),
        ("diff", "logs@0", "logs@0"),
    ],
    ids=lambda given: given[0],
)
def test_a_pipe_among_the_files_of_a_log_is_not_read(
    arguments: tuple[str, ...], tmp_path: Path, rng: np.random.Generator
) -> None:
    with RunLog(tmp_path / "logs", pictures=False) as log:
        log.write([analyse(snapshot(rng))], step=0)
    os.mkfifo(log.directory / "events.out.tfevents.9999999999.pipe")
    (tmp_path / "logs" / "other").mkdir()
    os.mkfifo(tmp_path / "logs" / "other" / "events.out.tfevents.1.pipe")
    process = subprocess.run(
        [sys.executable, "-m", "lstm_probe", *arguments],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=60,
    )
    assert process.returncode == 0, process.stderr
