"""Small files that ask for much: counted before anything is allocated, and refused with a size."""

from __future__ import annotations

import io
import os
import pickle
import struct
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from lstm_probe import LstmProbeError
from lstm_probe.models.files.hdf5 import check_hdf5
from lstm_probe.models.files.keras_sizes import check_sizes
from lstm_probe.models.files.onnx_tensors import check_filled, read_external
from lstm_probe.models.files.torch_file import read_state_dict
from lstm_probe.weights.bundle import Bundle

onnx = pytest.importorskip("onnx")
NUMBERS = 2**22


def pickled(path: Path, value: Any) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("m/data.pkl", pickle.dumps(value, 2))
    return path


def one_storage(path: Path, tensors: int) -> Path:
    """A file of one storage of zeros that many tensors share, each in full."""

    def text(word: str) -> bytes:
        return b"X" + struct.pack("<I", len(word)) + word.encode()

    def number(value: int) -> bytes:
        return b"J" + struct.pack("<i", value)

    storage = b"(" + text("storage") + b"ctorch\nFloatStorage\n" + text("0") + text("cpu")
    out = b"\x80\x02}("
    for index in range(tensors):
        out += text(f"l{index}.weight_ih_l0") + b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage
        out += number(NUMBERS) + b"tQ" + number(0) + number(NUMBERS) + b"\x85K\x01\x85"
        out += b"\x89ccollections\nOrderedDict\n)RtR"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("m/data.pkl", out + b"u.")
        archive.writestr("m/data/0", bytes(4 * NUMBERS))
    return path


# torch -------------------------------------------------------------------------------------------


def test_tensors_of_one_storage_are_views_of_it(tmp_path):
    tracemalloc.start()
    try:
        arrays = read_state_dict(one_storage(tmp_path / "m.pt", 8))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(arrays) == 8
    assert peak < 4 * 4 * NUMBERS  # some copies of the one storage, and not of eight


def test_many_tensors_of_one_storage_are_refused(tmp_path):
    with pytest.raises(LstmProbeError, match="would fill the memory"):
        read_state_dict(one_storage(tmp_path / "m.pt", 40))


def test_a_dictionary_within_itself_is_refused(tmp_path):
    tree: dict[str, Any] = {}
    tree["x"] = tree
    with pytest.raises(LstmProbeError, match="dictionaries within each other"):
        read_state_dict(pickled(tmp_path / "m.pt", tree))


def test_dictionaries_in_many_places_are_counted(tmp_path):
    tree: dict[str, Any] = {}
    for _ in range(30):
        tree = {"a": tree, "b": tree}
    with pytest.raises(LstmProbeError, match="dictionaries within each other"):
        read_state_dict(pickled(tmp_path / "m.pt", tree))


# Checkpoints -------------------------------------------------------------------------------------


def checkpoint(folder: Path, entries: bytes, data: int) -> Path:
    """An index of one block of entries, and a file of zeros."""

    def block(content: bytes) -> bytes:
        return content + struct.pack("<II", 0, 1) + bytes(5)

    def handle(offset: int, size: int) -> bytes:
        return varint(offset) + varint(size)

    first = block(entries)
    second = block(varint(0) + varint(1) + varint(len(handle(0, len(first) - 5))) + b"z"
                   + handle(0, len(first) - 5))  # fmt: skip
    footer = handle(0, 0) + handle(len(first), len(second) - 5)
    index = first + second + footer.ljust(40, b"\0") + (0xDB4775248B80FB57).to_bytes(8, "little")
    (folder / "m.index").write_bytes(index)
    (folder / "m.data-00000-of-00001").write_bytes(bytes(data))
    return folder / "m"


def varint(number: int) -> bytes:
    out = b""
    while number > 127:
        out, number = out + bytes([number & 127 | 128]), number >> 7
    return out + bytes([number])


def entry(name: bytes, size: int) -> bytes:
    value = b"\x08\x01\x28" + varint(size)  # float32, of so many bytes
    return varint(0) + varint(len(name)) + varint(len(value)) + name + value


def test_variables_do_not_share_their_place(tmp_path):
    first = varint(0) * 3
    one = checkpoint(tmp_path, first + entry(b"a", 400_000), 500_000)
    assert len(Bundle(one)) == 1
    many = b"".join(entry(f"{k:04}".encode(), 400_000) for k in range(1000))
    with pytest.raises(LstmProbeError, match="variables of 400,000,000 bytes in files of 500,000"):
        Bundle(checkpoint(tmp_path, first + many, 500_000))


def test_names_do_not_grow_without_an_end(tmp_path):
    growing = b"".join(varint(k * 50) + varint(50) + varint(0) + b"n" * 50 for k in range(1000))
    with pytest.raises(LstmProbeError, match="a name of 10,050 bytes"):
        Bundle(checkpoint(tmp_path, growing, 100))


# HDF5 --------------------------------------------------------------------------------------------


def test_arrays_that_store_nothing_count_for_nothing(tmp_path):
    path = tmp_path / "weights.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("big", (2**24,), "f4", compression="gzip", chunks=(2**20,))
        file.create_dataset("unwritten", (2**20,), "f4")
        file["kernel"] = np.ones((3, 4), np.float32)
    with h5py.File(path, "r") as file:
        assert check_hdf5(path, file) == 48


# Keras configurations ----------------------------------------------------------------------------

HUGE = {
    "Embedding": {"input_dim": 10**9, "output_dim": 1000},
    "GRU": {"units": 8000},
    "Conv2D": {"filters": 1000, "kernel_size": [1000, 1000]},
    "ConvLSTM2D": {"filters": 9000, "kernel_size": 3},
    "ZeroPadding1D": {"padding": [10**9, 10**9]},
    "RepeatVector": {"n": 10**8},
    "UpSampling2D": {"size": [10**5, 10**5]},
    "Resizing": {"height": 10**9, "width": 2},
    "Reshape": {"target_shape": [10**6, 10**6]},
}


@pytest.mark.parametrize("kind", HUGE)
def test_a_size_that_the_weights_do_not_explain_is_refused(kind):
    layer = {"class_name": kind, "config": {"name": "large", **HUGE[kind]}}
    config = {"class_name": "Sequential", "config": {"name": "m", "layers": [layer]}}
    with pytest.raises(LstmProbeError, match="'large'") as refused:
        check_sizes(Path("m.keras"), config, 100_000)
    assert kind in str(refused.value)
    assert str(refused.value).count("\n") == 0


def test_a_long_unrolled_layer_is_refused():
    layer = {"class_name": "LSTM", "config": {"name": "memory", "units": 4, "unroll": True}}
    check_sizes(Path("m"), {**layer, "build_config": {"input_shape": [None, 100, 3]}}, 1000)
    with pytest.raises(LstmProbeError, match=r"'memory' .*20,000 timesteps"):
        check_sizes(Path("m"), {**layer, "build_config": {"input_shape": [None, 20000, 3]}}, 1000)


def test_honest_sizes_pass():
    layers = [
        {"class_name": "Embedding", "config": {"input_dim": 20_000, "output_dim": 128}},
        {"class_name": "LSTM", "config": {"units": 512, "unroll": False}},
        {"class_name": "ZeroPadding2D", "config": {"padding": [[1, 1], [2, 2]]}},
        {"class_name": "Conv1D", "config": {"filters": 64, "kernel_size": [5], "padding": "same"}},
        {"class_name": "Reshape", "config": {"target_shape": [-1, 6]}},
    ]
    weights = 20_000 * 128 // 2 + 4 * 4 * (512 * 512)  # the embedding in four bits
    check_sizes(Path("m"), {"class_name": "Sequential", "config": {"layers": layers}}, weights)


# ONNX --------------------------------------------------------------------------------------------


def external(name: str, location: str, *, count: int = 3, length: int = 12) -> Any:
    tensor = onnx.TensorProto(name=name, data_type=1, dims=[count], data_location=1)
    for key, value in (("location", location), ("offset", "4"), ("length", str(length))):
        tensor.external_data.add(key=key, value=value)
    return tensor


def with_tensor(tensor: Any, *, inside: bool) -> Any:
    """A model with a tensor on its graph, or on that of a branch of an `If`."""
    make = onnx.helper
    graph = make.make_graph([], "inner" if inside else "g", [], [], [tensor])
    if inside:
        node = make.make_node("If", ["on"], ["y"], then_branch=graph, else_branch=graph)
        graph = make.make_graph([node], "g", [], [])
    return make.make_model(graph)


@pytest.mark.parametrize("inside", [False, True], ids=["graph", "branch"])
def test_numbers_beside_the_model_are_read(inside, tmp_path):
    (tmp_path / "sub").mkdir()
    np.arange(4, dtype="f4").tofile(tmp_path / "sub" / "m.data")
    model = with_tensor(external("w", "sub/m.data"), inside=inside)
    read_external(tmp_path / "m.onnx", model)
    graph = model.graph.node[0].attribute[0].g if inside else model.graph
    read = onnx.numpy_helper.to_array(graph.initializer[0])
    np.testing.assert_array_equal(read, [1, 2, 3])


@pytest.mark.parametrize("inside", [False, True], ids=["graph", "branch"])
@pytest.mark.parametrize(
    "location",
    ["secret.bin", "../secret.bin", "{root}/secret.bin", "link.bin", "", "m", "pipe", "a\0b"],
)
def test_numbers_elsewhere_are_refused(inside, location, tmp_path, monkeypatch):
    folder = tmp_path / "m"
    (folder / "m").mkdir(parents=True)
    secret = tmp_path / "secret.bin"
    secret.write_bytes(bytes(64))
    (folder / "link.bin").symlink_to(secret)
    os.mkfifo(folder / "pipe")
    monkeypatch.chdir(tmp_path)
    model = with_tensor(external("w", location.format(root=tmp_path)), inside=inside)
    with pytest.raises(LstmProbeError, match="not beside it"):
        read_external(folder / "m.onnx", model)


@pytest.mark.parametrize(("count", "length"), [(3, 16), (10**12, 4 * 10**12), (3, 10**20)])
def test_more_numbers_than_there_are_are_refused(count, length, tmp_path):
    (tmp_path / "data").write_bytes(bytes(16))
    tensor = external("w", "data", count=count, length=length)
    with pytest.raises(LstmProbeError, match=r"as an \.onnx file"):
        read_external(tmp_path / "m.onnx", with_tensor(tensor, inside=False))


def test_an_array_filled_out_of_its_shape_is_counted(tmp_path):
    make = onnx.helper
    for count, refused in ((1000, False), (10**10, True)):
        shape = onnx.numpy_helper.from_array(np.array([count, 2]), "shape")
        node = make.make_node("ConstantOfShape", ["shape"], ["big"], name="fill")
        model = make.make_model(make.make_graph([node], "g", [], [], [shape]))
        if refused:
            with pytest.raises(LstmProbeError, match=r"'fill'.*20,000,000,000"):
                check_filled(tmp_path / "m.onnx", model)
        else:
            check_filled(tmp_path / "m.onnx", model)


def test_an_honest_model_with_its_numbers_beside_it_is_read_in_full(tmp_path):
    """What torch.onnx.export writes today."""
    rng = np.random.default_rng(0)
    arrays = {
        name: rng.normal(size=shape).astype(np.float32)
        for name, shape in {"W": (1, 16, 3), "R": (1, 16, 4)}.items()
    }
    make = onnx.helper
    graph = make.make_graph(
        [], "g", [], [], [onnx.numpy_helper.from_array(v, k) for k, v in arrays.items()]
    )
    path = tmp_path / "m.onnx"
    onnx.save(make.make_model(graph), str(path), save_as_external_data=True, size_threshold=0,
              location="m.onnx.data")  # fmt: skip
    model = onnx.load(io.BytesIO(path.read_bytes()), load_external_data=False)
    read_external(path, model)
    for tensor in model.graph.initializer:
        np.testing.assert_array_equal(onnx.numpy_helper.to_array(tensor), arrays[tensor.name])
