"""Everything that reads bytes from elsewhere, each as a function of bytes.

Only `LstmProbeError` may come out of it; `fuzz.py` looks for bytes that get something else,
`test_corpus.py` reads again all that was found.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

from lstm_probe import GateTrace, LstmProbeError
from lstm_probe.core.limits import reading
from lstm_probe.logs import last_step
from lstm_probe.logs.events.records import frame
from lstm_probe.logs.stored.checked import checked_capture
from lstm_probe.logs.stored.format import unpack
from lstm_probe.logs.stored.reader import find_runs
from lstm_probe.models.files import keras_files, onnx_file
from lstm_probe.models.files.keras_config import check_config
from lstm_probe.models.files.kinds import Kind, kind_of
from lstm_probe.models.files.probes import parse_shape, read_probe
from lstm_probe.models.inspection import open_model

__all__ = ["TARGETS", "run"]

Target = Callable[[bytes, Path], Any]


def capture(data: bytes, _: Path) -> None:
    checked_capture(unpack(data))


def log(data: bytes, directory: Path) -> None:
    """All that commands and tab ask of a log."""
    (directory / "events.out.tfevents.0.x").write_bytes(data)
    last_step(directory)
    for run in find_runs(directory).values():
        assert all(isinstance(point.step, int) for point in run.course)
        for tag in run.scalars:
            run.scalar(tag)
        for layer in run.layers:
            for step in run.steps(layer):
                with suppress(LstmProbeError):
                    run.capture(layer, step)
        for layer in run.weighted:
            for step in run.steps(layer):
                with suppress(LstmProbeError):
                    run.weights(layer, step)


def event(data: bytes, directory: Path) -> None:
    """A record whose checksums are right, whatever it holds."""
    log(frame(data), directory)


def trace(data: bytes, directory: Path) -> None:
    (directory / "trace.npz").write_bytes(data)
    GateTrace.load(directory / "trace.npz")


def probe(ending: str) -> Target:
    def target(data: bytes, directory: Path) -> None:
        (directory / f"probe{ending}").write_bytes(data)
        read_probe(directory / f"probe{ending}")

    return target


def model(ending: str) -> Target:
    def target(data: bytes, directory: Path) -> None:
        (directory / f"model{ending}").write_bytes(data)
        open_model(directory / f"model{ending}")

    return target


def of_keras(ending: str) -> Target:
    """As the child does it, in this process."""
    readers = {Kind.KERAS: keras_files.plan_keras, Kind.HDF5: keras_files.plan_hdf5}

    def target(data: bytes, directory: Path) -> None:
        path = directory / f"model{ending}"
        path.write_bytes(data)
        kind = kind_of(path)
        if kind in readers:
            readers[kind](path).build()
        else:
            open_model(path)

    return target


def onnx(data: bytes, directory: Path) -> None:
    path = directory / "model.onnx"
    path.write_bytes(data)
    opened: Any = onnx_file.load_onnx(path)
    with reading(path, "an .onnx file"):  # as where ONNX Runtime is not installed
        onnx_file._stored(path, opened._model, opened._nodes)


def checkpoint(data: bytes, directory: Path) -> None:
    """A file of variables after its index, whose length comes first."""
    size = int.from_bytes(data[:2], "little")
    (directory / "model.index").write_bytes(data[2 : 2 + size])
    (directory / "model.data-00000-of-00001").write_bytes(data[2 + size :])
    open_model(directory / "model")


def configuration(data: bytes, directory: Path) -> None:
    try:
        config = json.loads(data)
    except (ValueError, RecursionError):
        return
    check_config(directory / "model.json", config, size=10_000)


def _not_by_keras(name: str) -> Any:
    raise LstmProbeError(f"What comes next is {name}'s.")


TARGETS: dict[str, Target] = {
    "capture": capture,
    "log": log,
    "event": event,
    "trace": trace,
    "probe_npy": probe(".npy"),
    "probe_npz": probe(".npz"),
    "probe_csv": probe(".csv"),
    "shape": lambda data, _: parse_shape(data.decode(errors="replace")),
    "npz": model(".npz"),
    "torch": model(".pt"),
    "safetensors": model(".safetensors"),
    "onnx": onnx,
    "checkpoint": checkpoint,
    "hdf5": of_keras(".h5"),
    "keras": of_keras(".keras"),
    "configuration": configuration,
}


def run(name: str, data: bytes) -> None:
    """Read bytes as a target does; a refusal in words is fine.

    Raises:
        AssertionError: the refusal says too little, or too much.
        Exception: anything else is a defect.
    """
    with (
        TemporaryDirectory(dir=_memory()) as directory,
        warnings.catch_warnings(),
        # What stands before Keras itself is what is looked at.
        patch.object(keras_files, "import_module", _not_by_keras),
    ):
        warnings.simplefilter("ignore", UserWarning)  # NumPy's of an empty table
        said = ""
        try:
            TARGETS[name](data, Path(directory))
        except LstmProbeError as error:
            said = str(error)
    assert len(said) < 4000, f"{len(said)} characters"


def _memory() -> str | None:
    """A file system in memory, where there is one."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None
