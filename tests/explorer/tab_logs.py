"""Logs for the gate explorer's tests, and TensorBoard's two ways to read them."""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import samples
from tensorboard.backend.application import TensorBoardWSGI
from tensorboard.backend.event_processing.data_provider import MultiplexerDataProvider
from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
from tensorboard.data.grpc_provider import GrpcDataProvider, make_stub
from tensorboard.data.server_ingester import get_server_binary
from tensorboard.plugins.base_plugin import TBContext
from werkzeug.test import Client

from lstm_probe import Analysis, analyse
from lstm_probe.explorer.plugin import GateExplorer
from lstm_probe.logs import EventFile, RunLog
from lstm_probe.logs.stored.course import captures_value, point_of
from lstm_probe.logs.stored.values import gates_value

PREFIX = "/data/plugin/lstm_probe/"
#: Far more than any log here has.
_SAMPLES = 2000


def analysis(seed: int, *, step: int = 0, **fields: Any) -> Analysis:
    return analyse(samples.snapshot(np.random.default_rng(seed), step=step, **fields))


def write_run(
    directory: Path, steps: list[int], *, layers: tuple[str, ...] = ("memory",), **fields: Any
) -> Path:
    """A run of one capture for each step; the step is also the seed."""
    with RunLog(directory, detail="full", pictures=False) as run:
        for step in steps:
            run.write(
                [analysis(step, step=step, layer=each, **fields) for each in layers], step=step
            )
    return run.directory


def write_small_run(directory: Path, steps: range) -> None:
    """A run with nothing but what the tab reads: thousands of captures in a second."""
    one = analysis(0)
    with EventFile(directory) as file:
        for step in steps:
            values = [gates_value(one), captures_value(point_of([one.summary()], step=step))]
            file.write(values, step=step)


@contextmanager
def served(log_dir: Path, loader: str) -> Iterator[Client]:
    """A client of the plugin inside TensorBoard's own application."""
    with (_legacy if loader == "legacy" else _fast)(log_dir) as provider:
        plugin = GateExplorer(TBContext(data_provider=provider))
        yield Client(TensorBoardWSGI([plugin], data_provider=provider))


@contextmanager
def _legacy(log_dir: Path) -> Iterator[MultiplexerDataProvider]:
    multiplexer = EventMultiplexer(tensor_size_guidance={"lstm_probe": _SAMPLES})
    multiplexer.AddRunsFromDirectory(str(log_dir))
    multiplexer.Reload()
    yield MultiplexerDataProvider(multiplexer, str(log_dir))


@contextmanager
def _fast(log_dir: Path) -> Iterator[Any]:
    """The data server, as TensorBoard starts it, but so that it is waited for at the end."""
    with tempfile.TemporaryDirectory() as directory:
        port = Path(directory, "port")
        options = [f"--logdir={log_dir}", "--reload=1", "--port=0", f"--port-file={port}"]
        options += [f"--samples-per-plugin=lstm_probe={_SAMPLES}", "--die-after-stdin"]
        with subprocess.Popen(
            [get_server_binary().path, *options], stdin=subprocess.PIPE
        ) as process:
            try:
                wait_until(lambda: port.is_file() and port.read_text().endswith("\n"))
                address = f"localhost:{int(port.read_text())}"
                with grpc.insecure_channel(address) as channel:
                    provider = GrpcDataProvider(address, make_stub(channel))
                    wait_until(lambda: provider.list_runs(None, experiment_id=""))
                    yield provider
            finally:
                process.terminate()


def wait_until(happened: Callable[[], Any], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, "it does not happen"
        time.sleep(0.05)
