"""The probe's own data in a log: its inputs and targets, once a run, and the model's outputs.

Inputs and targets are one blob under the tag `lstm_probe/probe`. Older releases know no such tag
and leave it out. Of a large input a part is kept, as of gates: at even distances, and the blob says
which.

What the model gives at a capture stands in the capture of each layer that reads the probe's
sequences, as `output/<number>` with two axes: older releases take arrays with three for gates.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from lstm_probe.core.arrays import Array
from lstm_probe.core.groups import Groups, first_of_each, spread
from lstm_probe.logs.stored.format import Kept, Stored, keep, pack
from lstm_probe.logs.stored.labels import stored_groups
from lstm_probe.models.outputs import LARGEST_OUTPUT
from lstm_probe.models.probe_data import ProbeData

__all__ = ["OUTPUT", "output_arrays", "packed_probe", "part_of_outputs", "part_of_probe"]

#: The beginning of the names of the model's outputs in a capture.
OUTPUT: Final = "output/"
#: How many numbers of one target, and of one output at one capture, are kept at most.
_MOST_VALUES: Final = 2**16


def packed_probe(data: ProbeData) -> bytes:
    """Inputs and targets as a safetensors file.

    Whole numbers are stored as int32 where that holds them, all others as float32. An input is
    `(batch, time, features)`: further axes are features too. Its header has the shape it was given
    in, and the name. Of large targets the first sequences are stored, of several named probes the
    first of each.

    Args:
        data: of the probe.

    Example:
        >>> from lstm_probe.logs.stored.format import unpack
        >>> data = ProbeData({"": np.ones((2, 5, 3))}, {"": np.array([0, 1])})
        >>> stored = unpack(packed_probe(data))
        >>> stored.arrays["inputs/0"].shape, stored.meta["inputs"], stored.meta["sequences"]
        ((2, 5, 3), [{'name': '', 'shape': [2, 5, 3]}], 2)
    """
    arrays: dict[str, npt.NDArray[Any]] = {}
    counts = tuple(count for _, count in data.groups)
    inputs = {name: each for name, each in data.inputs.items() if each.ndim and each.size}
    for number, values in enumerate(inputs.values()):
        cube = _cube(values)
        kept = keep(cube.shape, counts)
        arrays[f"inputs/{number}"] = _compact(kept.of(cube))
        arrays.update(_indices(f"inputs/{number}", kept))
    targets: list[dict[str, Any]] = []
    for name, values in data.targets.items():
        width = max(1, prod(values.shape[1:]))
        if width <= _MOST_VALUES:
            place = f"targets/{len(targets)}"
            chosen = spread(len(values), max(_MOST_VALUES // width, len(counts)), counts)
            arrays[place] = _compact(values[chosen].reshape(len(chosen), -1))
            if len(chosen) < len(values) and counts:
                arrays[f"{place}/sequences"] = chosen
            targets.append({"name": name, "shape": values.shape})
    meta = {
        "sequences": data.sequences,
        "inputs": [{"name": name, "shape": each.shape} for name, each in inputs.items()],
        "targets": targets,
        **({"groups": [list(group) for group in data.groups]} if data.groups else {}),
    }
    return pack(arrays, meta)


def part_of_probe(stored: Stored, sequences: int | None) -> Stored:
    """The first sequences of what `packed_probe` stored, of several named probes those of each.

    Args:
        stored: read back.
        sequences: how many; None for all that are stored.
    """
    if sequences is None:
        return stored
    groups, arrays = stored_groups(stored.meta), dict(stored.arrays)
    for name in [each for each in stored.arrays if each.count("/") == 1]:
        rows = stored.arrays[name]
        originals = stored.arrays.get(f"{name}/sequences", np.arange(len(rows), dtype=np.int32))
        chosen = first_of_each(groups, originals, sequences)
        arrays[name] = rows[chosen]
        if groups or f"{name}/sequences" in arrays:
            arrays[f"{name}/sequences"] = originals[chosen]
    return Stored(arrays, stored.meta)


def output_arrays(
    outputs: Mapping[str, Array], kept: Kept, batch: int, groups: Groups = ()
) -> tuple[dict[str, npt.NDArray[Any]], dict[str, Any]]:
    """What a model gave for the probe, for the capture of one layer.

    Args:
        outputs: by name, `(batch, ...)` each.
        kept: the part of the layer that is stored.
        batch: how many sequences the layer reads. Outputs for another number are not of these
            sequences, and left out.
        groups: the named probes whose sequences these are.

    Returns:
        The arrays `(sequences, numbers)`, in float32, and the field of the header that tells their
        names and the shape of each sequence's part. Of a large output the first of the kept
        sequences are stored; of several named probes the first of each, and `sequences` says which
        of those that are kept.

    Example:
        >>> output_arrays({"": np.ones((2, 10))}, keep((2, 5, 3)), 2)[1]
        {'outputs': [{'name': '', 'shape': (10,)}]}
    """
    arrays: dict[str, npt.NDArray[Any]] = {}
    told: list[dict[str, Any]] = []
    for name, values in outputs.items():
        if not values.ndim or len(values) != batch or prod(values.shape[1:]) > LARGEST_OUTPUT:
            continue
        width = max(1, prod(values.shape[1:]))
        limit = max(1, len(groups), _MOST_VALUES // width)
        of_each = max(1, limit // max(1, len(groups)))
        chosen = first_of_each(groups, kept.sequences, of_each if groups else limit)
        rows = values[kept.sequences[chosen]].reshape(len(chosen), -1)
        with np.errstate(over="ignore"):
            arrays[f"{OUTPUT}{len(told)}"] = rows.astype(np.float32)
        is_part = groups and len(chosen) < len(kept.sequences)
        told.append(
            {
                "name": name,
                "shape": values.shape[1:],
                **({"sequences": chosen.tolist()} if is_part else {}),
            }
        )
    return arrays, {"outputs": told} if told else {}


def part_of_outputs(
    stored: Stored, kept: npt.NDArray[np.intp]
) -> tuple[dict[str, npt.NDArray[Any]], dict[str, Any]]:
    """What `output_arrays` made, of some of the sequences.

    Args:
        stored: a capture, whose header may hold anything.
        kept: the positions of the sequences that are kept, among those that are stored.

    Returns:
        The arrays, and the field of the header.
    """
    told, arrays = stored.meta.get("outputs"), dict[str, npt.NDArray[Any]]()
    if not isinstance(told, list):
        return {}, {}
    fields = []
    for number, each in enumerate(told):
        rows = stored.arrays.get(f"{OUTPUT}{number}")
        if rows is None or not isinstance(each, dict):
            return {}, {}
        places = each.get("sequences")
        known = np.arange(len(rows)) if places is None else np.array(places, np.intp)
        if known.shape != (len(rows),):
            return {}, {}
        found = np.isin(known, kept)
        arrays[f"{OUTPUT}{number}"] = rows[found]
        now = np.searchsorted(kept, known[found]).tolist()
        fields.append(each if places is None else {**each, "sequences": now})
    return arrays, {"outputs": fields}


def _cube(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """`(batch, time, features)`: an input without timesteps has one, one without features too."""
    if values.ndim == 1:
        return values[:, None, None]
    return values.reshape(*values.shape[:2], -1)


def _indices(name: str, kept: Kept) -> dict[str, npt.NDArray[Any]]:
    return {
        f"{name}/sequences": kept.sequences,
        f"{name}/timesteps": kept.timesteps,
        f"{name}/features": kept.units,
    }


def _compact(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """int32 where it holds all of the numbers, float32 for all others."""
    info = np.iinfo(np.int32)
    if values.dtype.kind in "biu" and (
        not values.size or (values.min() >= info.min and values.max() <= info.max)
    ):
        return values.astype(np.int32)
    with np.errstate(over="ignore"):
        return values.astype(np.float32)
