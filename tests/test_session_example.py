"""examples/mnist_session.py, as a user starts it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import event_reading
import pytest

ROOT = Path(__file__).resolve().parent.parent


def start(log_dir: Path, *options: str) -> str:
    command = [sys.executable, str(ROOT / "examples" / "mnist_session.py"), *options]
    run = subprocess.run(
        [*command, "--log-dir", str(log_dir)], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


def verify(output: str, log_dir: Path, steps: list[int]) -> None:
    lines = output.splitlines()
    displayed = [line for line in lines if re.match(r"step \d+: minibatch loss \d", line)]
    assert len(displayed) == 3
    units = re.findall(r"^ *(\d+)  ([+-]\S+)  ([+-]\S+) +\S+$", output, re.MULTILINE)
    assert [int(unit) for unit, _, _ in units] == list(range(128))
    assert all(abs(float(a) - float(b)) < 1e-5 for _, a, b in units)
    last = re.fullmatch(r"largest difference: (\d\.\de-\d\d)", lines[-1])
    assert last
    assert 0 < float(last[1]) < 1e-5
    tag = "rnn/basic_lstm_cell/parity/max_abs_error"
    run = log_dir / "lstm_probe"
    assert event_reading.steps(run, tag) == steps
    values = event_reading.values(run)
    assert all(event_reading.array(values[tag, step]) < 1e-5 for step in steps)


@pytest.mark.parametrize("options", [(), ("--plain", "--timesteps", "rows")])
@pytest.mark.daily(1)
def test_example_proves_its_gates_on_sklearn_digits(
    options: tuple[str, ...], tmp_path: Path
) -> None:
    output = start(tmp_path, *options, "--steps", "400", "--every", "200")
    verify(output, tmp_path, [0, 200, 400])


def test_example_proves_its_gates_on_mnist(mnist_path: Path, tmp_path: Path) -> None:
    options = ("--data", str(mnist_path), "--timesteps", "28", "--steps", "400", "--every", "150")
    verify(start(tmp_path, *options), tmp_path, [0, 150, 300, 400])
