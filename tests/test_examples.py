"""The examples run as a newcomer runs them, from the checkout, and say what they promise."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import event_reading
import pytest
from checkout import ROOT
from PIL import Image


def run(script: str, *options: str, fails: bool = False) -> str:
    process = subprocess.run(
        [sys.executable, str(ROOT / "examples" / script), *options],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": "-1"},
    )
    assert (process.returncode != 0) == fails, process.stdout + process.stderr
    return process.stdout + process.stderr


def parity_errors(directory: Path, layer: str) -> list[float]:
    return [
        float(event_reading.array(value))
        for (tag, _), value in event_reading.values(directory / "lstm_probe").items()
        if tag == f"{layer}/parity/max_abs_error"
    ]


@pytest.mark.parametrize("source", ["sklearn", "npz"])
def test_digits_are_learned_and_every_capture_has_parity(
    source: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    data = str(request.getfixturevalue("mnist_path")) if source == "npz" else source
    epochs = "1" if source == "npz" else "5"
    out = run(
        "digits_keras.py", "--data", data, "--epochs", epochs, "--log-dir", str(tmp_path),
        "--verbose", "2", "--batch-size", "32", "--every", "50",
    )  # fmt: skip
    errors = parity_errors(tmp_path, "reader")
    assert len(errors) >= 5
    assert max(errors) < 1e-5
    assert re.search(r"reader +lstm +128 +\d+ .* match", out)
    assert f"tensorboard --logdir {tmp_path}" in out
    accuracy = re.search(r"never seen: ([\d.]+)%", out)
    assert accuracy is not None
    assert float(accuracy[1]) > 60


def test_digits_example_says_what_data_it_takes_when_there_is_no_such_file(tmp_path: Path) -> None:
    out = run("digits_keras.py", "--data", str(tmp_path / "missing.npz"), fails=True)
    assert "cannot be read" in out
    assert "x_train" in out
    assert "Traceback" not in out


@pytest.mark.long
def test_forget_gate_is_drawn_before_and_after_long_memory_is_learned(tmp_path: Path) -> None:
    out = run(
        "long_memory_keras.py", "--epochs", "1", "--sequences", "512",
        "--output", str(tmp_path / "pictures"), "--log-dir", str(tmp_path),
    )  # fmt: skip
    differences = re.findall(r"largest difference framework - NumPy: (\S+)", out)
    assert len(differences) == 2
    assert all(0 < float(difference) < 1e-5 for difference in differences)
    pictures = [
        Image.open(tmp_path / "pictures" / f"forget_gate_{when}.png")
        for when in ("before", "after")
    ]
    assert all(picture.width > 600 for picture in pictures)
    assert pictures[0].tobytes() != pictures[1].tobytes()
    assert max(parity_errors(tmp_path, "test_layer")) < 1e-5
