"""Small, valid inputs of each target, from which fuzzing begins.

A process of its own writes them, so that `fuzz.py` imports nothing that is not instrumented.
"""

from __future__ import annotations

import io
import json
import struct
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
import samples

from lstm_probe import analyse
from lstm_probe.logs import RunLog
from lstm_probe.logs.events.records import read_records
from lstm_probe.logs.stored.format import pack

__all__ = ["seeds_of"]

_RNG = np.random.default_rng(5)
_ARRAYS = {
    "memory/kernel": _RNG.normal(size=(1, 8)).astype(np.float32),
    "memory/recurrent_kernel": _RNG.normal(size=(2, 8)).astype(np.float32),
    "memory/bias": np.zeros(8, np.float32),
}
_CONFIG = {
    "module": "keras",
    "class_name": "Sequential",
    "config": {
        "layers": [
            {"module": "keras.layers", "class_name": "LSTM", "config": {"units": 2, "name": "a"}},
            {"module": "keras.layers", "class_name": "Lambda", "config": {"function": "f"}},
        ]
    },
}


def seeds_of(name: str) -> list[bytes]:
    """Valid inputs; none where random bytes do."""
    return list(_SEEDS.get(name, lambda: [b""])())


def _analysis() -> Any:
    return analyse(samples.snapshot(_RNG, weights=samples.lstm_weights(_RNG, units=2)))


def _capture() -> list[bytes]:
    meta = {"letters": ["h"], "ranges": {"h": [-1, 1]}, "step": 1}
    places = {key: np.arange(1, dtype=np.int32) for key in ("sequences", "timesteps", "units")}
    gate = np.zeros((1, 1, 1), np.float16)
    return [pack({"gates/h": gate, **places}, meta), pack({}, {"letters": []})]


def _log() -> list[bytes]:
    with TemporaryDirectory() as directory:
        with RunLog(directory, pictures=False, detail="scalars") as log:
            log.write([_analysis()], step=3)
        return [path.read_bytes() for path in Path(directory).rglob("*tfevents*")]


def _events() -> Iterator[bytes]:
    for detail in ("scalars", "full"):
        with TemporaryDirectory() as directory:
            with RunLog(directory, pictures=False, detail=detail) as log:
                log.write([_analysis()], step=3)
            for path in Path(directory).rglob("*tfevents*"):
                yield from (data for _, data, _ in read_records(path))


def _trace() -> list[bytes]:
    with TemporaryDirectory() as directory:
        path = Path(directory) / "trace.npz"
        _analysis().trace.save(path)
        return [path.read_bytes()]


def _npy() -> list[bytes]:
    np.save(file := io.BytesIO(), np.ones((1, 2, 1), np.float32))
    return [file.getvalue()]


def _npz() -> list[bytes]:
    np.savez(plain := io.BytesIO(), **_ARRAYS)
    np.savez_compressed(packed := io.BytesIO(), *_ARRAYS.values())
    return [plain.getvalue(), packed.getvalue()]


def _torch() -> list[bytes]:
    data = Path(__file__).resolve().parent.parent / "cli" / "data" / "torch_state.pt"
    return [data.read_bytes()]


def _safetensors() -> list[bytes]:
    from safetensors.numpy import save

    torch = {"a.weight_ih_l0": np.ones((8, 1)), "a.weight_hh_l0": np.ones((8, 2))}
    return [save(_ARRAYS), save(torch)]


def _onnx() -> list[bytes]:
    from onnx import TensorProto, helper, numpy_helper

    arrays = {"W": (1, 8, 1), "R": (1, 8, 2), "B": (1, 16)}
    node = helper.make_node("LSTM", [*"XWRB"], ["Y"], name="a", hidden_size=2)
    graph = helper.make_graph(
        [node],
        "g",
        [helper.make_tensor_value_info("X", TensorProto.FLOAT, [3, 1, 1])],
        [helper.make_tensor_value_info("Y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.ones(s, np.float32), k) for k, s in arrays.items()],
    )
    return [helper.make_model(graph).SerializeToString()]


def _checkpoint() -> Iterator[bytes]:
    import tensorflow as tf

    with TemporaryDirectory() as directory:
        variables = {name: tf.Variable(array) for name, array in _ARRAYS.items()}
        named = tf.compat.v1.train.Saver(variables)
        named.save(None, f"{directory}/named", write_meta_graph=False)
        tf.train.Checkpoint(**{k.partition("/")[2]: v for k, v in variables.items()}).write(
            f"{directory}/objects"
        )
        for name in ("named", "objects"):
            index = Path(f"{directory}/{name}.index").read_bytes()
            data = Path(f"{directory}/{name}.data-00000-of-00001").read_bytes()
            yield struct.pack("<H", len(index)) + index + data


def _hdf5() -> list[bytes]:
    import h5py

    with h5py.File(file := io.BytesIO(), "w") as opened:
        opened.attrs["keras_version"] = "3.15.1"
        opened.attrs["model_config"] = json.dumps(_CONFIG)
        opened["layers/a/cell/vars/0"] = _ARRAYS["memory/kernel"]
        opened["optimizer/vars/0"] = np.int64(3)
    return [file.getvalue()]


def _keras() -> list[bytes]:
    with zipfile.ZipFile(file := io.BytesIO(), "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", json.dumps(_CONFIG))
        archive.writestr("metadata.json", json.dumps({"keras_version": "3.15.1"}))
        archive.writestr("model.weights.h5", _hdf5()[0])
    return [file.getvalue()]


_SEEDS: dict[str, Callable[[], Any]] = {
    "capture": _capture,
    "log": _log,
    "event": _events,
    "trace": _trace,
    "probe_npy": _npy,
    "probe_npz": lambda: _npz() + _trace(),
    "probe_csv": lambda: [b"x,y\n1,2\n3,4e5\n", b"1\n2\n"],
    "shape": lambda: [b"1,50,3", b"2x7", b"(1, 2)"],
    "npz": _npz,
    "torch": _torch,
    "safetensors": _safetensors,
    "onnx": _onnx,
    "checkpoint": _checkpoint,
    "hdf5": _hdf5,
    "keras": _keras,
    "configuration": lambda: [json.dumps(_CONFIG).encode()],
}


if __name__ == "__main__":
    for number, data in enumerate(seeds_of(sys.argv[1])):
        (Path(sys.argv[2]) / str(number)).write_bytes(data)
