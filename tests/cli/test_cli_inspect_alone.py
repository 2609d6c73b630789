"""`inspect` on files that need no framework: torch, safetensors, ONNX, npz; and the processes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from cli_files import DATA, probe, run, write_onnx
from safetensors.numpy import save_file

import lstm_probe
from lstm_probe.models.files import onnx_file, torch_file

HEAVY = {"tensorflow", "keras", "tf_keras", "torch", "jax", "matplotlib", "pandas", "xarray"}


@pytest.fixture
def onnx_path(tmp_path: Path, rng: np.random.Generator) -> Path:
    pytest.importorskip("onnx")
    write_onnx(tmp_path / "model.onnx", rng)
    return tmp_path / "model.onnx"


def process(*arguments: object, modules: bool = False) -> subprocess.CompletedProcess[str]:
    """The command line in a process of its own; it starts elsewhere than in the checkout."""
    given = [str(each) for each in arguments]
    code = f"import sys; from lstm_probe.cli import main; sys.argv[1:] = {given!r}\n"
    code += "try:\n    main()\nfinally:\n    "
    code += "print({m.split('.')[0] for m in sys.modules}, file=sys.stderr)" if modules else "pass"
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd="/", timeout=120
    )


# torch_state.pt is of torch 2.14: a bidirectional LSTM of two layers, and a GRU that reads it.


def test_torch_outputs_are_those_of_torch_when_its_state_is_read_alone():
    theirs = np.load(DATA / "torch_outputs.npz")
    analyses = lstm_probe.inspect(DATA / "torch_state.pt", theirs["x"])
    joined = [analyses[name].trace.h for name in ("encoder.l1", "encoder.l1_reverse")]
    np.testing.assert_allclose(np.concatenate(joined, -1), theirs["encoder"], atol=3e-7)
    reader = lstm_probe.inspect(DATA / "torch_state.pt", {"reader": theirs["encoder"]})["reader"]
    np.testing.assert_allclose(reader.trace.h, theirs["reader"], atol=3e-7)
    assert reader.parity is None


def test_safetensors_hold_the_same_as_the_pickle(tmp_path):
    arrays = torch_file.read_state_dict(DATA / "torch_state.pt")
    save_file({name: np.array(array) for name, array in arrays.items()}, tmp_path / "s.safetensors")
    again = torch_file.read_safetensors(tmp_path / "s.safetensors")
    assert again.keys() == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(again[name], array)
    result = run("inspect", tmp_path / "s.safetensors", "--random", "1,4,3", "--layer", "encoder")
    assert result.exit_code == 0, result.output
    assert "not compared" in result.stdout
    assert "encoder.l1" not in result.stdout


def test_onnx_has_parity_when_its_runtime_is_installed(onnx_path):
    pytest.importorskip("onnxruntime")
    analyses = lstm_probe.inspect(onnx_path, probe())
    assert list(analyses) == ["encoder/LSTM/forward", "encoder/LSTM/backward", "reader"]
    for analysis in analyses.values():
        assert str(analysis.parity.verdict) == "match"
        assert analysis.parity.float64.max_abs < 1e-6


def test_onnx_is_run_through_when_there_is_no_runtime(onnx_path, monkeypatch):
    with_runtime = lstm_probe.inspect(onnx_path, probe())
    found = onnx_file.find_spec
    monkeypatch.setattr(
        onnx_file, "find_spec", lambda name: None if name == "onnxruntime" else found(name)
    )
    result = run("inspect", onnx_path, "--random", "2,6,3")
    assert "not compared" in result.stdout
    assert "pip install onnxruntime" in result.stdout
    alone = lstm_probe.inspect(onnx_path, probe())
    assert alone.keys() == with_runtime.keys()
    for name, analysis in alone.items():
        np.testing.assert_allclose(analysis.trace.h, with_runtime[name].trace.h, atol=1e-6)


def test_diff_finds_that_a_converted_model_computes_the_same(tmp_path, rng):
    """The same two layers as Keras and as torch keep them, under other names."""
    kernels = {"lower": rng.normal(size=(3, 20)), "upper": rng.normal(size=(3, 16))}
    arrays, converted = {}, {}
    for number, (name, kernel) in enumerate(kernels.items()):
        recurrent = rng.normal(0, 0.5, (kernel.shape[1] // 4, kernel.shape[1]))
        arrays |= {f"{name}/kernel": kernel, f"{name}/recurrent_kernel": recurrent}
        weights = lstm_probe.weights.from_keras(kernel, recurrent)
        state = lstm_probe.weights.to_torch(weights)
        converted |= {f"rnn{number}.{each}": array for each, array in state.items()}
    np.savez(tmp_path / "keras.npz", **arrays)
    np.savez(tmp_path / "torch.npz", **converted)
    sides = [tmp_path / "keras.npz", tmp_path / "torch.npz"]
    options = ["--random", "2,6,3", "--check", "--tolerance", "1e-12"]
    assert run("diff", *sides, *options).exit_code == 0
    converted["rnn1.weight_hh_l0"][0, 0] += 0.1
    np.savez(tmp_path / "torch.npz", **converted)
    result = run("diff", *sides, *options)
    assert result.exit_code == 1
    assert "upper" in result.stdout


def test_onnx_probe_is_told_what_the_model_wants(onnx_path):
    result = run("inspect", onnx_path, "--random", "2,6,4")
    assert result.exit_code == 2
    assert "Received: shape (2, 6, 4). Expected: (2, 6, 3) for its input 'x'" in result.stderr


def test_arrays_of_each_framework_are_told_apart_by_their_names(tmp_path, rng):
    def arrays(*shapes):
        return [rng.normal(size=shape) for shape in shapes]

    kernel, recurrent, bias = arrays((3, 20), (5, 20), (20,))
    fused, gates, candidate = arrays((8, 20), (8, 10), (8, 5))
    np.savez(
        tmp_path / "all.npz",
        **{
            "keras/kernel": kernel, "keras/recurrent_kernel": recurrent, "keras/bias": bias,
            "rnn/basic_lstm_cell/kernel:0": fused, "rnn/basic_lstm_cell/bias:0": bias,
            "rnn/basic_lstm_cell/kernel/Adam": fused,
            "rnn/gru_cell/gates/kernel": gates, "rnn/gru_cell/gates/bias": np.ones(10),
            "rnn/gru_cell/candidate/kernel": candidate, "rnn/gru_cell/candidate/bias": np.ones(5),
            "dense/kernel": rng.normal(size=(5, 2)), "dense/bias": np.zeros(2),
            "net.weight_ih_l0": kernel.T, "net.weight_hh_l0": recurrent.T,
        },
    )  # fmt: skip
    analyses = lstm_probe.inspect(tmp_path / "all.npz", probe())
    cells = {name: analysis.snapshot.cell for name, analysis in analyses.items()}
    assert {name: cell.name for name, cell in cells.items()} == {
        "net": "lstm",
        "keras": "lstm",
        "rnn/basic_lstm_cell": "lstm",
        "rnn/gru_cell": "gru",
    }
    assert cells["rnn/basic_lstm_cell"].forget_bias == 1.0
    assert cells["keras"].forget_bias == 0.0


def test_exit_code_is_1_when_the_check_finds_something(tmp_path):
    weights = {"memory/kernel": np.zeros((3, 8)), "memory/recurrent_kernel": np.zeros((2, 8))}
    np.savez(tmp_path / "dead.npz", **weights)
    fine = run("inspect", tmp_path / "dead.npz", "--random", "1,9,3")
    assert fine.exit_code == 0
    assert "! dead_units: layer 'memory'" in fine.stdout
    assert run("inspect", tmp_path / "dead.npz", "--random", "1,9,3", "--check").exit_code == 1


def test_json_is_whole_when_numbers_are_not_finite(tmp_path):
    weights = {"memory/kernel": np.full((3, 8), np.nan), "memory/recurrent_kernel": np.ones((2, 8))}
    np.savez(tmp_path / "nan.npz", **weights)
    found = json.loads(run("inspect", tmp_path / "nan.npz", "--random", "1,9,3", "--json").stdout)
    assert found["layers"]["memory"]["gates"]["f"]["mean"] == "nan"
    assert found["alerts"][0]["rule"] == "not_finite"


@pytest.mark.parametrize("name", ["probe.npy", "probe.npz", "probe.csv", "probe.tsv"])
def test_probe_is_read_from_each_kind_of_file(tmp_path, name):
    x = np.arange(12, dtype=np.float32).reshape(1, 4, 3) / 10
    path = tmp_path / name
    if name.endswith("npy"):
        np.save(path, x)
    elif name.endswith("npz"):
        np.savez(path, x=x)
    else:
        delimiter = "\t" if name.endswith("tsv") else ","
        rows = [delimiter.join(map(str, row)) for row in x[0]]
        path.write_text("\n".join([delimiter.join("abc"), *rows]) + "\n")
    ours = lstm_probe.inspect(DATA / "torch_state.pt", path)["encoder"]
    np.testing.assert_array_equal(ours.snapshot.x, x)


def test_nothing_heavy_is_loaded_when_no_framework_is_needed(onnx_path):
    for model in (DATA / "torch_state.pt", onnx_path):
        done = process("inspect", model, "--random", "2,6,3", modules=True)
        assert done.returncode == 0, done.stderr
        assert not HEAVY & set(eval(done.stderr.splitlines()[-1]))


def test_help_loads_nothing_heavy_and_has_examples():
    done = process("inspect", "--help", modules=True)
    assert done.returncode == 0
    assert "lstm-probe inspect model.keras --probe x_test.npy" in done.stdout
    assert not (HEAVY | {"tensorboard"}) & set(eval(done.stderr.splitlines()[-1]))


def test_python_dash_m_is_the_command():
    done = subprocess.run(
        [sys.executable, "-m", "lstm_probe", "--version"], capture_output=True, text=True, cwd="/"
    )
    assert done.stdout.strip() == f"lstm-probe {lstm_probe.__version__}"


def test_shell_completion_is_offered(monkeypatch):
    done = subprocess.run(
        [sys.executable, "-m", "lstm_probe"],
        env={"_LSTM_PROBE_COMPLETE": "complete_bash", "COMP_WORDS": "lstm-probe ins",
             "COMP_CWORD": "1", "PATH": "", "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        cwd="/",
    )  # fmt: skip
    assert done.stdout.strip() == "inspect"


def test_what_is_not_compared_says_so_wherever_it_is_shown(tmp_path):
    analysis = lstm_probe.inspect(DATA / "torch_state.pt", probe())["encoder.l0_reverse"]
    assert "not compared" in repr(analysis)
    assert "not compared" in analysis._repr_html_()
    assert analysis.gradient is not None
    np.testing.assert_array_equal(analysis.snapshot.output, analysis.trace.h)
    weights = {"a/kernel": np.ones((3, 8)), "a/recurrent_kernel": np.ones((2, 8))}
    np.savez(tmp_path / "step-1.npz", **weights)
    result = run("replay", tmp_path, "--random", "1,5,3", "-o", tmp_path / "logs")
    assert "not compared" in result.stdout
