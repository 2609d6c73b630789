"""`lstm-probe serve` as a command."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
from pathlib import Path
from urllib.request import urlopen

import numpy as np
import pytest
import samples
from typer.testing import CliRunner

from lstm_probe import analyse
from lstm_probe.cli.app import app
from lstm_probe.logs import RunLog


def test_command_serves_without_tensorflow_or_a_process_of_tensorboard(tmp_path: Path) -> None:
    with RunLog(tmp_path / "a", pictures=False) as run:
        run.write([analyse(samples.snapshot(np.random.default_rng(0)))], step=0)
    code = (
        "import atexit, sys; from lstm_probe.cli import main; atexit.register(lambda: print(sorted("
        "{'tensorflow', 'keras', 'matplotlib', 'tensorboard.backend.application'} "
        "& sys.modules.keys()), flush=True)); sys.argv[0] = 'lstm-probe'; main()"
    )
    command = [sys.executable, "-c", code, "serve", str(tmp_path), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = process.stdout.readline()
        port = int(re.search(r"http://127\.0\.0\.1:(\d+)/", said).group(1))
        with urlopen(f"http://127.0.0.1:{port}/runs") as answer:
            assert [each["name"] for each in json.load(answer)["runs"]] == ["a/lstm_probe"]
        process.send_signal(2)  # Ctrl-C
        assert process.stdout.read().strip() == "[]"
    assert process.returncode == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere"], "There is no such log directory. Received: nowhere, where there is nothing"),
        ([__file__], "where there is a file"),
        ([".", "--host", "0.0.0.0"], "--read-only-token new"),
        ([".", "--read-only-token", "short"], "The token is not one. Received: 5 characters"),
        ([".", "--host", "no-such-host.invalid"], "There is no such host"),
    ],
)
def test_command_refuses_what_cannot_be_served(arguments: list[str], said: str) -> None:
    result = CliRunner().invoke(app, ["serve", *arguments])
    assert result.exit_code == 2
    assert said in result.stderr
    assert "Traceback" not in result.output


def test_command_says_that_another_port_was_taken_and_shows_the_token(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        command = [sys.executable, "-m", "lstm_probe", "serve", str(tmp_path)]
        command += ["--port", str(port), "--read-only-token", "new"]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process:
            assert process.stdout is not None
            first, second = process.stdout.readline(), process.stdout.readline()
            process.send_signal(2)
    assert f"The port {port} is in use" in first
    address = re.search(r"http://127\.0\.0\.1:(\d+)/\?token=([\w-]{32}) ", second)
    assert address is not None
    assert int(address.group(1)) != port
