"""The weights of a Keras file alone, without Keras: of a model that is not to be built."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any

from lstm_probe.cells import GruCell, LstmCell
from lstm_probe.core.arrays import Array
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.core.limits import check_zip, reading
from lstm_probe.models.files.former_keras import has_hard_sigmoid, joined_gates
from lstm_probe.models.files.hdf5 import check_hdf5, step_in
from lstm_probe.models.files.keras_names import LayerNames
from lstm_probe.models.files.places import Place, Places
from lstm_probe.models.files.scoped_cells import HARD_SIGMOID
from lstm_probe.models.files.stored_cells import DEFAULTS, cells_in, other_layers
from lstm_probe.models.files.wiring import StoredCell
from lstm_probe.models.opened import StoredCells

__all__ = ["KerasArrays", "keras_cells", "read_keras_weights"]

_MEMBER = "model.weights.h5"
#: Keras 3 numbers a layer's variables, below its class: `layers/lstm_1/cell/vars/0`.
_NUMBERED = re.compile(r"(?P<place>.+)/vars/0")
_NAMES = ("kernel", "recurrent_kernel", "bias")


@dataclass(frozen=True)
class KerasArrays:
    """What was read of a Keras file.

    Attributes:
        arrays: those of recurrent layers, by name.
        paths: for each of them, the path of the objects that hold it.
        shapes: of the arrays of other layers, by name.
        order: by the names of all of them, their places in the model where these are known.
        step: the training step.
        version: that of the Keras that wrote the file, where it tells.
    """

    arrays: Mapping[str, Array]
    paths: Mapping[str, str] = field(default_factory=dict)
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    order: Mapping[str, Place] = field(default_factory=dict)
    step: int = 0
    version: str = ""


def read_keras_weights(path: Path, kind: str) -> KerasArrays:
    """Read the arrays of the recurrent layers of a `.keras` or `.h5` file, and its training step.

    Args:
        path: the file, of Keras 3 or Keras 2.
        kind: what it is, in words.

    Raises:
        LstmProbeError: it is damaged.
    """
    with _opened(path, kind) as (file, names):
        check_hdf5(path, file)
        return _arrays(file, names)


def keras_cells(read: KerasArrays, kind: str) -> StoredCells:
    """The recurrent cells among the arrays of a Keras file, without its configuration.

    Nothing in the file says which options the cells have, so they are those of a layer with the
    defaults of Keras 3, and there is no output of the model's own to compare with.

    Args:
        read: what was read of the file.
        kind: what the file is, in words.

    Raises:
        LstmProbeError: there is no recurrent cell.
    """
    places = Places(read.paths, read.order)
    # Arrays of other layers are not read: they only tell what may stand between recurrent ones.
    found = cells_in(read.arrays, places, other_layers(read.shapes, places))
    found.cells[:] = [_with_defaults(cell, read.version) for cell in found.cells]
    opened = StoredCells(f"the weights of {kind}", found.cells, step=read.step, others=found.others)
    opened.notes += [*found.notes, DEFAULTS]
    return opened


def _with_defaults(stored: StoredCell, version: str) -> StoredCell:
    """A cell with the default activation that gates had in the Keras that wrote the file."""
    if not (has_hard_sigmoid(version) and isinstance(stored.cell, (LstmCell, GruCell))):
        return stored
    return replace(
        stored,
        cell=replace(stored.cell, recurrent_activation="hard_sigmoid_keras2"),
        guessed=(*stored.guessed, HARD_SIGMOID),
    )


@contextmanager
def _opened(path: Path, kind: str) -> Iterator[tuple[Any, LayerNames]]:
    try:
        import h5py
    except ModuleNotFoundError as error:
        raise LstmProbeError(
            f"Reading {path} needs h5py, which Keras brings along. Expected: pip install h5py."
        ) from error
    is_archive = zipfile.is_zipfile(path)
    with reading(path, kind):
        source: str | IO[bytes] = str(path)
        names = LayerNames()
        if is_archive:
            check_zip(path, kind)
            with zipfile.ZipFile(path) as archive:
                source = io.BytesIO(archive.read(_MEMBER))
                names = _names(archive)
        with h5py.File(source, "r") as file:
            yield file, names


def _names(archive: zipfile.ZipFile) -> LayerNames:
    """What the configuration calls the layers. Weights are read whatever else is in the file."""
    try:
        return LayerNames.of_config(json.loads(archive.read("config.json")))
    except (KeyError, ValueError, RecursionError):
        return LayerNames()


def _arrays(file: Any, names: LayerNames) -> KerasArrays:
    import h5py

    found: dict[str, Any] = {}

    def add(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and not name.startswith("optimizer"):
            found[name] = item

    file.visititems(add)
    step = step_in(file)
    named = _of_keras_3(file, found, names)
    if not named:
        return _of_keras_2(file, found, step)
    places = {name: each.name.strip("/") for name, each in named.items()}
    rest = [name for name in found if name not in set(places.values())]
    other_places = {_beside(file, names, name): name for name in rest}
    others = {name: found[place] for name, place in other_places.items()}
    order = {
        name: at
        for name, place in {**other_places, **places}.items()
        if (at := names.place(place)) is not None
    }
    return KerasArrays(
        {name: each[()] for name, each in named.items()},
        {name: path.rpartition("/vars/")[0] for name, path in places.items()},
        {name: tuple(item.shape) for name, item in others.items()},
        order,
        step,
    )


def _of_keras_3(file: Any, found: Mapping[str, Any], names: LayerNames) -> dict[str, Any]:
    """Variables by their place in the model; their shapes tell kernels from others."""
    named = {}
    for name, kernel in found.items():
        match = _NUMBERED.fullmatch(name)
        recurrent = found.get(name.removesuffix("0") + "1")
        if match is None or recurrent is None or recurrent.ndim < 2 or kernel.ndim < 2:
            continue
        if (
            recurrent.shape[-1] == kernel.shape[-1]
            and recurrent.shape[-2]
            and recurrent.shape[-1] % recurrent.shape[-2] == 0
        ):
            for number, each in enumerate(_NAMES):
                if (variable := found.get(f"{name.removesuffix('0')}{number}")) is not None:
                    named[f"{names.layer(file, match['place'])}/{each}"] = variable
    return named


def _beside(file: Any, names: LayerNames, place: str) -> str:
    """The name of an array of a layer that is not recurrent."""
    layer, numbered, number = place.rpartition("/vars/")
    return f"{names.layer(file, layer)}/{number}" if numbered else place


def _of_keras_2(file: Any, found: Mapping[str, Any], step: int) -> KerasArrays:
    """Variables by their own names, which stand below the layer that has them.

    Some begin with the layer, some with the model: `sequential/reader/lstm_cell/kernel:0`.
    """
    group = file.get("model_weights", file)
    version = _text(group.attrs.get("keras_version", file.attrs.get("keras_version", "")))
    listed = [name for name in _listed(group) if name in found]
    named = {}
    for name in [*listed, *(each for each in found if each not in set(listed))]:
        layer, _, below = name.removeprefix("model_weights/").partition("/")
        before, here, after = f"/{below}".partition(f"/{layer}/")
        named[f"{layer}/{after}" if here else before[1:]] = found[name]
    order = {name: Place("", (index,)) for index, name in enumerate(named) if index < len(listed)}
    arrays = {name: each[()] for name, each in named.items()}
    joined = joined_gates(arrays)
    if joined.keys() != arrays.keys():
        version = version or "1.0"
    recurrent = {
        name.rpartition("/")[0] for name in joined if re.search(r"/recurrent_kernel(:0)?$", name)
    }
    own = {name for name in joined if name.rpartition("/")[0] in recurrent}
    return KerasArrays(
        {name: array for name, array in joined.items() if name in own},
        {},
        {name: tuple(array.shape) for name, array in joined.items() if name not in own},
        order,
        step,
        version,
    )


def _listed(group: Any) -> list[str]:
    """The arrays in the order of the model, which Keras 2 notes beside them."""
    names = []
    for layer in map(_text, group.attrs.get("layer_names", ())):
        if layer in group:
            weights = map(_text, group[layer].attrs.get("weight_names", ()))
            names += [f"{group.name}/{layer}/{weight}".strip("/") for weight in weights]
    return names


def _text(name: Any) -> str:
    return name.decode(errors="replace") if isinstance(name, bytes) else str(name)
