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
from lstm_probe.logs.stored.format import Kept, Stored, keep, pack
from lstm_probe.models.outputs import LARGEST_OUTPUT
from lstm_probe.models.probe_data import ProbeData

__all__ = ["OUTPUT", "output_arrays", "packed_probe", "part_of_probe"]

#: The beginning of the names of the model's outputs in a capture.
OUTPUT: Final = "output/"
#: How many numbers of one target, and of one output at one capture, are kept at most.
_MOST_VALUES: Final = 2**16


def packed_probe(data: ProbeData) -> bytes:
    """Inputs and targets as a safetensors file.

    Whole numbers are stored as int32 where that holds them, all others as float32. An input is
    `(batch, time, features)`: further axes are features too. Its header has the shape it was given
    in, and the name.

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
    inputs = {name: each for name, each in data.inputs.items() if each.ndim and each.size}
    for number, values in enumerate(inputs.values()):
        cube = _cube(values)
        kept = keep(cube.shape)
        arrays[f"inputs/{number}"] = _compact(kept.of(cube))
        arrays.update(_indices(f"inputs/{number}", kept))
    targets: list[dict[str, Any]] = []
    for name, values in data.targets.items():
        rows = _rows(values)
        if rows is not None:
            arrays[f"targets/{len(targets)}"] = _compact(rows)
            targets.append({"name": name, "shape": values.shape})
    meta = {
        "sequences": data.sequences,
        "inputs": [{"name": name, "shape": each.shape} for name, each in inputs.items()],
        "targets": targets,
    }
    return pack(arrays, meta)


def part_of_probe(stored: Stored, sequences: int | None) -> Stored:
    """The first sequences of what `packed_probe` stored.

    Args:
        stored: read back.
        sequences: how many; None for all that are stored.
    """
    if sequences is None:
        return stored
    arrays = {
        # Timesteps and features are axes of their own, and not of the sequences.
        name: each if name.endswith(("/timesteps", "/features")) else each[:sequences]
        for name, each in stored.arrays.items()
    }
    return Stored(arrays, stored.meta)


def output_arrays(
    outputs: Mapping[str, Array], kept: Kept, batch: int
) -> tuple[dict[str, npt.NDArray[Any]], dict[str, Any]]:
    """What a model gave for the probe, for the capture of one layer.

    Args:
        outputs: by name, `(batch, ...)` each.
        kept: the part of the layer that is stored.
        batch: how many sequences the layer reads. Outputs for another number are not of these
            sequences, and left out.

    Returns:
        The arrays `(sequences, numbers)`, in float32, and the field of the header that tells their
        names and the shape of each sequence's part.

    Example:
        >>> output_arrays({"": np.ones((2, 10))}, keep((2, 5, 3)), 2)[1]
        {'outputs': [{'name': '', 'shape': (10,)}]}
    """
    arrays: dict[str, npt.NDArray[Any]] = {}
    told: list[dict[str, Any]] = []
    for name, values in outputs.items():
        if not values.ndim or len(values) != batch or prod(values.shape[1:]) > LARGEST_OUTPUT:
            continue
        rows = values[kept.sequences].reshape(len(kept.sequences), -1)
        with np.errstate(over="ignore"):
            rows = rows[: max(1, _MOST_VALUES // max(1, rows.shape[1]))].astype(np.float32)
        arrays[f"{OUTPUT}{len(told)}"] = rows
        told.append({"name": name, "shape": values.shape[1:]})
    return arrays, {"outputs": told} if told else {}


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


def _rows(values: npt.NDArray[Any]) -> npt.NDArray[Any] | None:
    """`(sequences, numbers)` of the first sequences; None where one alone is too large."""
    rows = values.reshape(len(values), -1)
    width = max(1, rows.shape[1])
    return None if width > _MOST_VALUES else rows[: _MOST_VALUES // width]


def _compact(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """int32 where it holds all of the numbers, float32 for all others."""
    info = np.iinfo(np.int32)
    if values.dtype.kind in "biu" and (
        not values.size or (values.min() >= info.min and values.max() <= info.max)
    ):
        return values.astype(np.int32)
    with np.errstate(over="ignore"):
        return values.astype(np.float32)
