"""Damaged, foreign, empty, huge and hostile files: one line on stderr, exit code 2, nothing run."""

from __future__ import annotations

import io
import json
import os
import pickle
import subprocess
import sys
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli_files import DATA, one_line, run, write_onnx

from lstm_probe.core.errors import LstmProbeError
from lstm_probe.core.limits import read_npz
from lstm_probe.models.files import keras_config

h5py = pytest.importorskip("h5py")
LSTM = {"module": "keras.layers", "class_name": "LSTM", "config": {"units": 5}}


class Bomb:
    """What a hostile pickle does when it is loaded."""

    def __reduce__(self) -> Any:
        return os.mkdir, ("code_was_run",)


def npz(path: Path, rng: np.random.Generator) -> Path:
    arrays = {"memory/kernel": (3, 20), "memory/recurrent_kernel": (5, 20), "memory/bias": (20,)}
    np.savez(path, **{name: rng.normal(size=shape) for name, shape in arrays.items()})
    return path


def keras_file(path: Path, config: Any, *, version: str = "3.15.1", weights: bytes = b"") -> Path:
    if not weights:
        with h5py.File(buffer := io.BytesIO(), "w") as file:
            file["layers/lstm/cell/vars/0"] = np.zeros((3, 20))
        weights = buffer.getvalue()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", config if isinstance(config, str) else json.dumps(config))
        archive.writestr("metadata.json", json.dumps({"keras_version": version}))
        archive.writestr("model.weights.h5", weights)
    return path


def saved_pickle(path: Path, value: Any) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model/data.pkl", pickle.dumps(value))
    return path


def sequential(*layers: Any) -> dict[str, Any]:
    return {"module": "keras", "class_name": "Sequential", "config": {"layers": [*layers]}}


def lambda_layer() -> dict[str, Any]:
    code = {"class_name": "__lambda__", "config": {"code": "4wEAAAAAAAAA", "defaults": None}}
    return {"module": "keras.layers", "class_name": "Lambda", "config": {"function": code}}


def truncated(path: Path, source: Path) -> Path:
    path.write_bytes(source.read_bytes()[: source.stat().st_size * 2 // 3])
    return path


def zip_bomb(path: Path) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        header = io.BytesIO()
        np.lib.format.write_array_header_1_0(
            header, {"descr": "<f4", "fortran_order": False, "shape": (70 * 2**20,)}
        )
        with archive.open("memory/kernel.npy", "w", force_zip64=True) as member:
            member.write(header.getvalue())
            for _ in range(280):
                member.write(bytes(2**20))
    return path


def lying_header(path: Path) -> Path:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f8", "fortran_order": False, "shape": (10**6, 10**6)}
    )
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("memory/kernel.npy", header.getvalue() + bytes(64))
    return path


def hdf5(path: Path, fill: Any) -> Path:
    with h5py.File(path, "w") as file:
        file.attrs["keras_version"] = "3.15.1"
        file.attrs["model_config"] = json.dumps(sequential(LSTM))
        fill(file)
    return path


def linked(file: Any) -> None:
    file["layers"] = h5py.ExternalLink("/etc/passwd", "/")


def external(file: Any) -> None:
    file.create_dataset("kernel", (4,), "u1", external=[("/etc/passwd", 0, 4)])


def huge(file: Any) -> None:
    file.create_dataset("kernel", (10**6, 10**5), "f4", chunks=True)


CASES: dict[str, tuple[Any, str]] = {
    "missing.keras": (lambda path, rng: path, "There is no model"),
    "empty.keras": (lambda path, rng: path.touch(), "is empty"),
    "foreign.keras": (lambda path, rng: path.write_text("hello" * 9), "as a .keras file"),
    "foreign.txt": (lambda path, rng: path.write_text("hello" * 9), "is no model"),
    "foreign.h5": (lambda path, rng: path.write_text("hello" * 9), "as a Keras .h5 file"),
    "foreign.onnx": (lambda path, rng: path.write_text("hello" * 9), "as an .onnx file"),
    "foreign.zip": (
        lambda path, rng: zipfile.ZipFile(path, "w").writestr("readme", "hello"),
        "is a zip archive without a model",
    ),
    "directory": (lambda path, rng: path.mkdir(), "is a directory without a model"),
    "truncated.npz": (
        lambda path, rng: truncated(path, npz(path.with_name("whole.npz"), rng)),
        "as an .npz file",
    ),
    "truncated.pt": (lambda path, rng: truncated(path, DATA / "torch_state.pt"), "as a torch"),
    "truncated.h5": (
        lambda path, rng: truncated(path, hdf5(path.with_name("whole.h5"), lambda file: None)),
        "as a Keras .h5 file",
    ),
    "no_config.keras": (lambda path, rng: keras_file(path, "{"), "as a .keras file"),
    "no_weights.keras": (
        lambda path, rng: keras_file(path, sequential(LSTM), weights=b"hello"),
        "as a .keras file",
    ),
    "no_version.keras": (
        lambda path, rng: keras_file(path, sequential(LSTM), version=""),
        "no version of Keras",
    ),
    "deep.keras": (
        lambda path, rng: keras_file(path, "[" * 100_000 + "]" * 100_000),
        "as a .keras file",
    ),
    "pickled.npz": (
        lambda path, rng: np.savez(path, kernel=np.array([Bomb()], object)),
        "pickled Python objects",
    ),
    "pickled.pt": (
        lambda path, rng: saved_pickle(path, {"weight": Bomb()}),
        "which would have to be run",
    ),
    "getattr.pt": (
        lambda path, rng: saved_pickle(path, OrderedDict.fromkeys),
        "which would have to be run",
    ),
    "lambda.keras": (
        lambda path, rng: keras_file(path, sequential(LSTM, lambda_layer())),
        "a Lambda layer",
    ),
    "lambda2.keras": (
        lambda path, rng: keras_file(path, sequential(lambda_layer()), version="2.15.0"),
        "a Lambda layer",
    ),
    "lambda.h5": (
        lambda path, rng: hdf5(
            path,
            lambda file: file.attrs.__setitem__(
                "model_config", json.dumps({"class_name": "Sequential", "config": [lambda_layer()]})
            ),
        ),
        "a Lambda layer",
    ),
    "gadget.keras": (
        lambda path, rng: keras_file(
            path,
            sequential(
                {"module": "keras.utils", "class_name": "get_file", "config": {"origin": "x"}}
            ),
        ),
        "not a class of Keras",
    ),
    "foreign_class.keras": (
        lambda path, rng: keras_file(
            path, sequential({"module": "os", "class_name": "System", "config": {}})
        ),
        "not a class of Keras",
    ),
    "units.keras": (
        lambda path, rng: keras_file(
            path, sequential({**LSTM, "config": {"units": 10**9}})
        ),
        "1,000,000,000 units",
    ),
    "bomb.npz": (lambda path, rng: zip_bomb(path), "would fill the memory"),
    "lying.npz": (lambda path, rng: lying_header(path), "of which only 64 bytes are there"),
    "linked.h5": (lambda path, rng: hdf5(path, linked), "a link out of"),
    "external.h5": (lambda path, rng: hdf5(path, external), "in other files"),
    "huge.h5": (lambda path, rng: hdf5(path, huge), "would fill the memory"),
    "no_cells.npz": (
        lambda path, rng: np.savez(path, **{"dense/kernel": np.ones((3, 4))}),
        "no recurrent cell",
    ),
    "wrong_shapes.npz": (
        lambda path, rng: np.savez(
            path, **{"a/kernel": np.ones((3, 4)), "a/recurrent_kernel": np.ones((3, 5))}
        ),
        "not the weights of a Keras",
    ),
    "header.safetensors": (
        lambda path, rng: path.write_bytes((9).to_bytes(8, "little") + b"{" + bytes(20)),
        "as a .safetensors file",
    ),
    "lost_shard.index": (
        lambda path, rng: path.write_bytes(b"x" * 100),
        "as a TensorFlow checkpoint",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_one_line_says_what_is_wrong_when_the_model_is_bad(
    name, tmp_path, rng, tmp_path_factory, monkeypatch
):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    monkeypatch.chdir(elsewhere)
    make, expected = CASES[name]
    path = tmp_path / name
    make(path, rng)
    before = sorted(tmp_path.iterdir())
    line = one_line(
        run("inspect", path, "--random", "1,4,3", "--plot", tmp_path / "out.png",
            "--log-dir", tmp_path / "logs")
    )  # fmt: skip
    assert expected in line
    assert name.partition(".")[0] in line
    assert sorted(tmp_path.iterdir()) == before
    assert not (elsewhere / "code_was_run").exists()


PROBES: dict[str, tuple[Any, str]] = {
    "missing.npy": (lambda path: path, "There is no probe"),
    "foreign.npy": (lambda path: path.write_text("hello"), "as an .npy file"),
    "probe.png": (lambda path: path.write_text("hello"), "is no probe"),
    "pickled.npy": (lambda path: np.save(path, np.array([Bomb()], object)), "pickled Python"),
    "words.csv": (lambda path: path.write_text("a,b\n1,x\n"), "as a table of numbers"),
    "empty.csv": (lambda path: path.write_text("a,b\n"), "is empty"),
    "nan.npy": (lambda path: np.save(path, np.full((1, 4, 3), np.nan)), "is not finite"),
    "flat.npy": (lambda path: np.save(path, np.ones(5)), "fits no layer"),
    "wide.npy": (lambda path: np.save(path, np.ones((1, 4, 9))), "takes 3"),
    "named.npz": (lambda path: np.savez(path, a=np.ones((1, 4, 3)), b=np.ones(2)), "names no"),
}


@pytest.mark.filterwarnings("ignore:loadtxt:UserWarning")  # NumPy's of an empty table
@pytest.mark.parametrize("name", PROBES)
def test_one_line_says_what_is_wrong_when_the_probe_is_bad(name, tmp_path, rng):
    make, expected = PROBES[name]
    make(tmp_path / name)
    model = npz(tmp_path / "model.npz", rng)
    assert expected in one_line(run("inspect", model, "--probe", tmp_path / name))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--check"], "One probe is needed. Received: none"),
        (["--plot", "gates.png"], "One probe is needed. Received: none"),
        (["--log-dir", "logs"], "One probe is needed. Received: none"),
        (["--random", "1,4,3", "--probe", "x.npy"], "One probe is needed. Received: two"),
        (["--random", "1,x"], "no shape of a probe"),
        (["--random", "0,4,3"], "no shape of a probe"),
        (["--random", "9999999,9999,99"], "no shape of a probe"),
        (["--random", "1,4,3", "--plot", "out.txt"], ".png, .svg, .pdf"),
        (["--random", "1,4,3", "--plot", "absent/out.png"], "no directory to write to"),
        (["--random", "1,4,3", "--layer", "other"], "Expected one of 'memory'"),
        (["--random", "1,4,3", "--cell", "bias"], "NAME=VALUE"),
        (["--random", "1,4,3", "--cell", "bias=1"], "No cell has such an option"),
        (["--random", "1,4,3", "--cell", "activation=fast"], "fast"),
        (["--random", "1,4,3", "--config", "absent.json"], "There is no configuration"),
        (["--random", "1,4,3", "--log-dir", "/dev/null/logs"], "/dev/null"),
    ],
)
def test_one_line_says_what_is_wrong_when_an_option_is_bad(options, expected, tmp_path, rng):
    assert expected in one_line(run("inspect", npz(tmp_path / "m.npz", rng), *options))


def test_a_truncated_onnx_file_is_refused(tmp_path, rng):
    pytest.importorskip("onnx")
    write_onnx(tmp_path / "whole.onnx", rng)
    line = one_line(
        run("inspect", truncated(tmp_path / "cut.onnx", tmp_path / "whole.onnx"),
            "--random", "2,6,3")
    )  # fmt: skip
    assert "cut.onnx" in line


def test_no_damage_gets_more_than_one_line(tmp_path, rng):
    """Bytes of good files overwritten at random: read, or refused in one line, never a crash."""
    pytest.importorskip("onnx")
    write_onnx(tmp_path / "whole.onnx", rng)
    sources = [npz(tmp_path / "whole.npz", rng), DATA / "torch_state.pt", tmp_path / "whole.onnx"]
    for source in sources:
        good = source.read_bytes()
        for number in range(40):
            data = bytearray(good)
            for place in rng.integers(0, len(data), 1 + number % 5):
                data[place] = rng.integers(256)
            path = tmp_path / f"damaged{source.suffix}"
            path.write_bytes(bytes(data))
            result = run("inspect", path, "--random", "2,6,3")
            assert result.exit_code == 0 or one_line(result)


def test_the_traceback_is_shown_when_it_is_asked_for(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "lstm_probe", "inspect", str(tmp_path / "absent.keras"),
         "--random", "1,4,3", "--debug"],
        capture_output=True, text=True, cwd="/",
    )  # fmt: skip
    assert "Traceback" in done.stderr
    assert "LstmProbeError: There is no model" in done.stderr


def test_configurations_of_keras_itself_pass():
    keras_config.check_config(Path("a"), sequential(LSTM), size=10_000)
    with pytest.raises(LstmProbeError, match="not a class of Keras"):
        keras_config.check_config(Path("a"), sequential({**LSTM, "module": "evil"}), size=1)


def test_a_zip_that_understates_its_size_is_not_read_further(tmp_path):
    path = tmp_path / "understated.npz"
    np.savez_compressed(path, a=np.zeros(10**6))
    data = bytearray(path.read_bytes())
    central = data.rindex(b"PK\x01\x02")
    data[central + 24 : central + 28] = (200).to_bytes(4, "little")
    path.write_bytes(bytes(data))
    with pytest.raises(LstmProbeError, match=r"as an \.npz file"):
        read_npz(path)
