"""Reads a TensorFlow checkpoint without TensorFlow.

A checkpoint of format V2 is a bundle: an index, which is a LevelDB table, and files of data.

Source: tensorflow/core/util/tensor_bundle/tensor_bundle.cc, tensorflow/core/lib/io/table.cc;
tensorflow/core/protobuf/tensor_bundle.proto.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from lstm_probe.core.arrays import Array
from lstm_probe.core.checksum import masked_crc32c
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.core.limits import damaged, reading
from lstm_probe.core.wire import fields_of, varint

__all__ = ["Bundle", "checkpoint_prefix"]

_WHAT = "a TensorFlow checkpoint"
_MAGIC = 0xDB4775248B80FB57
_GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"
#: What the keys of variables end with in an object-based checkpoint.
_VALUE = "/.ATTRIBUTES/VARIABLE_VALUE"
_STRING = 7
#: Names of variables are shorter than this.
_LONGEST_NAME = 10_000
#: Bytes that do not fill the memory.
_SMALL = 2**28
#: The first byte of the key of a slice, which no name has.
_SLICE = b"\0"
#: NumPy's dtypes by the numbers of tensorflow/core/framework/types.proto. NumPy does not know
#: bfloat16, which is read as integers.
_DTYPES = {1: "<f4", 2: "<f8", 3: "<i4", 4: "u1", 6: "i1", 9: "<i8", 10: "?", 14: "<u2", 19: "<f2"}
_BFLOAT16 = 14


class _Entry(NamedTuple):
    """What the index says about a variable; source: `BundleEntryProto`.

    Attributes:
        dtype: The number of the dtype.
        shape: The shape of the variable.
        shard: The number of the data file.
        offset: The position of the first byte in that file.
        size: The number of bytes.
        checksum: The masked CRC-32C of the bytes.
        sliced: Whether the variable is stored in slices, each with an entry of its own.
    """

    dtype: int
    shape: tuple[int, ...]
    shard: int
    offset: int
    size: int
    checksum: int
    sliced: bool


def checkpoint_prefix(path: Path) -> Path:
    """The path of a checkpoint without `.index`.

    Args:
        path: A checkpoint with or without `.index`, or a directory, whose latest checkpoint is
            taken.

    Raises:
        LstmProbeError: There is no checkpoint of format V2.
    """
    if path.is_dir():
        return _latest(path)
    prefix = path.with_suffix("") if path.suffix == ".index" else path
    if not prefix.with_name(prefix.name + ".index").is_file():
        raise LstmProbeError(
            f"There is no checkpoint. Received: {path}. Expected: a path as "
            "tf.train.Checkpoint.save or tf.compat.v1.train.Saver.save returns it, or its "
            "directory."
        )
    return prefix


def _latest(directory: Path) -> Path:
    """The checkpoint that the file `checkpoint` names, or else the one that was written last."""
    state = directory / "checkpoint"
    first = state.read_text(errors="replace").partition("\n")[0] if state.is_file() else ""
    name = Path(first.partition('"')[2].rpartition('"')[0]).name
    if name and (directory / f"{name}.index").is_file():
        return directory / name
    found = sorted(directory.glob("*.index"), key=lambda each: each.stat().st_mtime)
    if not found:
        raise LstmProbeError(
            f"There is no checkpoint. Received: {directory}. Expected: a directory with a file "
            "that ends with .index."
        )
    return found[-1].with_suffix("")


class Bundle(Mapping[str, Array]):
    """The variables of a checkpoint by name. A variable is read when it is asked for.

    The names are those of the variables, such as `rnn/basic_lstm_cell/kernel`. This is so even if
    the checkpoint is object-based and its keys are paths of attributes. Where several layers
    share a name, the later ones are numbered.

    A variable that a partitioner has stored in slices is not among them: see `sliced`. Numbers in
    bfloat16 are returned as float32.

    Args:
        prefix: The path of the checkpoint without `.index`.

    Raises:
        LstmProbeError: A file is damaged or missing. This is also raised when a variable is read.
    """

    def __init__(self, prefix: Path) -> None:
        self._prefix = prefix
        index = prefix.with_name(prefix.name + ".index")
        with reading(index, _WHAT):
            entries = dict(_table(index.read_bytes()))
            self._shards = fields_of(entries.pop(b"")).get(1, [1])[-1]
            self._entries = {
                key.decode(): _entry(value)
                for key, value in entries.items()
                if not key.startswith(_SLICE)
            }
            self._check_sizes()
            self._names = self._object_names()

    def __getitem__(self, name: str) -> Array:
        entry = self._entries[self._names[name]]
        with reading(self._prefix, _WHAT):
            array = np.frombuffer(self._data(entry), _DTYPES[entry.dtype]).reshape(entry.shape)
        if entry.dtype == _BFLOAT16:
            array = (array.astype("<u4") << 16).view("<f4")
        return array

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    @property
    def keys_in_file(self) -> list[str]:
        """The keys under which the index stores the variables."""
        return list(self._entries)

    @property
    def paths(self) -> dict[str, str]:
        """By name, the paths of attributes to the variables; none if it is not object-based."""
        return {
            name: key.removesuffix(_VALUE)
            for name, key in self._names.items()
            if key.endswith(_VALUE)
        }

    @property
    def sliced(self) -> list[str]:
        """The names of the variables that are stored in slices, which only TensorFlow reads."""
        return [key for key, entry in self._entries.items() if entry.sliced]

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of a variable, which is known without reading the variable."""
        return self._entries[self._names[name]].shape

    def _object_names(self) -> dict[str, str]:
        """The keys of the variables that can be read, by the names of the variables."""
        keys = {
            key
            for key, entry in self._entries.items()
            if entry.dtype in _DTYPES and not entry.sliced
        }
        if _GRAPH not in self._entries:
            return {key: key for key in sorted(keys)}
        from tensorboard.compat.proto.trackable_object_graph_pb2 import TrackableObjectGraph

        data = self._data(self._entries[_GRAPH])
        length, start = varint(data, 0)  # a string: its length, a checksum of 4 bytes, its bytes
        try:
            graph = TrackableObjectGraph.FromString(data[start + 4 : start + 4 + length])
        except Exception as error:  # the module of protobuf's DecodeError depends on the version
            raise ValueError("an object graph that cannot be parsed") from error
        found = [
            (attribute.full_name or attribute.checkpoint_key, attribute.checkpoint_key, number)
            for number, node in enumerate(graph.nodes)
            for attribute in node.attributes
            if attribute.checkpoint_key in keys
        ]
        owners = _owners(graph, {number: name for name, _, number in found})
        names: dict[str, str] = {}
        held: dict[str, list[int]] = {}
        for name, key, number in sorted(found, key=lambda each: each[2] not in owners):
            scope, _, _ = name.rpartition("/")
            if number not in owners:
                if not self._is_same(names.setdefault(name, key), key):
                    names.setdefault(key, key)
                continue
            # Objects may share a name: the later ones are numbered, each with all its variables.
            of_scope = held.setdefault(scope, [])
            if owners[number] not in of_scope:
                of_scope.append(owners[number])
            names.setdefault(_numbered(name, of_scope.index(owners[number]) + 1), key)
        return names

    def _is_same(self, one: str, other: str) -> bool:
        """Whether two entries hold the same numbers: exported models keep some of them twice."""
        first, second = self._entries[one], self._entries[other]
        return one == other or (
            (first.dtype, first.shape, first.checksum)
            == (second.dtype, second.shape, second.checksum)
        )

    def _check_sizes(self) -> None:
        """Each variable has its own place in the files: together they are no larger than these.
        Where that is a little more, the files are damaged, and who reads the variable says so."""
        shards = self._prefix.parent.glob(f"{self._prefix.name}.data-*")
        held = sum(each.stat().st_size for each in shards)
        claimed = sum(entry.size for entry in self._entries.values())
        if claimed > held + _SMALL:
            raise ValueError(f"variables of {claimed:,} bytes in files of {held:,}")

    def _data(self, entry: _Entry) -> bytes:
        """The bytes of a variable, after a check of their number and their checksum."""
        name = f"{self._prefix.name}.data-{entry.shard:05d}-of-{self._shards:05d}"
        path = self._prefix.with_name(name)
        if not path.is_file():
            raise damaged(self._prefix, _WHAT, f"no file {path.name} beside its index")
        with path.open("rb") as file:
            file.seek(entry.offset)
            data = file.read(min(entry.size, path.stat().st_size))
        if len(data) != entry.size:
            raise damaged(path, _WHAT, f"{len(data):,} of {entry.size:,} bytes of a variable")
        if entry.dtype != _STRING and masked_crc32c(data) != entry.checksum:
            raise damaged(path, _WHAT, "a variable whose checksum is wrong")
        return data


def _owners(graph: Any, names: Mapping[int, str]) -> dict[int, int]:
    """The objects that hold variables under their own names, by the variables' numbers."""
    owners: dict[int, int] = {}
    for owner, node in enumerate(graph.nodes):
        for child in node.children:
            last = names.get(child.node_id, "").rpartition("/")[2]
            if last and child.local_name.lstrip("_") == last:
                owners.setdefault(child.node_id, owner)
    return owners


def _numbered(name: str, number: int) -> str:
    """The name of a variable of the first, second, ... layer that is called so."""
    if number == 1:
        return name
    scope, _, last = name.rpartition("/")
    layer, slash, cell = scope.rpartition("/")
    if cell.endswith("cell") and layer:
        return f"{layer}_{number}{slash}{cell}/{last}"
    return f"{scope}_{number}/{last}"


def _entry(value: bytes) -> _Entry:
    """Parse a `BundleEntryProto`."""
    fields = fields_of(value)
    shape = []
    for size in fields_of(fields.get(2, [b""])[-1]).get(2, []):
        shape.append(fields_of(size).get(1, [0])[-1])
    first = {number: values[-1] for number, values in fields.items()}
    return _Entry(
        dtype=first.get(1, 0),
        shape=tuple(shape),
        shard=first.get(3, 0),
        offset=first.get(4, 0),
        size=first.get(5, 0),
        checksum=first.get(6, 0),
        sliced=7 in first,
    )


def _table(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The keys and values of a LevelDB table whose blocks are not compressed."""
    if len(data) < 48 or int.from_bytes(data[-8:], "little") != _MAGIC:
        raise ValueError("a file that does not end as an index does")
    footer, position = data[-48:-8], 0
    for _ in range(2):  # skip the handle of the metaindex, which is empty
        _, position = varint(footer, position)
    for _, handle in _block(data, footer[position:]):
        yield from _block(data, handle)


def _block(data: bytes, handle: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The keys and values of one block. A key omits what it shares with the key before it."""
    offset, position = varint(handle, 0)
    size, _ = varint(handle, position)
    block, kind = data[offset : offset + size], data[offset + size]
    if len(block) != size or kind != 0:
        raise ValueError("a compressed or truncated block")
    restarts = int.from_bytes(block[-4:], "little")
    end, position, key = size - 4 - 4 * restarts, 0, b""
    while position < end:
        shared, position = varint(block, position)
        fresh, position = varint(block, position)
        length, position = varint(block, position)
        key = key[:shared] + block[position : position + fresh]
        if len(key) > _LONGEST_NAME:  # each may begin with all of the one before it
            raise ValueError(f"a name of {len(key):,} bytes")
        position += fresh
        yield key, block[position : position + length]
        position += length
