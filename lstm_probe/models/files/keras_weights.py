"""The weights of a Keras file alone, without Keras: of a model that is not to be built."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

from lstm_probe.core.arrays import Array
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.core.limits import check_zip, reading
from lstm_probe.models.files.hdf5 import check_hdf5, step_in
from lstm_probe.models.files.stored_cells import cells_in
from lstm_probe.models.opened import StoredCells

__all__ = ["keras_cells", "read_keras_weights"]

_MEMBER = "model.weights.h5"
#: Keras 3 numbers a layer's variables, below its class: `layers/lstm_1/cell/vars/0`.
_NUMBERED = re.compile(r"(?P<place>.+)/vars/0")
_NAMES = ("kernel", "recurrent_kernel", "bias")
_BACKWARD = re.compile(r"(^|/)backward_")


def read_keras_weights(path: Path, kind: str) -> tuple[dict[str, Array], int]:
    """Read the arrays of the recurrent layers of a `.keras` or `.h5` file, and its training step.

    Args:
        path: the file, of Keras 3 or Keras 2.
        kind: what it is, in words.

    Raises:
        LstmProbeError: it is damaged.
    """
    with _opened(path, kind) as file:
        check_hdf5(path, file)
        return _arrays(file), step_in(file)


def keras_cells(arrays: Mapping[str, Array], step: int, kind: str) -> StoredCells:
    """The recurrent cells among the arrays of a Keras file, without its configuration.

    Nothing in the file says which options the cells have, so they are those of a layer with the
    defaults of Keras 3, and there is no output of the model's own to compare with.

    Args:
        arrays: by name.
        step: the training step.
        kind: what the file is, in words.

    Raises:
        LstmProbeError: there is no recurrent cell.
    """
    cells, notes = [], []
    for cell in cells_in(arrays):
        backward = bool(_BACKWARD.search(cell.name))
        cells.append(replace(cell, reverse=backward))
        if backward:
            notes.append(f"{cell.name} is read from the last timestep to the first, by its name")
    opened = StoredCells(f"the weights of {kind}", cells, step=step)
    opened.notes += ["options of the cells are the defaults of Keras 3; --cell sets others", *notes]
    return opened


@contextmanager
def _opened(path: Path, kind: str) -> Iterator[Any]:
    try:
        import h5py
    except ModuleNotFoundError as error:
        raise LstmProbeError(
            f"Reading {path} needs h5py, which Keras brings along. Expected: pip install h5py."
        ) from error
    is_archive = zipfile.is_zipfile(path)
    with reading(path, kind):
        source: str | IO[bytes] = str(path)
        if is_archive:
            check_zip(path, kind)
            with zipfile.ZipFile(path) as archive:
                source = io.BytesIO(archive.read(_MEMBER))
        with h5py.File(source, "r") as file:
            yield file


def _arrays(file: Any) -> dict[str, Array]:
    import h5py

    found: dict[str, Any] = {}

    def add(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and not name.startswith("optimizer"):
            found[name] = item

    file.visititems(add)
    named = _of_keras_3(file, found) or _of_keras_2(found)
    return {name: each[()] for name, each in named.items()}


def _of_keras_3(file: Any, found: Mapping[str, Any]) -> dict[str, Any]:
    """Variables by their place in the model; their shapes tell kernels from others."""
    named = {}
    for name, kernel in found.items():
        match = _NUMBERED.fullmatch(name)
        recurrent = found.get(name.removesuffix("0") + "1")
        if match is None or recurrent is None or recurrent.ndim < 2 or kernel.ndim < 2:
            continue
        if (
            recurrent.shape[-1] == kernel.shape[-1]
            and recurrent.shape[-1] % recurrent.shape[-2] == 0
        ):
            for number, each in enumerate(_NAMES):
                if (variable := found.get(f"{name.removesuffix('0')}{number}")) is not None:
                    named[f"{_layer(file, match['place'])}/{each}"] = variable
    return named


def _layer(file: Any, place: str) -> str:
    """The layer's name, which Keras 3 notes beside the variables of each object on the way."""
    parts = place.split("/")
    names = []
    for count, part in enumerate(parts, start=1):
        beside = file.get("/".join([*parts[:count], "vars"]))
        named = None if beside is None else beside.attrs.get("name")
        if part not in ("layers", "cell"):
            names.append(part if named is None else str(named))
    return "/".join(names)


def _of_keras_2(found: Mapping[str, Any]) -> dict[str, Any]:
    """Variables by their own names, which stand below the layer that has them.

    Some begin with the layer, some with the model: `sequential/reader/lstm_cell/kernel:0`.
    """
    named = {}
    for name, variable in found.items():
        layer, _, below = name.removeprefix("model_weights/").partition("/")
        before, here, after = f"/{below}".partition(f"/{layer}/")
        named[f"{layer}/{after}" if here else before[1:]] = variable
    return named
