"""Finding the cells in a file that holds arrays by name, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from lstm_probe.core.arrays import Array
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.models.files.places import Places
from lstm_probe.models.files.scoped_cells import numbered_draft, scoped_drafts
from lstm_probe.models.files.torch_cells import torch_drafts
from lstm_probe.models.files.wiring import Draft, Other, StoredCell, wired
from lstm_probe.weights.bundle import Bundle
from lstm_probe.weights.checkpoint import current_name

__all__ = ["DEFAULTS", "Found", "StoredCell", "cells_in", "other_layers"]

#: What optimizers and averages keep beside the weights.
_BESIDE = re.compile(
    r"(^|[/.])(optimizer|Adam|RMSProp|Momentum|Adagrad|\.OPTIMIZER_SLOT|ExponentialMovingAverage)"
    r"([/._\d]|$)",
    re.IGNORECASE,
)
#: What is said of every file that holds weights and no options.
DEFAULTS = (
    "options of the cells, such as activations, are the defaults of their framework, and layers "
    "read forward where nothing says otherwise; --cell sets others, and --cell LAYER:reverse=true "
    "those of one layer"
)
#: Scopes of variables that no layer computes its output from.
_STATES = re.compile(f"{_BESIDE.pattern}|(^|/)seed_generator", re.IGNORECASE)
_ENDING = re.compile(r"/\.ATTRIBUTES/VARIABLE_VALUE$|:0$")


@dataclass(frozen=True)
class Found:
    """What was found in a file.

    Attributes:
        cells: the cells that can be shown.
        notes: sentences about those that cannot, each with its reason.
        others: the layers that are not recurrent.
    """

    cells: list[StoredCell]
    notes: list[str] = field(default_factory=list)
    others: list[Other] = field(default_factory=list)


def cells_in(
    arrays: Mapping[str, Array], places: Places | None = None, others: Sequence[Other] = ()
) -> Found:
    """The recurrent cells among arrays by name: in the layout of Keras, TF1 or torch.

    Args:
        arrays: read as they are asked for.
        places: what the file tells of the objects that hold the arrays, and of their order.
        others: layers that are not recurrent, beside those that the arrays tell of.

    Raises:
        LstmProbeError: there is none that can be shown.

    Example:
        >>> import numpy as np
        >>> found = cells_in({"encoder.weight_ih_l0": np.zeros((20, 3)),
        ...                   "encoder.weight_hh_l0": np.zeros((20, 5))})
        >>> (cell,) = found.cells
        >>> cell.name, type(cell.cell).__name__, cell.weights.units
        ('encoder', 'LstmCell', 5)
    """
    places = places or Places()
    names: dict[str, str] = {}
    for key in arrays:
        name = current_name(_ENDING.sub("", key))
        if not _BESIDE.search(name):
            names.setdefault(name, key)
    refused: list[str] = []
    drafts = [
        *torch_drafts(arrays, names, places, refused),
        *scoped_drafts(arrays, names, places, refused),
    ]
    if not drafts and not refused:
        drafts = numbered_draft(arrays)
    if not drafts:
        raise LstmProbeError("; ".join(refused) if refused else _without_cells(arrays))
    others = [*others, *_others(arrays, names, places)]
    return Found(wired(_named_once(drafts), others), refused, others)


def _without_cells(arrays: Mapping[str, Array]) -> str:
    shown = ", ".join(sorted(arrays)[:8]) or "nothing"
    return (
        f"There is no recurrent cell among the arrays. Received: {shown}"
        f"{', ...' if len(arrays) > 8 else ''}. Expected: names such as "
        "memory/kernel with memory/recurrent_kernel (Keras), rnn/basic_lstm_cell/kernel (TF1) "
        "or lstm.weight_ih_l0 with lstm.weight_hh_l0 (torch)."
    )


def _named_once(drafts: Sequence[Draft]) -> list[Draft]:
    """Where two cells have one name, the later ones are numbered."""
    taken: set[str] = set()
    made = []
    for draft in drafts:
        name, count = draft.cell.name, 1
        while name in taken:
            count += 1
            name = f"{draft.cell.name}_{count}"
        taken.add(name)
        made.append(replace(draft, cell=replace(draft.cell, name=name)))
    return made


def other_layers(
    shapes: Mapping[str, tuple[int, ...]], places: Places, recurrent: Collection[str] = ()
) -> list[Other]:
    """The layers that are not recurrent, by the scopes of their variables.

    Args:
        shapes: of arrays, by name.
        places: what the file tells of the arrays.
        recurrent: scopes that are left out.
    """
    by_scope: dict[str, list[str]] = {}
    for key in shapes:
        scope = current_name(_ENDING.sub("", key)).rpartition("/")[0]
        if scope and scope not in recurrent and not _STATES.search(scope):
            by_scope.setdefault(scope, []).append(key)
    found = []
    for scope, keys in by_scope.items():
        shape = max((shapes[key] for key in keys), key=len)
        if shape:
            takes, gives = shape[-2:] if len(shape) > 1 else (shape[0], shape[0])
            found.append(Other(scope, takes, gives, places.first(keys)))
    return found


def _others(arrays: Mapping[str, Array], names: Mapping[str, str], places: Places) -> list[Other]:
    recurrent = {n.rpartition("/")[0] for n in names if n.endswith("/recurrent_kernel")}
    shapes = {key: _shape(arrays, key) for key in names.values()}
    return other_layers(shapes, places, recurrent)


def _shape(arrays: Mapping[str, Array], key: str) -> tuple[int, ...]:
    """Without reading an array that a checkpoint keeps."""
    return arrays.shape(key) if isinstance(arrays, Bundle) else arrays[key].shape
