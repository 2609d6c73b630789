"""What is done with a log after, or while, it is written: export, watch, diff."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas
import pytest
import xarray
from cli_files import one_line, run
from samples import lstm_weights, snapshot

from lstm_probe import GruCell, analyse
from lstm_probe.analysis.alerts.board import AlertBoard, Thresholds
from lstm_probe.core.stopwatch import STAGES
from lstm_probe.logs import RunLog
from lstm_probe.logs.stored.reader import find_runs
from lstm_probe.weights import GruWeights

STEPS = (0, 10, 25)


def gru_weights(rng: np.random.Generator) -> GruWeights:
    return GruWeights(*(rng.normal(0, 0.5, shape) for shape in ((3, 3, 4), (4, 3, 4), (3, 4))))


def write(log: RunLog, rng: np.random.Generator, board: AlertBoard, step: int) -> None:
    mask = np.ones((2, 7), bool)
    mask[1, 5:] = False
    at = {"step": step, "epoch": step / 10}
    masked = {"cell": GruCell(), "mask": mask}
    analyses = [
        analyse(snapshot(rng, weights=lstm_weights(rng), layer="rnn/lower", **at)),
        analyse(snapshot(rng, weights=gru_weights(rng), layer="upper", **at, **masked)),
    ]
    alerts = board.update(analyses)
    log.write(analyses, step=step, dynamics=board.dynamics, alerts=alerts)
    log.write_cost(2.5e-3, dict.fromkeys(STAGES, 1e-3), 0.0, step=step)


@pytest.fixture
def log_dir(tmp_path: Path, rng: np.random.Generator) -> Path:
    board = AlertBoard(Thresholds(patience=1))
    with RunLog(tmp_path / "logs") as log:
        for step in STEPS:
            write(log, rng, board, step)
    return tmp_path / "logs"


def stored(log_dir: Path, layer: str, step: int, letter: str) -> np.ndarray:
    (reader,) = find_runs(log_dir).values()
    return reader.capture(layer, step).arrays[f"gates/{letter}"].astype(np.float64)


def export(log_dir: Path, output: Path, *options: str) -> Path:
    result = run("export", log_dir, "-o", output, *options)
    assert result.exit_code == 0, result.output
    assert [path.name for path in output.parent.iterdir() if output.name in path.name] == [
        output.name
    ]
    return output


def test_npz_holds_every_capture_with_its_labels(log_dir, tmp_path):
    with np.load(export(log_dir, tmp_path / "gates.npz"), allow_pickle=False) as file:
        assert file["rnn/lower/f"].shape == (3, 2, 7, 5)
        assert file["rnn/lower/step"].tolist() == [*STEPS]
        assert file["rnn/lower/epoch"].tolist() == [0, 1, 2.5]
        assert file["upper/mask"][2].tolist() == [[1] * 7, [1] * 5 + [0] * 2]
        for layer, letters in {"rnn/lower": "ifgoch", "upper": "zrgh"}.items():
            for letter in letters:
                for number, step in enumerate(STEPS):
                    np.testing.assert_array_equal(
                        file[f"{layer}/{letter}"][number], stored(log_dir, layer, step, letter)
                    )


def test_netcdf_is_labelled_for_xarray(log_dir, tmp_path):
    path = export(log_dir, tmp_path / "gates.nc")
    with xarray.open_dataset(path, group="rnn/lower") as lower:
        assert lower["f"].dims == ("step", "sequence", "time", "unit")
        assert lower["f"].attrs["long_name"] == "forget gate f"
        assert lower["f"].attrs["valid_range"].tolist() == [0, 1]
        chosen = lower["c"].sel(step=10, unit=3, time=6, sequence=1)
        assert float(chosen) == stored(log_dir, "rnn/lower", 10, "c")[1, 6, 3]
        assert lower["epoch"].values.tolist() == [0, 1, 2.5]


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_tables_have_a_row_for_each_step_layer_and_unit(log_dir, tmp_path, ending):
    path = export(log_dir, tmp_path / f"gates{ending}")
    table = pandas.read_csv(path) if ending == ".csv" else pandas.read_parquet(path)
    assert len(table) == 3 * 2 * 7 * (5 + 4)
    row = table.query("layer == 'upper' and step == 25 and sequence == 1 and time == 3").iloc[2]
    assert row.unit == 2
    assert row.z == pytest.approx(stored(log_dir, "upper", 25, "z")[1, 3, 2], rel=1e-4)
    assert np.isnan(row.f)
    assert table.query("layer == 'upper'")["mask"].mean() == pytest.approx(12 / 14)


def test_layers_and_gates_are_chosen(log_dir, tmp_path):
    path = export(log_dir, tmp_path / "f.npz", "--gate", "f", "--layer", "rnn/lower")
    with np.load(path) as file:
        arrays = {name for name in file if file[name].ndim == 4}
    assert arrays == {"rnn/lower/f"}


def test_what_is_there_is_exported_while_the_training_writes(tmp_path, rng):
    with RunLog(tmp_path / "logs") as log:
        write(log, rng, AlertBoard(), 0)
        with log._file.path.open("ab") as file:
            file.write(b"\x99\x00\x00\x00\x00\x00\x00\x00half a record")
        path = export(tmp_path / "logs", tmp_path / "gates.npz")
    assert np.load(path)["upper/step"].tolist() == [0]


def test_a_projected_h_has_an_axis_of_its_own(tmp_path, rng):
    weights = lstm_weights(rng)
    projected = type(weights)(
        weights.kernel, rng.normal(size=(2, 4, 5)), projection=rng.normal(size=(5, 2))
    )
    from lstm_probe import LstmCell, Snapshot

    x = rng.normal(size=(1, 7, 3))
    h = LstmCell().run(x, projected).h
    with RunLog(tmp_path / "logs") as log:
        seen = Snapshot(0, "small", LstmCell(), projected, x=x, output=h, dtype="float64")
        log.write([analyse(seen)], step=0)
    with xarray.open_dataset(export(tmp_path / "logs", tmp_path / "a.nc"), group="small") as data:
        assert dict(data.sizes) == {
            "step": 1, "sequence": 1, "time": 7, "unit": 5, "output_unit": 2
        }  # fmt: skip
    table = pandas.read_csv(export(tmp_path / "logs", tmp_path / "a.csv"))
    assert table.h.notna().sum() == 14
    assert table.f.notna().sum() == 35


def test_a_layer_whose_name_leads_elsewhere_stays_in_the_archive(tmp_path, rng):
    with RunLog(tmp_path / "logs") as log:
        log.write([analyse(snapshot(rng, layer="../../x", step=0))], step=0)
    with np.load(export(tmp_path / "logs", tmp_path / "gates.npz")) as file:
        assert "_/_/x/f" in file


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["absent", "-o", "a.npz"], "no such log directory"),
        ([".", "-o", "a.npz"], "no log of lstm_probe"),
        (["logs", "-o", "a.xlsx"], ".npz, .nc, .csv, .parquet"),
        (["logs", "-o", "absent/a.npz"], "no directory to write to"),
        (["logs", "-o", "a.npz", "--layer", "x"], "Expected one of 'rnn/lower', 'upper'"),
        (["logs", "-o", "a.npz", "--gate", "q"], "Expected some of c, f, g, h, i, o, r, z"),
        (["logs", "-o", "a.npz", "--run", "x"], "--run with one of 'lstm_probe'"),
    ],
)
def test_one_line_says_what_is_wrong_when_an_export_is_not_possible(
    log_dir, tmp_path, monkeypatch, options, expected
):
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty" if options[0] == "." else tmp_path)
    assert expected in one_line(run("export", *options))
    assert not list(tmp_path.glob("*a.*"))


@pytest.mark.parametrize("ending", [".npz", ".nc", ".csv", ".parquet"])
def test_nothing_is_left_behind_when_the_log_is_damaged(log_dir, tmp_path, ending, monkeypatch):
    from lstm_probe.core.errors import LstmProbeError
    from lstm_probe.logs.stored.reader import RunReader

    good = RunReader.capture

    def damaged(self, layer, step):
        if (layer, step) == ("upper", 10):
            raise LstmProbeError("the capture is damaged")
        return good(self, layer, step)

    monkeypatch.setattr(RunReader, "capture", damaged)
    assert "is damaged" in one_line(run("export", log_dir, "-o", tmp_path / f"gates{ending}"))
    assert [path.name for path in tmp_path.iterdir()] == ["logs"]


def test_captures_of_two_shapes_go_into_tables_only(tmp_path, rng):
    with RunLog(tmp_path / "logs") as log:
        for step, time_ in ((0, 7), (10, 9)):
            log.write([analyse(snapshot(rng, layer="a", step=step, time=time_))], step=step)
    line = one_line(run("export", tmp_path / "logs", "-o", tmp_path / "gates.npz"))
    assert "export to .csv or .parquet" in line
    table = pandas.read_csv(export(tmp_path / "logs", tmp_path / "gates.csv"))
    assert len(table) == 2 * 5 * (7 + 9)


def test_watch_shows_the_latest_capture_of_each_layer(log_dir):
    shown = run("watch", log_dir, "--once").stdout
    assert "rnn/lower" in shown
    assert "match" in shown
    assert "2.5 ms" in shown
    found = json.loads(run("watch", log_dir, "--json").stdout)["lstm_probe"]
    assert (found["captures"], found["step"]) == (3, 25)
    assert found["alerts"]


def test_watch_goes_on_while_the_training_writes(tmp_path, rng):
    (tmp_path / "logs").mkdir()
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "lstm_probe", "watch", tmp_path / "logs", "--interval", "0.1"],
        stdout=subprocess.PIPE, text=True, cwd="/", env={**os.environ, "COLUMNS": "160"},
        # A shell's background jobs ignore it, and would hand that on.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    try:
        board = AlertBoard()
        with RunLog(tmp_path / "logs") as log:
            for step in STEPS:
                write(log, rng, board, step)
                time.sleep(0.5)
        time.sleep(4)
        process.send_signal(signal.SIGINT)
        shown, _ = process.communicate(timeout=20)
    finally:
        process.kill()
    assert process.returncode == 0
    assert "25" in shown
    assert "match" in shown


def test_watch_says_that_there_is_no_log(tmp_path):
    assert "no log of lstm_probe" in one_line(run("watch", tmp_path, "--once"))
    assert "no such log directory" in one_line(run("watch", tmp_path / "absent"))


def test_diff_of_two_steps_names_gates_units_and_timesteps(log_dir):
    sides = [f"{log_dir}@{step}" for step in (0, 25)]
    changes = json.loads(run("diff", *sides, "--json").stdout)
    assert {(each["layer"], each["gate"]) for each in changes} == {
        *(("rnn/lower", letter) for letter in "ifgoch"),
        *(("upper", letter) for letter in "zrgh"),
    }
    change = next(each for each in changes if each["gate"] == "f")
    ours = np.abs(stored(log_dir, "rnn/lower", 25, "f") - stored(log_dir, "rnn/lower", 0, "f"))
    assert change["largest"] == ours.max()
    assert ours[change["sequence"], change["timestep"], change["unit"]] == ours.max()
    assert change["units"][0] == np.square(ours).mean(axis=(0, 1)).argmax()
    assert change["timesteps"][0] == np.square(ours).mean(axis=(0, 2)).argmax()
    assert change["rms"] == pytest.approx(np.sqrt(np.square(ours).mean()))


@pytest.mark.parametrize(
    ("details", "largest"), [(("gates", "full"), 0.0), (("full", "full"), 1e-5)]
)
def test_diff_takes_two_logs_as_exactly_as_both_are(details, largest, tmp_path, rng):
    one = analyse(snapshot(rng))
    f = one.trace.f.astype(np.float16).astype(np.float64)  # on a number of float16
    for side, detail, change in zip("ab", details, (0.0, 1e-5), strict=True):
        trace = replace(one.trace, arrays={**one.trace.arrays, "f": f + change})
        with RunLog(tmp_path / side, detail=detail, pictures=False) as log:
            log.write([replace(one, trace=trace)], step=0)
    found = run("diff", tmp_path / "a", tmp_path / "b", "--json")
    changes = {each["gate"]: each["largest"] for each in json.loads(found.stdout)}
    assert changes.pop("f") == pytest.approx(largest, abs=2e-7)
    assert set(changes.values()) == {0.0}


def test_diff_fails_its_check_when_something_changed(log_dir):
    same = run("diff", log_dir, f"{log_dir}@25", "--check")
    assert same.exit_code == 0
    assert "nothing changed" in same.stdout
    assert run("diff", f"{log_dir}@0", log_dir, "--check").exit_code == 1
    assert run("diff", f"{log_dir}@0", log_dir, "--check", "--tolerance", "9").exit_code == 0


def test_diff_says_what_is_wrong(log_dir, tmp_path, rng):
    line = one_line(run("diff", f"{log_dir}@7", log_dir))
    assert "has no capture of layer 'rnn/lower' at this step. Received: 7" in line
    assert "Expected one of 3 steps from 0 to 25; the nearest is 10." in line
    weights = {"memory/kernel": (3, 20), "memory/recurrent_kernel": (5, 20)}
    np.savez(tmp_path / "a.npz", **{k: rng.normal(size=s) for k, s in weights.items()})
    assert "One probe is needed" in one_line(run("diff", tmp_path / "a.npz", tmp_path / "a.npz"))
    line = one_line(run("diff", tmp_path / "a.npz", log_dir, "--random", "1,4,3"))
    assert "no layer in common" in line


def test_diff_of_two_files_tells_how_much_the_weights_changed(tmp_path, rng):
    kernel, recurrent = rng.normal(size=(3, 20)), rng.normal(size=(5, 20))
    np.savez(tmp_path / "a.npz", **{"a/kernel": kernel, "a/recurrent_kernel": recurrent})
    kernel[:, 5:10] *= 1.25  # the forget gate
    np.savez(tmp_path / "b.npz", **{"a/kernel": kernel, "a/recurrent_kernel": recurrent})
    sides = [tmp_path / "a.npz", tmp_path / "b.npz", "--random", "2,9,3"]
    changes = {each["gate"]: each for each in json.loads(run("diff", *sides, "--json").stdout)}
    assert changes["f"]["weights"] == pytest.approx(0.25)
    assert changes["i"]["weights"] == 0
    table = run("diff", *sides).stdout
    assert "25 %" in table


@pytest.mark.long
def test_memory_stays_small_when_a_large_log_is_exported(tmp_path, rng):
    """A log of 250 MB; 1 GB was measured at the same memory, which does not grow with it."""
    analyses = [
        analyse(
            snapshot(rng, batch=8, time=256, weights=lstm_weights(rng, 3, 128), layer=f"l{k}")
        )
        for k in range(2)
    ]  # fmt: skip
    with RunLog(tmp_path / "logs", max_bytes=None) as log:
        for step in range(36):
            log.write(analyses, step=step)
    assert sum(path.stat().st_size for path in (tmp_path / "logs").rglob("*tf*")) > 2.5e8
    for ending in ("npz", "nc", "parquet"):
        code = (
            "import re, sys; from lstm_probe.cli import main\n"
            f"sys.argv[1:] = ['export', {str(tmp_path / 'logs')!r}, '-o', "
            f"{str(tmp_path / ('gates.' + ending))!r}]\n"
            "try:\n    main()\nfinally:\n"
            # Not ru_maxrss, which a process takes over from the one that started it.
            "    status = open('/proc/self/status').read()\n"
            "    print(re.search(r'VmHWM:\\s*(\\d+)', status)[1], file=sys.stderr)"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, cwd="/", check=True
        )
        assert int(done.stderr.split()[-1]) < 500_000, ending


@pytest.mark.parametrize("command", ["watch", "diff", "inspect"])
def test_numbers_of_tables_are_whole_in_80_columns(log_dir, tmp_path, monkeypatch, command):
    rng = np.random.default_rng(1)
    shapes = {"kernel": (3, 512), "recurrent_kernel": (128, 512)}
    np.savez(tmp_path / "m.npz", **{f"memory/{k}": rng.normal(size=v) for k, v in shapes.items()})
    arguments = {
        "watch": [log_dir, "--once"],
        "diff": [f"{log_dir}@0", f"{log_dir}@25"],
        "inspect": [tmp_path / "m.npz", "--random", "1,100,3"],
    }
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich takes the output for a terminal
    monkeypatch.setenv("TERM", "dumb")  # of 80 columns, without colours
    lines = run(command, *arguments[command]).stdout.splitlines()
    assert 60 < max(map(len, lines)) <= 80
    assert not any("…" in line for line in lines)
    # No row is broken into several. What stands above the first table are sentences.
    first = next(index for index, line in enumerate(lines) if "─" in line)
    assert not any(line.startswith(" ") for line in lines[first:] if line.strip())
