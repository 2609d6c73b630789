"""Finding the cells in a file that holds arrays by name, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lstm_probe.cells import Cell, GruCell, LstmCell, SimpleRnnCell
from lstm_probe.core.arrays import Array
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.weights import GateWeights, GruWeights, LstmWeights, from_torch, from_variables

__all__ = ["StoredCell", "cells_in"]

_TORCH = re.compile(r"(?P<prefix>.*?)weight_ih(_l(?P<layer>\d+))?(?P<reverse>_reverse)?$")
#: What optimizers and averages keep beside the weights.
_BESIDE = re.compile(
    r"(^|[/.])(optimizer|Adam|RMSProp|Momentum|Adagrad|\.OPTIMIZER_SLOT|ExponentialMovingAverage)"
    r"([/._\d]|$)",
    re.IGNORECASE,
)
#: The last part of a scope in which TF1 keeps a cell, and a Dense layer does not.
_CELL_SCOPE = re.compile(r"(cell|rnn|lstm|gru)[^/]*$", re.IGNORECASE)
_KERAS_CELL = re.compile(r"/((lstm|gru|simple_rnn|rnn)_cell(_\d+)?|cell)$")
_STACKED = re.compile(r"(?P<stack>.*multi_rnn_cell/)cell_(?P<number>\d+)/[^/]+$")
_ENDING = re.compile(r"/\.ATTRIBUTES/VARIABLE_VALUE$|:0$")


@dataclass(frozen=True, eq=False)
class StoredCell:
    """A cell that a file holds.

    Attributes:
        name: the layer's name, as far as the file tells it.
        cell: its options; a file of arrays does not tell them, so they are the framework's
            defaults.
        weights: its weights.
        reverse: it reads from the last timestep to the first.
        feeds: the cells whose outputs, side by side, are its input; empty where that is not
            known, as for the first layer.
    """

    name: str
    cell: Cell[Any]
    weights: GateWeights
    reverse: bool = False
    feeds: tuple[str, ...] = ()


def cells_in(arrays: Mapping[str, Array]) -> list[StoredCell]:
    """The recurrent cells among arrays by name: in the layout of Keras, TF1 or torch.

    Args:
        arrays: read as they are asked for.

    Raises:
        LstmProbeError: there is none.

    Example:
        >>> import numpy as np
        >>> found = cells_in({"encoder.weight_ih_l0": np.zeros((20, 3)),
        ...                   "encoder.weight_hh_l0": np.zeros((20, 5))})
        >>> found[0].name, type(found[0].cell).__name__, found[0].weights.units
        ('encoder', 'LstmCell', 5)
    """
    names = {
        _ENDING.sub("", name): name for name in arrays if not _BESIDE.search(_ENDING.sub("", name))
    }
    found = [*_torch_cells(arrays, names), *_scoped_cells(arrays, names)]
    if not found and (plain := _numbered(arrays)):
        found = list(plain)
    if not found:
        shown = ", ".join(sorted(arrays)[:8]) or "nothing"
        raise LstmProbeError(
            f"There is no recurrent cell among the arrays. Received: {shown}"
            f"{', ...' if len(arrays) > 8 else ''}. Expected: names such as "
            "memory/kernel with memory/recurrent_kernel (Keras), rnn/basic_lstm_cell/kernel (TF1) "
            "or lstm.weight_ih_l0 with lstm.weight_hh_l0 (torch)."
        )
    return found


def _torch_cells(arrays: Mapping[str, Array], names: Mapping[str, str]) -> Iterator[StoredCell]:
    for name in sorted(names):
        match = _TORCH.match(name)
        if match is None or name.replace("weight_ih", "weight_hh") not in names:
            continue
        prefix, reverse = match["prefix"], match["reverse"] is not None
        layer = int(match["layer"] or 0)
        ending = name[len(prefix) + len("weight_ih") :]
        state = {
            f"{each}_l0": arrays[names[key]]
            for each in ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr")
            if (key := f"{prefix}{each}{ending}") in names
        }
        weights = from_torch(state)
        both = f"{prefix}weight_ih_l{layer - 1}_reverse" in names
        below = [f"l{layer - 1}", f"l{layer - 1}_reverse"][: 1 + both] if layer else []
        yield StoredCell(
            _torch_name(prefix, ending),
            _default_cell(weights, reset_after=True),
            weights,
            reverse=reverse,
            feeds=tuple(_torch_name(prefix, f"_{each}") for each in below),
        )


def _torch_name(prefix: str, ending: str) -> str:
    ending = ending.removeprefix("_")
    parts = [prefix.rstrip("."), "" if ending == "l0" else ending]
    return ".".join(part for part in parts if part) or "l0"


def _scoped_cells(arrays: Mapping[str, Array], names: Mapping[str, str]) -> Iterator[StoredCell]:
    """Cells whose arrays share a scope: `scope/kernel`, `scope/gates/kernel`."""
    for name in sorted(names):
        for ending in ("/gates/kernel", "/kernel"):
            scope = name.removesuffix(ending)
            if scope != name and not name.endswith(("/candidate/kernel", "/projection/kernel")):
                yield from _scoped_cell(arrays, names, scope)
                break


def _scoped_cell(
    arrays: Mapping[str, Array], names: Mapping[str, str], scope: str
) -> Iterator[StoredCell]:
    own = {name: names[name] for name in names if name.startswith(f"{scope}/")}
    keras = f"{scope}/recurrent_kernel" in own
    if not (keras or f"{scope}/gates/kernel" in own or _CELL_SCOPE.search(scope)):
        return
    try:
        weights = from_variables({name: arrays[key] for name, key in own.items()}, scope)
    except LstmProbeError:
        if keras:
            raise
        return  # a Dense layer, in a scope that is called like a cell
    layer = _KERAS_CELL.sub("", scope) if keras else scope
    cell = _default_cell(weights, forget_bias=0.0 if keras else 1.0)
    yield StoredCell(layer, cell, weights, feeds=_below(names, scope))


def _below(names: Mapping[str, str], scope: str) -> tuple[str, ...]:
    """In a MultiRNNCell, the cell that comes before this one."""
    match = _STACKED.match(scope)
    if match is None or match["number"] == "0":
        return ()
    start = f"{match['stack']}cell_{int(match['number']) - 1}/"
    scopes = {name[: name.index("/", len(start))] for name in names if name.startswith(start)}
    return tuple(scopes) if len(scopes) == 1 else ()


def _numbered(arrays: Mapping[str, Array]) -> list[StoredCell]:
    """What `np.savez(path, *layer.get_weights())` makes: arr_0, arr_1, arr_2."""
    if len(arrays) not in (2, 3) or set(arrays) != {f"arr_{k}" for k in range(len(arrays))}:
        return []
    from lstm_probe.weights import from_keras

    weights = from_keras(*(arrays[f"arr_{k}"] for k in range(len(arrays))))
    return [StoredCell("layer", _default_cell(weights), weights)]


def _default_cell(
    weights: Any, *, forget_bias: float = 0.0, reset_after: bool | None = None
) -> Cell[Any]:
    kinds: dict[type, Callable[[], Cell[Any]]] = {
        LstmWeights: lambda: LstmCell(forget_bias=forget_bias),
        GruWeights: lambda: GruCell(reset_after=reset_after),
    }
    if type(weights).__name__ == "ConvLstmWeights":
        raise LstmProbeError(
            "A ConvLSTM's arrays do not tell its strides and padding. Received: convolutional "
            "kernels. Expected: the model itself, as a .keras or .h5 file, or with its --config."
        )
    return kinds.get(type(weights), SimpleRnnCell)()
