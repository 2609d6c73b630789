"""Files that would never end, or fill the memory; and the options that raise the limits."""

from __future__ import annotations

import json
import os
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tf_keras
from cli_files import one_line, run

from lstm_probe.models.files.child.pool import end_child

onnx = pytest.importorskip("onnx")
linux = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is not told")


def before_lstm(nodes: list[Any], arrays: dict[str, Any], path: Path) -> Path:
    """An LSTM that reads `x2`, which the nodes make of `x`."""
    make, rng = onnx.helper, np.random.default_rng(0)
    arrays |= {"W": rng.normal(size=(1, 16, 3)).astype("f4")}
    arrays |= {"R": rng.normal(size=(1, 16, 4)).astype("f4")}
    lstm = make.make_node("LSTM", ["x2", "W", "R"], ["y"], hidden_size=4, name="memory")
    value = make.make_tensor_value_info
    graph = make.make_graph(
        [*nodes, lstm],
        "g",
        [value("x", 1, [None, None, 3])],
        [value("y", 1, None)],
        [onnx.numpy_helper.from_array(v, k) for k, v in arrays.items()],
    )
    opset = [make.make_opsetid("", 17)]
    onnx.save(make.make_model(graph, opset_imports=opset, ir_version=8), str(path))
    return path


def turning(path: Path, turns: int) -> Path:
    make = onnx.helper
    value = make.make_tensor_value_info
    body = make.make_graph(
        [make.make_node("Identity", ["c"], ["d"]), make.make_node("Identity", ["v"], ["w"])],
        "b",
        [value("i", 7, []), value("c", 9, []), value("v", 1, None)],
        [value("d", 9, []), value("w", 1, None)],
    )
    loop = make.make_node("Loop", ["turns", "on", "x"], ["x2"], body=body)
    return before_lstm([loop], {"turns": np.array(turns), "on": np.array(True)}, path)


def filling(path: Path, count: int) -> Path:
    """An array whose shape is computed, so that the file alone does not tell it."""
    make = onnx.helper
    nodes = [
        make.make_node("Add", ["a", "a"], ["shape"]),
        make.make_node("ConstantOfShape", ["shape"], ["big"]),
        make.make_node("ReduceSum", ["big"], ["s"], keepdims=0),
        make.make_node("Add", ["x", "s"], ["x2"]),
    ]
    return before_lstm(nodes, {"a": np.array([count // 2])}, path)


def test_a_graph_that_turns_for_ever_is_refused(tmp_path):
    path = turning(tmp_path / "m.onnx", 2**62)
    line = one_line(run("inspect", path, "--random", "5,1,3", "--timeout", "1"))
    assert "m.onnx takes longer than a file may" in line
    assert "--timeout 4 (timeout=4)" in line


def test_a_graph_that_ends_is_run(tmp_path):
    result = run("inspect", turning(tmp_path / "m.onnx", 1000), "--random", "5,1,3")
    assert "match" in result.stdout, result.output


@linux
def test_a_graph_that_fills_the_memory_is_refused(tmp_path):
    # 2 GB, of which all is written: too much by default here, and enough where that is said.
    path = filling(tmp_path / "m.onnx", 2**27)
    line = one_line(run("inspect", path, "--random", "5,1,3", "--max-memory", "0.25"))
    assert "takes more memory than a file may" in line
    assert "Expected: at most 0.25 GiB" in line
    assert "--max-memory 1 (max_memory=1)" in line
    result = run("inspect", path, "--random", "5,1,3", "--max-memory", "2")
    assert "match" in result.stdout, result.output
    # More than there may be at once is refused by the system, in the same words.
    line = one_line(run("inspect", filling(path, 2**40), "--random", "5,1,3"))
    assert "takes more memory than a file may" in line


@linux
@pytest.mark.long
def test_a_model_of_keras_that_fills_the_memory_is_refused(tmp_path):
    good, path = tmp_path / "good.keras", tmp_path / "m.keras"
    x = keras.Input((3,))
    h = keras.layers.LSTM(4, name="memory")(keras.layers.RepeatVector(5, name="again")(x))
    keras.Model(x, h).save(good)
    with zipfile.ZipFile(good) as whole, zipfile.ZipFile(path, "w") as bad:
        for name in whole.namelist():
            data = whole.read(name)
            bad.writestr(name, data.replace(b'"n": 5', b'"n": 16000000'))
    line = one_line(run("inspect", path, "--random", "1,3", "--max-memory", "0.5"))
    assert "m.keras takes more memory than a file may" in line


@pytest.mark.parametrize("option", ["--max-memory", "--timeout"])
def test_a_limit_is_above_nothing(option, tmp_path):
    np.savez(tmp_path / "m.npz", **{"m/kernel": np.ones((3, 8)), "m/recurrent_kernel": np.ones(2)})
    line = one_line(run("inspect", tmp_path / "m.npz", "--random", "1,5,3", option, "0"))
    assert "This is no limit" in line


@pytest.mark.parametrize("option", ["--max-memory", "--timeout"])
def test_a_file_that_is_trusted_has_no_limits(option, tmp_path):
    (tmp_path / "m.keras").write_bytes(b"PK")
    line = one_line(
        run("inspect", tmp_path / "m.keras", "--random", "1,5,3", "--trusted", option, 1)
    )
    assert "Expected: one of both" in line


@pytest.mark.long
def test_nothing_is_left_behind_when_loading_fails(tmp_path, monkeypatch):
    """tf_keras unpacks an archive, and leaves it where it is when the configuration is bad."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    good, path = tmp_path / "good.keras", tmp_path / "m.keras"
    layers = [tf_keras.layers.InputLayer((5, 3)), tf_keras.layers.LSTM(4, name="memory")]
    tf_keras.Sequential(layers).save(good)
    with zipfile.ZipFile(good) as whole, zipfile.ZipFile(path, "w") as bad:
        for name in whole.namelist():
            data = whole.read(name)
            if name == "config.json":
                config = json.loads(data)
                config["config"]["layers"][1]["config"]["units"] = 5
                data = json.dumps(config).encode()
            bad.writestr(name, data)
    end_child()
    assert "m.keras is not loaded by tf_keras" in one_line(
        run("inspect", path, "--random", "1,5,3")
    )
    assert len(os.listdir(tmp_path / "temporary")) == 1  # the child's own, as long as it serves
    end_child()
    assert os.listdir(tmp_path / "temporary") == []
