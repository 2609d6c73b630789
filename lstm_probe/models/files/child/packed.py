"""Snapshots and probes as JSON and arrays, and back, with every value checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import Any, TypeAlias

import numpy as np

from lstm_probe.analysis.snapshot import Snapshot
from lstm_probe.cells import Cell, ConvLstmCell, GruCell, LstmCell, SimpleRnnCell
from lstm_probe.cells.custom import CustomCell
from lstm_probe.core.activations import Activation, ActivationLike
from lstm_probe.core.arrays import Array
from lstm_probe.models.described import LayerContents
from lstm_probe.weights import GateWeights, GruWeights, LstmWeights, NamedWeights, SimpleRnnWeights
from lstm_probe.weights.kinds import ConvLstmWeights
from lstm_probe.weights.named import CellWeights

__all__ = ["Packer", "pack_probe", "unpack_layer", "unpack_probe", "unpack_snapshot"]

#: Given the number of a function in the child, gives what asks for its values.
Remote: TypeAlias = Callable[[int], Activation]
#: Given the name of a cell that the user has registered, gives the cell.
Registered: TypeAlias = Callable[[str], "CustomCell | None"]

_CELLS: dict[str, type[Cell[Any]]] = {
    each.name: each for each in (LstmCell, GruCell, SimpleRnnCell, ConvLstmCell)
}
_WEIGHTS: dict[str, type[GateWeights]] = {
    each.__name__: each for each in (LstmWeights, GruWeights, SimpleRnnWeights, ConvLstmWeights)
}
_ACTIVATIONS = ("activation", "recurrent_activation")
_SIZES = ("input_shape", "strides", "dilation")
_WORDS = ("padding", "data_format")
_FLAGS = ("reset_after",)
_DTYPES = ("float16", "bfloat16", "float32", "float64")
_LARGEST_STEP = 2**62


class Packer:
    """Packs snapshots for one frame.

    Attributes:
        arrays: what the packed snapshots refer to.
        functions: activations that have no name, which stay in this process.
    """

    def __init__(self, functions: list[Activation]) -> None:
        self.arrays: list[Array] = []
        self.functions = functions

    def pack(self, snapshot: Snapshot) -> dict[str, Any]:
        """A snapshot as JSON holds it."""
        add, state = self._add, snapshot.initial_state
        return {
            "step": snapshot.step,
            "layer": snapshot.layer,
            "cell": self._cell(snapshot.cell),
            "weights": self._weights(snapshot.weights),
            "x": add(snapshot.x),
            "output": add(snapshot.output),
            "final_output": add(snapshot.final_output),
            "mask": add(snapshot.mask),
            "initial_state": None if state is None else [add(each) for each in state],
            "reverse": snapshot.reverse,
            "zero_output_for_mask": snapshot.zero_output_for_mask,
            "initial_output_for_mask": snapshot.initial_output_for_mask,
            "dtype": snapshot.dtype,
        }

    def _add(self, array: Array | None) -> int | None:
        if array is None:
            return None
        self.arrays.append(array)
        return len(self.arrays) - 1

    def _cell(self, cell: Cell[Any] | None) -> dict[str, Any] | None:
        if cell is None:
            return None
        if isinstance(cell, CustomCell):
            return {"registered": cell.kind}
        options: dict[str, Any] = {}
        for name in (*_ACTIVATIONS, *_SIZES, *_WORDS, *_FLAGS):
            if hasattr(cell, name) and name in {each.name for each in fields(cell)}:  # type: ignore[arg-type]
                value = getattr(cell, name)
                options[name] = self._function(value) if callable(value) else value
        return {"name": cell.name, "options": options}

    def _function(self, function: Activation) -> dict[str, int]:
        if function not in self.functions:
            self.functions.append(function)
        return {"function": self.functions.index(function)}

    def _weights(self, weights: CellWeights) -> dict[str, Any]:
        if isinstance(weights, NamedWeights):
            sizes = {"input_size": weights.input_size, "output_size": weights.output_size}
            arrays = {name: self._add(each) for name, each in weights.arrays.items()}
            return {"type": "NamedWeights", "arrays": arrays, **sizes}
        held = {each.name: getattr(weights, each.name) for each in fields(weights)}
        arrays = {name: self._add(each) for name, each in held.items() if each is not None}
        return {"type": type(weights).__name__, "arrays": arrays}


def unpack_snapshot(
    packed: Any, arrays: Sequence[Array], *, remote: Remote, registered: Registered
) -> Snapshot:
    """A snapshot out of what `Packer` made of it in a process that is not trusted.

    Args:
        packed: as JSON gave it.
        arrays: of the same frame.
        remote: what asks for the values of a function in the child.
        registered: the user's own cells by name.

    Raises:
        Exception: it is something else.
    """
    numbers, state = _Numbers(arrays), packed["initial_state"]
    cell = _unpacked_cell(packed["cell"], remote, registered)
    return Snapshot(
        step=_whole(packed["step"], _LARGEST_STEP),
        layer=_text(packed["layer"]),
        cell=cell,
        weights=_unpacked_weights(packed["weights"], numbers),
        x=numbers(packed["x"]),
        output=numbers(packed["output"]),
        final_output=numbers.or_none(packed["final_output"]),
        mask=numbers.mask(packed["mask"]),
        initial_state=None if state is None else tuple(numbers(each) for each in state),
        reverse=_flag(packed["reverse"]),
        zero_output_for_mask=_flag(packed["zero_output_for_mask"]),
        initial_output_for_mask=_flag(packed["initial_output_for_mask"]),
        dtype=_one_of(packed["dtype"], _DTYPES),
    )


class _Numbers:
    """The arrays of a frame by number: of floats, or of truth values for a mask."""

    def __init__(self, arrays: Sequence[Array]) -> None:
        self._arrays = arrays

    def __call__(self, number: Any) -> Array:
        array = self._arrays[_whole(number, len(self._arrays) - 1)]
        if array.dtype not in (np.float32, np.float64):
            raise ValueError(f"numbers of the dtype {array.dtype}")
        return array

    def or_none(self, number: Any) -> Array | None:
        return None if number is None else self(number)

    def mask(self, number: Any) -> Array | None:
        if number is None:
            return None
        array = self._arrays[_whole(number, len(self._arrays) - 1)]
        if array.dtype != np.bool_:
            raise ValueError(f"a mask of the dtype {array.dtype}")
        return array


def _unpacked_cell(packed: Any, remote: Remote, registered: Registered) -> Cell[Any] | None:
    if packed is None:
        return None
    if "registered" in packed:
        cell = registered(_text(packed["registered"]))
        if cell is None:
            raise ValueError("a cell that nobody has registered")
        return cell
    options: dict[str, Any] = {}
    for name, value in packed["options"].items():
        if name in _ACTIVATIONS:
            options[name] = _activation(value, remote)
        elif name in _SIZES:
            options[name] = tuple(_whole(each, 2**31) for each in value)
        elif name in _WORDS:
            options[name] = _text(value)
        elif name in _FLAGS:
            options[name] = None if value is None else _flag(value)
        else:
            raise ValueError(f"an option {name!r:.40}")
    return _CELLS[packed["name"]](**options)


def _activation(value: Any, remote: Remote) -> ActivationLike:
    if isinstance(value, dict):
        return remote(_whole(value["function"], 10_000))
    return _text(value)


def _unpacked_weights(packed: Any, numbers: _Numbers) -> CellWeights:
    arrays = {_text(name): numbers(each) for name, each in packed["arrays"].items()}
    if packed["type"] == "NamedWeights":
        sizes = [_whole(packed[name], 2**31) for name in ("input_size", "output_size")]
        return NamedWeights(arrays, *sizes)
    return _WEIGHTS[packed["type"]](**arrays)


def pack_probe(probe: Any, arrays: list[Array]) -> Any:
    """A probe as JSON holds it: an array by its place among `arrays`, in dicts and lists."""
    if isinstance(probe, Mapping):
        return {"dict": [[name, pack_probe(each, arrays)] for name, each in probe.items()]}
    if isinstance(probe, (list, tuple)):
        return {"list": [pack_probe(each, arrays) for each in probe]}
    arrays.append(np.asarray(probe))
    return len(arrays) - 1


def unpack_probe(packed: Any, arrays: Sequence[Array]) -> Any:
    """The inverse of `pack_probe`."""
    if isinstance(packed, int):
        return arrays[packed]
    if "dict" in packed:
        return {name: unpack_probe(each, arrays) for name, each in packed["dict"]}
    return [unpack_probe(each, arrays) for each in packed["list"]]


def unpack_layer(packed: Any) -> LayerContents:
    """What the child says of a layer, with every value checked.

    Args:
        packed: as JSON gave it.

    Raises:
        Exception: it is something else.
    """

    def size(name: str) -> int | None:
        return None if packed[name] is None else _whole(packed[name], 2**31)

    return LayerContents(
        _text(packed["name"]),
        _text(packed["cell"]),
        _flag(packed["reverse"]),
        size("features"),
        size("units"),
        {_text(k): tuple(_whole(each, 2**31) for each in v) for k, v in packed["shapes"]},
        _text(packed["reads"]),
    )


def _whole(value: Any, most: int) -> int:
    if type(value) is not int or not 0 <= value <= most:
        raise ValueError(f"a number {value!r:.40}")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > 10_000:
        raise ValueError(f"no text: {value!r:.40}")
    return value


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"no flag: {value!r:.40}")
    return value


def _one_of(value: Any, known: Sequence[str]) -> str:
    if value not in known:
        raise ValueError(f"a word {value!r:.40}")
    return str(value)
