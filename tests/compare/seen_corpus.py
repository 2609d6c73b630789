"""What becomes of every file that fuzzing has left: its numbers, or the words of its refusal."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from command_line import run
from observations import Observations, attempt
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import DATA_CLASS_BLOB_SEQUENCE, SummaryMetadata
from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import masked_crc32c
from tensorboard.util.tensor_util import make_tensor_proto

import lstm_probe

__all__ = ["LEFT_OUT", "observe"]

CORPUS = Path(__file__).resolve().parent.parent / "corpus"
#: The HDF5 library never ends at this one; it takes ten seconds to be refused.
LEFT_OUT = ("regression-hang",)
_WORK = Path("file")
_RNG = np.random.default_rng(91)
_PROBE = _RNG.normal(size=(2, 6, 3))
#: The files that are whole take one of these.
_PROBES = (_PROBE, _PROBE[:, :, :1], _RNG.normal(size=(3, 1, 1)).astype(np.float32))


def observe(seen: Observations) -> None:
    """Every file of the corpus, by the way in which a user reaches its reader."""
    np.savez("lstm.npz", *(_RNG.normal(size=s) for s in ((3, 20), (5, 20), (20,))))
    np.savez("one.npz", *(_RNG.normal(size=s) for s in ((1, 20), (5, 20), (20,))))
    _write_weights()
    for folder in sorted(path for path in CORPUS.iterdir() if path.is_dir()):
        look = _LOOKS[folder.name]  # a kind that is new must be told how to be read
        for path in sorted(folder.iterdir()):
            if path.name not in LEFT_OUT:
                _WORK.mkdir()
                seen.note("corpus", f"{folder.name}/{path.name}", look(path.read_bytes()))
                shutil.rmtree(_WORK)


def _write_weights() -> None:
    """Weights that a configuration may or may not fit."""
    import h5py

    with h5py.File("model.weights.h5", "w") as file:
        for number, shape in enumerate(((3, 20), (5, 20), (20,))):
            file[f"layers/lstm/cell/vars/{number}"] = _RNG.normal(size=shape)


def _model(ending: str) -> Callable[[bytes], Any]:
    def look(data: bytes) -> Any:
        path = _WORK / f"model{ending}"
        path.write_bytes(data)
        return {str(p.shape): _inspected(path, probe=p) for p in _PROBES}

    return look


def _inspected(path: Path, **options: Any) -> Any:
    def numbers() -> Any:
        probe = options.pop("probe", _PROBE)
        found = lstm_probe.inspect(path, probe, **options)
        return {layer: dict(analysis.trace.arrays) for layer, analysis in found.items()}

    return attempt(numbers)


def _checkpoint(data: bytes) -> Any:
    size = int.from_bytes(data[:2], "little")
    (_WORK / "model.index").write_bytes(data[2 : 2 + size])
    (_WORK / "model.data-00000-of-00001").write_bytes(data[2 + size :])
    return _inspected(_WORK / "model")


def _configuration(data: bytes) -> Any:
    (_WORK / "model.json").write_bytes(data)
    return _inspected(Path("model.weights.h5"), config=_WORK / "model.json")


def _probe(ending: str) -> Callable[[bytes], Any]:
    def look(data: bytes) -> Any:
        path = _WORK / f"probe{ending}"
        path.write_bytes(data)
        return {name: _inspected(Path(name), probe=path) for name in ("lstm.npz", "one.npz")}

    return look


def _shape(data: bytes) -> Any:
    return run("inspect", "lstm.npz", f"--random={data.decode(errors='replace')}")


def _trace(data: bytes) -> Any:
    (_WORK / "trace.npz").write_bytes(data)
    return attempt(lambda: dict(lstm_probe.GateTrace.load(_WORK / "trace.npz").arrays))


def _log(data: bytes) -> Any:
    """What three commands make of a log."""
    (_WORK / "events.out.tfevents.0.x").write_bytes(data)
    exported = _WORK / "gates.npz"
    said = {
        "watch": run("watch", str(_WORK), "--once"),
        "watch json": run("watch", str(_WORK), "--json"),
        "export": run("export", str(_WORK), "-o", str(exported)),
        "report": run("report", str(_WORK), "-o", str(_WORK / "report.html")),
    }
    if exported.is_file():
        with np.load(exported) as file:
            said["arrays"] = {k: v.tolist() if v.dtype.kind in "US" else v for k, v in file.items()}
    return said


def _event(data: bytes) -> Any:
    """A record whose checksums are right, whatever it holds."""
    size = len(data).to_bytes(8, "little")
    sums = [masked_crc32c(part).to_bytes(4, "little") for part in (size, data)]
    return _log(size + sums[0] + data + sums[1])


def _capture(data: bytes) -> Any:
    """A stored capture, in an event as TensorBoard frames it."""
    plugin = SummaryMetadata.PluginData(plugin_name="lstm_probe", content=b"1")
    metadata = SummaryMetadata(plugin_data=plugin, data_class=DATA_CLASS_BLOB_SEQUENCE)
    event = Event(step=3)
    event.summary.value.add(
        tag="layer/capture", metadata=metadata, tensor=make_tensor_proto([data])
    )
    return _event(event.SerializeToString())


_LOOKS: dict[str, Callable[[bytes], Any]] = {
    "capture": _capture,
    "checkpoint": _checkpoint,
    "configuration": _configuration,
    "event": _event,
    "hdf5": _model(".h5"),
    "keras": _model(".keras"),
    "log": _log,
    "npz": _model(".npz"),
    "onnx": _model(".onnx"),
    "probe_csv": _probe(".csv"),
    "probe_npy": _probe(".npy"),
    "probe_npz": _probe(".npz"),
    "safetensors": _model(".safetensors"),
    "shape": _shape,
    "torch": _model(".pt"),
    "trace": _trace,
}
