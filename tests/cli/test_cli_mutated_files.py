"""Two hundred hostile files of each kind: each ends soon, in one line, and touches nothing."""

from __future__ import annotations

import os
import resource
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
import pytest
import tf_keras
from cli_files import DATA, one_line, run, write_keras, write_onnx
from mutations import READERS
from safetensors.numpy import save_file

COUNT = int(os.environ.get("MUTATED_FILES", "200"))
_SECONDS, _GIB = 20, 2**30


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("good")
    rng = np.random.default_rng(3)
    for package in (keras, tf_keras):
        write_keras(root / package.__name__, package, rng)
    write_onnx(root / "model.onnx", rng)
    shutil.copy(DATA / "torch_state.pt", root)
    arrays = {"m.weight_ih_l0": (20, 3), "m.weight_hh_l0": (20, 5), "m.bias_ih_l0": (20,)}
    save_file({k: rng.normal(size=v) for k, v in arrays.items()}, str(root / "m.safetensors"))
    return root


@pytest.fixture
def untouched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder to work in, a home and a target, which are as they were at the end."""
    for name in ("here", "home", "target"):
        (tmp_path / name).mkdir()
    (tmp_path / "target" / "precious").write_text("precious")
    os.mkfifo(tmp_path / "pipe")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("KERAS_HOME", raising=False)
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path


def everything(folder: Path) -> dict[str, tuple[int, int, int]]:
    """What is there, with what changes when it is written."""
    found = {}
    for path in [folder, *folder.rglob("*")]:
        if "files" not in path.relative_to(folder).parts:
            state = path.lstat()
            found[str(path)] = (state.st_mode, state.st_size, state.st_mtime_ns)
    return found


def slowness() -> float:
    """How many times as long things take while others use the machine."""
    return max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


@pytest.mark.long
@pytest.mark.parametrize("kind", READERS)
def test_no_mutated_file_does_harm(kind: str, good: Path, untouched: Path) -> None:
    source, name, mutate = READERS[kind]
    rng = np.random.default_rng([20261129, len(kind), ord(kind[-1])])
    run("inspect", good / "keras" / "model.keras", "--random", "2,6,3")  # a child is there
    folder = untouched / "files"
    folder.mkdir()
    before, memory = everything(untouched), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    codes = []
    for number in range(COUNT):
        shutil.rmtree(folder)
        folder.mkdir()
        os.utime(untouched, ns=(0, before[str(untouched)][2]))  # as before `files` was made anew
        arguments = mutate(good / source, folder / name, rng, untouched)
        written = everything(folder)
        began = time.monotonic()
        result = run("inspect", *arguments, "--random", "2,6,3")
        assert time.monotonic() - began < _SECONDS * slowness(), (number, result.output)
        assert result.exit_code == 0 or one_line(result), number
        assert everything(untouched) == before, (number, result.output)
        assert everything(folder) == written, (number, result.output)
        codes.append(result.exit_code)
    assert codes.count(2) > COUNT / 5
    grown = 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory)
    assert grown < 2 * _GIB
