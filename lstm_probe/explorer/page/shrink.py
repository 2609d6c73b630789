"""Making stored captures small enough for a page: how many digits, and how much of a layer.

Every captured step is kept, whatever its cost. The first of these plans whose page stays within its
size is taken: the gates as the log has them; float16 alone, where it has float32 too; one byte a
value, in steps of 1/255 of a gate's range; then only the first sequence, of several named probes
that of each; then at most 96 units and
192 timesteps, 64 and 128, 32 and 64, 16 and 32, evenly spaced.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lstm_probe.core.arrays import Array
from lstm_probe.core.groups import first_of_each
from lstm_probe.logs.stored.format import Stored, evenly, pack
from lstm_probe.logs.stored.labels import stored_groups, stored_labels
from lstm_probe.logs.stored.precision import FLOAT32
from lstm_probe.logs.stored.probe import OUTPUT, part_of_outputs

__all__ = ["PLANS", "Plan", "compressed", "shrunk"]


@dataclass(frozen=True)
class Plan:
    """How much of each capture is kept.

    Attributes:
        one_byte: gates as one byte a value instead of float16.
        sequences: at most so many, the first ones, of each named probe; None for all that are
            stored.
        units: at most so many, evenly spaced; None for all that are stored.
        timesteps: likewise.
        float32: gates in float32 too, where the log has them so; not with `one_byte`.

    Example:
        >>> print(Plan(one_byte=True, sequences=1))
        gates in steps of 1/255 of their range, the first sequence
    """

    one_byte: bool = False
    sequences: int | None = None
    units: int | None = None
    timesteps: int | None = None
    float32: bool = True

    def __str__(self) -> str:
        exact = "gates as logged" if self.float32 else "gates in float16"
        parts = ["gates in steps of 1/255 of their range" if self.one_byte else exact]
        if self.sequences is not None:
            parts.append("the first sequence")
        if self.units is not None:
            parts.append(f"at most {self.units} units and {self.timesteps} timesteps, evenly")
        return ", ".join(parts)


#: From the most exact to the smallest.
PLANS = (
    Plan(),
    Plan(float32=False),
    Plan(one_byte=True),
    Plan(one_byte=True, sequences=1),
    Plan(one_byte=True, sequences=1, units=96, timesteps=192),
    Plan(one_byte=True, sequences=1, units=64, timesteps=128),
    Plan(one_byte=True, sequences=1, units=32, timesteps=64),
    Plan(one_byte=True, sequences=1, units=16, timesteps=32),
)


def compressed(data: bytes) -> bytes:
    """The bytes as a deflate stream with its checksum, which browsers unpack by themselves."""
    return zlib.compress(data, 6)


def shrunk(stored: Stored, plan: Plan) -> bytes:
    """A capture as a plan keeps it, as safetensors.

    Arrays of one byte stand for `low + step * code`, which `meta.quantised` tells by their name.

    Example:
        >>> from lstm_probe.logs.stored.format import unpack
        >>> gate = np.linspace(0, 1, 6, dtype=np.float16).reshape(1, 3, 2)
        >>> stored = Stored({"gates/f": gate}, {"ranges": {"f": [0, 1]}})
        >>> unpack(shrunk(stored, Plan(one_byte=True))).arrays["gates/f"].ravel().tolist()
        [0, 51, 102, 153, 204, 255]
    """
    sequences = _sequences(stored, plan)
    arrays = _part(stored.arrays, plan, sequences)
    outputs: dict[str, Any] = {}
    if plan.sequences is not None:
        arrays = {name: each for name, each in arrays.items() if not name.startswith(OUTPUT)}
        of_outputs, outputs = part_of_outputs(stored, sequences)
        arrays |= of_outputs
    quantised: dict[str, tuple[float, float]] = {}
    if plan.one_byte:
        for name in [name for name, array in arrays.items() if array.dtype == np.float16]:
            if not np.isfinite(arrays[name]).all():
                continue  # NaN and infinity have their marks, which a byte cannot hold
            interval = stored.meta.get("ranges", {}).get(name.partition("/")[2])
            low, step = _scale(arrays[name], interval if name.startswith("gates/") else None)
            arrays[name] = _codes(arrays[name], low, step)
            quantised[name] = low, step
    labels = _labels(stored, plan, sequences.tolist())
    return pack(arrays, {**stored.meta, **labels, **outputs, "quantised": quantised})


def _sequences(stored: Stored, plan: Plan) -> npt.NDArray[np.intp]:
    """The positions of the sequences that are kept, among those that are stored."""
    batches = [len(array) for array in stored.arrays.values() if array.ndim == 3]
    batch = batches[0] if batches else 0
    if plan.sequences is None:
        return np.arange(batch)
    known = stored.arrays.get("sequences", np.arange(batch))
    kept = first_of_each(stored_groups(stored.meta), known, plan.sequences)
    return kept if len(kept) else np.arange(min(batch, plan.sequences))


def _labels(stored: Stored, plan: Plan, sequences: Sequence[int]) -> dict[str, Any]:
    """The fields of the header that tell the labels of what is kept."""
    rows, names = stored.meta.get("sequence_labels"), stored.meta.get("sequence_names")
    kept: dict[str, Any] = {}
    if isinstance(rows, list) and stored_labels(stored).rows is not None:
        columns = _limited(len(rows[0]), plan.timesteps).tolist()
        kept["sequence_labels"] = [[rows[k][t] for t in columns] for k in sequences]
    if isinstance(names, list):
        kept["sequence_names"] = [names[k] for k in sequences if k < len(names)]
    return kept


def _part(
    arrays: Mapping[str, npt.NDArray[Any]], plan: Plan, sequences: npt.NDArray[np.intp]
) -> dict[str, npt.NDArray[Any]]:
    if plan.one_byte or not plan.float32:
        arrays = {name: a for name, a in arrays.items() if not name.startswith(FLOAT32)}
    kept = dict(arrays)
    for name in [name for name, array in arrays.items() if array.ndim == 3]:
        batch, time, units = arrays[name].shape
        rows, columns = _limited(time, plan.timesteps), _limited(units, plan.units)
        chosen_rows = sequences[sequences < batch]
        kept[name] = arrays[name][chosen_rows][:, rows][:, :, columns]
        for axis, chosen in (("sequences", chosen_rows), ("timesteps", rows)):
            if axis in arrays:
                kept[axis] = arrays[axis][chosen]
        own = "units/h" if name.endswith("/h") and "units/h" in arrays else "units"
        if own in arrays:
            kept[own] = arrays[own][columns]
        if "mask" in arrays:
            kept["mask"] = arrays["mask"][chosen_rows][:, rows]
    return kept


def _limited(size: int, limit: int | None) -> npt.NDArray[np.int32]:
    return evenly(size, size if limit is None else limit)


def _scale(array: Array, interval: Any) -> tuple[float, float]:
    """The value of code 0 and the step of one code. What lies about zero keeps an exact zero."""
    if interval is not None and interval[0] == 0:
        return 0.0, float(interval[1]) / 255
    largest = float(np.abs(array).max(initial=0.0)) if interval is None else float(interval[1])
    step = (largest or 1.0) / 127
    return -128 * step, step


def _codes(array: Array, low: float, step: float) -> npt.NDArray[np.uint8]:
    codes = np.round((array.astype(np.float32) - low) / step)
    return np.clip(codes, 0, 255).astype(np.uint8)
