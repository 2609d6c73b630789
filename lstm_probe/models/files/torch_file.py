"""State dictionaries of torch, without torch and without running what a pickle says.

A `.pt` file is a zip archive with a pickle of tensors' shapes and an uncompressed member for each
storage. A pickle is a program: this reader knows the dozen names that a state dictionary consists
of and refuses every other, as `torch.load(weights_only=True)` does.

Source: torch/_weights_only_unpickler.py, torch/serialization.py (`_load`).
"""

from __future__ import annotations

import math
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lstm_probe.core.arrays import Array
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.core.limits import allow, check_zip, damaged
from lstm_probe.models.files.ignored import Ignored, is_lightning

__all__ = ["LEGACY", "read_safetensors", "read_state_dict"]

_WHAT = "a torch state dictionary"
#: How files of torch's older format begin: with the pickle of a number.
LEGACY = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."
#: How many entries the dictionaries of a file may have, each counted as often as it is reached, and
#: how deeply they may lie in each other. Large models have some thousands, three deep.
_ENTRIES, _DEPTH = 100_000, 32
_STORAGES = {
    "FloatStorage": "<f4",
    "DoubleStorage": "<f8",
    "HalfStorage": "<f2",
    "BFloat16Storage": "bfloat16",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "BoolStorage": "?",
}


def read_state_dict(path: Path) -> dict[str, Array]:
    """The arrays of a `.pt` file by name; those of dictionaries within it by their joined names.

    Raises:
        LstmProbeError: it is damaged, is no zip archive (before torch 1.6), or holds more than
            tensors, such as a whole pickled module. Of a checkpoint of Lightning's `Trainer` only
            the state dictionary counts: hyper-parameters and all else are ignored.
    """
    _refuse_legacy(path)
    check_zip(path, _WHAT)
    try:
        with zipfile.ZipFile(path) as archive:
            name = next(n for n in archive.namelist() if n.endswith("/data.pkl"))
            with archive.open(name) as file:
                reader = _Unpickler(file, archive, name.removesuffix("data.pkl"))
                loaded = reader.load()
        if is_lightning(loaded):  # what the trainer keeps beside the weights is ignored
            loaded = loaded["state_dict"]
        elif reader.unknown:
            raise _unknown(reader.unknown[0])
        arrays = dict(_flat(loaded, iter(range(_ENTRIES))))
    except LstmProbeError as error:
        raise LstmProbeError(f"{path}: {error}") from error
    except StopIteration as error:
        raise damaged(path, _WHAT, "a zip archive without data.pkl") from error
    except Exception as error:  # what a damaged pickle raises has no common base
        raise damaged(path, _WHAT, error) from error
    # Tensors that share a storage are views of it, but who computes with them copies each.
    allow(path, sum(array.nbytes for array in arrays.values()))
    return arrays


def _refuse_legacy(path: Path) -> None:
    """Say of a file of the older format, which is whole, how to make one that is read."""
    with path.open("rb") as file:
        start = file.read(len(LEGACY))
    if start == LEGACY:
        name = path.name.replace("\\", "\\\\").replace('"', '\\"')
        raise LstmProbeError(
            f"{path} is in torch's legacy format, which torch before 1.6 wrote, and later versions "
            "with _use_new_zipfile_serialization=False. Received: a file of several pickles. "
            "Expected: a zip archive, as torch.save writes since 1.6. The file is whole; save it "
            f'again: import torch; torch.save(torch.load("{name}", map_location="cpu", '
            f'weights_only=True), "new_{name}")'
        )


def read_safetensors(path: Path) -> dict[str, Array]:
    """The arrays of a `.safetensors` file by name.

    Raises:
        LstmProbeError: it is damaged.
    """
    from safetensors import SafetensorError, deserialize

    try:
        tensors = deserialize(path.read_bytes())  # type: ignore[no-untyped-call]
        return {
            name: _array(bytes(each["data"]), _SAFETENSORS[each["dtype"]]).reshape(each["shape"])
            for name, each in tensors
            if each["dtype"] in _SAFETENSORS
        }
    except (SafetensorError, ValueError) as error:
        raise damaged(path, "a .safetensors file", error) from error


_SAFETENSORS = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "BF16": "bfloat16",
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "i1",
    "U8": "u1",
    "BOOL": "?",
}


def _array(data: bytes, dtype: str) -> Array:
    if dtype == "bfloat16":  # the upper half of a float32
        return (np.frombuffer(data, "<u2").astype("<u4") << 16).view("<f4")
    return np.frombuffer(data, dtype)


class _Unpickler(pickle.Unpickler):
    """Knows tensors, storages and ordered dictionaries; refuses every other name."""

    def __init__(self, file: Any, archive: zipfile.ZipFile, folder: str) -> None:
        super().__init__(file)
        self._archive, self._folder = archive, folder
        self._read: dict[tuple[str, str], Array] = {}
        # The names that are not known. What they stand for is ignored, and never run.
        self.unknown: list[str] = []

    def find_class(self, module: str, name: str) -> Any:
        if module in ("torch", "torch.storage") and name in _STORAGES:
            return _Storage(_STORAGES[name])
        known = _KNOWN.get((module, name))
        if known is None:
            self.unknown.append(f"{module}.{name}")
            return type("Ignored", (Ignored,), {"name": self.unknown[-1]})
        return known

    def persistent_load(self, pid: Any) -> Any:
        kind, storage, key, _, count = pid
        if kind != "storage" or not isinstance(storage, _Storage):
            raise ValueError(f"a reference to {kind!r}")
        array = self._storage(str(key), storage.dtype)
        if len(array) < count:
            raise ValueError(f"a storage of {len(array)} numbers instead of {count}")
        return array

    def _storage(self, key: str, dtype: str) -> Array:
        """The numbers of a storage, read once however many tensors share it."""
        if (key, dtype) not in self._read:
            data = self._archive.read(f"{self._folder}data/{key}")
            self._read[key, dtype] = _array(data, dtype)
        return self._read[key, dtype]


def _unknown(name: str) -> LstmProbeError:
    return LstmProbeError(
        f"It holds more than tensors. Received: {name}, which would have to be run. Expected: what "
        "torch.save(model.state_dict(), path) writes. Nothing was run."
    )


class _Storage:
    def __init__(self, dtype: str) -> None:
        self.dtype = dtype


def _rebuild_tensor(storage: Array, offset: int, size: Any, stride: Any, *_: Any) -> Array:
    if len(size) != len(stride) or min((offset, *size, *stride), default=0) < 0:
        raise ValueError(f"a tensor of size {size} and stride {stride}")
    last = offset + sum((n - 1) * s for n, s in zip(size, stride, strict=True))
    if 0 not in size and last >= len(storage):
        raise ValueError(f"a tensor of size {size} in a storage of {len(storage)} numbers")
    if math.prod(size) > len(storage):
        raise ValueError(f"a tensor of size {tuple(size)} that is larger than its storage")
    bytes_each = storage.itemsize
    return np.lib.stride_tricks.as_strided(
        storage[offset:], tuple(size), tuple(s * bytes_each for s in stride), writeable=False
    )


def _rebuild_parameter(data: Any, *_: Any) -> Any:
    return data


_KNOWN: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
    ("torch._utils", "_rebuild_parameter"): _rebuild_parameter,
    ("torch", "Size"): tuple,
}


def _flat(loaded: Any, budget: Iterator[int], prefix: str = "", depth: int = 0) -> Any:
    """The arrays of nested dictionaries, by their joined names.

    A pickle can hold one dictionary in many places, or within itself.

    Args:
        loaded: what the pickle holds.
        budget: gives something for each entry that may still be looked at.
        prefix: what names begin with.
        depth: in how many dictionaries this one lies.
    """
    if not isinstance(loaded, Mapping):
        return
    for key, value in loaded.items():
        if next(budget, None) is None or depth > _DEPTH:
            raise ValueError(
                f"dictionaries within each other, more than {_DEPTH} deep or with more than "
                f"{_ENTRIES:,} entries"
            )
        if isinstance(value, np.ndarray):
            yield f"{prefix}{key}", value
        elif isinstance(value, Ignored):
            raise _unknown(value.name)
        elif isinstance(value, Mapping) and "optim" not in str(key):
            inner = f"{prefix}{key}." if str(key) not in _WRAPPERS else prefix
            yield from _flat(value, budget, inner, depth + 1)


#: Under what trainers keep a model's state dictionary in their checkpoints.
_WRAPPERS = ("state_dict", "model_state_dict", "model")
