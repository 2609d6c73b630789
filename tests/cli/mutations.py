"""Makes hostile files out of honest ones: not bytes are changed, but what they stand for."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import onnx
from google.protobuf.message import Message

__all__ = ["READERS"]

Rng = np.random.Generator
#: What stands where a class, a function, a path or another word is expected.
WORDS = tuple((Path(__file__).parent / "data" / "words_for_mutations.txt").read_text().splitlines())
NUMBERS = (-1, 0, 1, 2, 3, 255, 4096, 10**5, 2**31 - 1, 2**31, 10**9, 2**63, 10**30, -(10**9), 1.5)
OPERATORS = ("Loop", "Scan", "If", "ConstantOfShape", "Expand", "Tile", "Range", "Pad", "Identity")
OPERATORS += ("LSTM", "GRU", "RNN", "Gather", "Reshape", "Resize")


def changed_json(value: Any, rng: Rng, folder: Path) -> Any:
    """The value with one to four of its places changed."""
    value = json.loads(json.dumps(value))
    for _ in range(int(rng.integers(1, 5))):
        places = list(_places(value))
        holder, key = places[int(rng.integers(len(places)))]
        holder[key] = _other(holder[key], value, places, rng, folder)
    return value


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    waiting = [value]
    while waiting:
        holder = waiting.pop()
        for key, each in list(holder.items() if isinstance(holder, dict) else enumerate(holder)):
            yield holder, key
            if isinstance(each, (dict, list)):
                waiting.append(each)


def _other(old: Any, root: Any, places: Any, rng: Rng, folder: Path) -> Any:
    kind = int(rng.integers(8))
    if kind == 0:  # something else out of the same file: a layer in a layer, a name for a size
        holder, key = places[int(rng.integers(len(places)))]
        return json.loads(json.dumps(holder[key]))
    if kind == 1:
        return [json.loads(json.dumps(old))] * int(rng.integers(1, 40))
    if kind == 2:
        inner: Any = old
        for _ in range(int(rng.integers(1, 100))):
            inner = {"class_name": "Sequential", "config": {"layers": [inner]}}
        return inner
    if isinstance(old, bool) or old is None or kind == 3:
        return [True, False, None, {}, [], ""][int(rng.integers(6))]
    if isinstance(old, (int, float)) or kind == 4:
        return NUMBERS[int(rng.integers(len(NUMBERS)))]
    return WORDS[int(rng.integers(len(WORDS)))].format(folder=folder)


# Kinds of files ----------------------------------------------------------------------------------


def keras_archive(good: Path, bad: Path, rng: Rng, folder: Path) -> list[str]:
    with zipfile.ZipFile(good) as whole, zipfile.ZipFile(bad, "w") as archive:
        for name in whole.namelist():
            data: Any = whole.read(name)
            if name == "config.json":
                data = json.dumps(changed_json(json.loads(data), rng, folder))
            if name == "metadata.json" and rng.random() < 0.1:
                data = json.dumps(changed_json(json.loads(data), rng, folder))
            if name == "model.weights.h5" and rng.random() < 0.3:
                data = _changed_hdf5(data, rng, folder)
            archive.writestr(name, data)
    return [str(bad)]


def hdf5(good: Path, bad: Path, rng: Rng, folder: Path) -> list[str]:
    bad.write_bytes(_changed_hdf5(good.read_bytes(), rng, folder))
    return [str(bad)]


def configuration(good: Path, bad: Path, rng: Rng, folder: Path) -> list[str]:
    config = bad.with_suffix(".json")
    described = json.loads(good.with_name("model.json").read_text())
    config.write_text(json.dumps(changed_json(described, rng, folder)))
    shutil.copy(good, bad)
    return [str(bad), "--config", str(config)]


def _changed_hdf5(data: bytes, rng: Rng, folder: Path) -> bytes:
    stream = io.BytesIO(data)
    with h5py.File(stream, "a") as file:
        arrays: list[str] = []
        file.visititems(lambda n, i: arrays.append(n) if isinstance(i, h5py.Dataset) else None)
        name = arrays[int(rng.integers(len(arrays)))]
        kind = int(rng.integers(8))
        shape = tuple(int(n) for n in rng.choice([0, 1, 3, 20, 10**4, 10**6], 2))
        if kind < 5:
            del file[name]
        if kind == 0:
            file.create_dataset(name, shape, "f4", chunks=None if 0 in shape else (1, shape[1]))
        elif kind == 1:
            secret = folder / "target" / "precious"
            file.create_dataset(name, (2,), "f4", external=[(str(secret), 0, 8)])
        elif kind == 2:
            file[name] = h5py.ExternalLink(str(folder / "target" / "precious"), "/")
        elif kind == 3:
            file[name] = h5py.SoftLink("/")
        elif kind == 4:
            file[name] = file["/"]  # a group within itself
        elif "model_config" in file.attrs:
            config = json.loads(file.attrs["model_config"])
            file.attrs["model_config"] = json.dumps(changed_json(config, rng, folder))
        elif kind == 5:
            file[name].attrs["name"] = "x" * 1000
    return stream.getvalue()


def saved_model(good: Path, bad: Path, rng: Rng, folder: Path) -> list[str]:
    from tf_keras.protobuf.saved_metadata_pb2 import SavedMetadata

    shutil.copytree(good, bad)
    path = bad / "keras_metadata.pb"
    metadata = SavedMetadata.FromString(path.read_bytes())
    for node in metadata.nodes:
        if node.node_path == "root":
            node.metadata = json.dumps(changed_json(json.loads(node.metadata), rng, folder))
    path.write_bytes(metadata.SerializeToString())
    if rng.random() < 0.3:
        (bad / "variables" / "variables.index").write_bytes(
            _changed_bytes((good / "variables" / "variables.index").read_bytes(), rng)
        )
    return [str(bad)]


def checkpoint(good: Path, bad: Path, rng: Rng, folder: Path) -> list[str]:
    for end in ("index", "data-00000-of-00001"):
        data = good.with_name(f"{good.name}.{end}").read_bytes()
        data = _changed_bytes(data, rng) if rng.random() < 0.7 else data
        bad.with_name(f"{bad.name}.{end}").write_bytes(data)
    return [str(bad)]


def onnx_graph(good: Path, bad: Path, rng: Rng, folder: Path) -> list[str]:
    model = onnx.load(str(good))
    for _ in range(int(rng.integers(1, 4))):
        _change_onnx(model, rng, folder)
    bad.write_bytes(model.SerializeToString())
    return [str(bad)]


def _change_onnx(model: Any, rng: Rng, folder: Path) -> None:
    messages = [each for each in _messages(model) if each.ListFields()]
    node = model.graph.node[int(rng.integers(len(model.graph.node)))]
    kind = int(rng.integers(5))
    if kind == 0:
        node.op_type = OPERATORS[int(rng.integers(len(OPERATORS)))]
    elif kind == 1 and node.input:
        names = [name for each in model.graph.node for name in (*each.input, *each.output)]
        node.input[int(rng.integers(len(node.input)))] = names[int(rng.integers(len(names)))]
    elif kind == 2:
        tensor = model.graph.initializer[int(rng.integers(len(model.graph.initializer)))]
        places = [f"{folder}/target/precious", "../target/precious", "pipe", "precious", "m.onnx"]
        tensor.data_location = 1
        for key, value in (("location", places[int(rng.integers(5))]), ("offset", "0")):
            tensor.external_data.add(key=key, value=value)
    elif kind == 3:
        inner = onnx.helper.make_graph(list(model.graph.node), "inner", [], [])
        node.attribute.append(onnx.helper.make_attribute("body", inner))
    else:
        message = messages[int(rng.integers(len(messages)))]
        for field, value in message.ListFields():
            if field.type in (3, 5) and not isinstance(value, int):  # whole numbers, several
                value[int(rng.integers(len(value)))] = int(rng.choice([0, -1, 2**31 - 1, 10**9]))
            elif field.type in (3, 5):
                setattr(message, field.name, int(rng.choice([0, -1, 3, 2**31 - 1])))


def _messages(message: Message) -> Iterator[Any]:
    yield message
    for field, value in message.ListFields():
        if field.message_type is not None:
            for each in value if not isinstance(value, Message) else [value]:
                yield from _messages(each)


def torch_archive(good: Path, bad: Path, rng: Rng, folder: Path) -> list[str]:
    with zipfile.ZipFile(good) as whole, zipfile.ZipFile(bad, "w") as archive:
        for name in whole.namelist():
            data = whole.read(name)
            archive.writestr(name, _changed_bytes(data, rng) if name.endswith("data.pkl") else data)
    return [str(bad)]


def tensors(good: Path, bad: Path, rng: Rng, folder: Path) -> list[str]:
    data = good.read_bytes()
    size = int.from_bytes(data[:8], "little")
    header = changed_json(json.loads(data[8 : 8 + size]), rng, folder)
    text = json.dumps(header).encode()
    bad.write_bytes(len(text).to_bytes(8, "little") + text + data[8 + size :])
    return [str(bad)]


def arrays(good: Path, bad: Path, rng: Rng, folder: Path) -> list[str]:
    with zipfile.ZipFile(good) as whole, zipfile.ZipFile(bad, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in whole.namelist():
            stream = io.BytesIO()
            shape = tuple(int(n) for n in rng.choice([0, 1, 3, 20, 10**6, 10**12], 2))
            described = {"descr": str(rng.choice(["<f4", "|O", "<U9", "<f8"])), "shape": shape}
            if rng.random() < 0.5:
                np.lib.format.write_array_header_1_0(stream, {**described, "fortran_order": True})
                archive.writestr(name, stream.getvalue() + bytes(int(rng.choice([0, 64, 10**7]))))
            else:
                archive.writestr(name, whole.read(name))
    return [str(bad)]


def _changed_bytes(data: bytes, rng: Rng) -> bytes:
    changed = bytearray(data)
    for _ in range(int(rng.integers(1, 6))):
        changed[int(rng.integers(len(changed)))] = int(rng.integers(256))
    return bytes(changed)


#: The honest file, the name of the hostile one, and what makes it.
READERS: dict[str, tuple[str, str, Callable[[Path, Path, Rng, Path], list[str]]]] = {
    ".keras of Keras 3": ("keras/model.keras", "m.keras", keras_archive),
    ".keras of Keras 2": ("tf_keras/model.keras", "m.keras", keras_archive),
    ".h5 of Keras 3": ("keras/model.h5", "m.h5", hdf5),
    ".h5 of Keras 2": ("tf_keras/model.h5", "m.h5", hdf5),
    "--config of Keras 3": ("keras/model.weights.h5", "m.weights.h5", configuration),
    "--config of Keras 2": ("tf_keras/model.weights.h5", "m.weights.h5", configuration),
    "SavedModel of Keras 2": ("tf_keras/saved", "saved", saved_model),
    "checkpoint": ("tf_keras/objects", "objects", checkpoint),
    ".onnx": ("model.onnx", "m.onnx", onnx_graph),
    ".pt": ("torch_state.pt", "m.pt", torch_archive),
    ".safetensors": ("m.safetensors", "m.safetensors", tensors),
    ".npz": ("keras/lstm.npz", "m.npz", arrays),
}
