"""Making stored captures small enough for a page: how many digits, and how much of a layer.

Every captured step is kept, whatever its cost. The first of these plans whose page stays within its
size is taken: the gates as the log has them; float16 alone, where it has float32 too; one byte a
value, in steps of 1/255 of a gate's range; then only the first sequence; then at most 96 units and
192 timesteps, 64 and 128, 32 and 64, 16 and 32, evenly spaced.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lstm_probe.core.arrays import Array
from lstm_probe.logs.stored.format import Stored, evenly, pack
from lstm_probe.logs.stored.labels import stored_labels
from lstm_probe.logs.stored.precision import FLOAT32
from lstm_probe.logs.stored.probe import OUTPUT

__all__ = ["PLANS", "Plan", "compressed", "shrunk"]


@dataclass(frozen=True)
class Plan:
    """How much of each capture is kept.

    Attributes:
        one_byte: gates as one byte a value instead of float16.
        sequences: at most so many, the first ones; None for all that are stored.
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
    arrays = _part(stored.arrays, plan)
    quantised: dict[str, tuple[float, float]] = {}
    if plan.one_byte:
        for name in [name for name, array in arrays.items() if array.dtype == np.float16]:
            if not np.isfinite(arrays[name]).all():
                continue  # NaN and infinity have their marks, which a byte cannot hold
            interval = stored.meta.get("ranges", {}).get(name.partition("/")[2])
            low, step = _scale(arrays[name], interval if name.startswith("gates/") else None)
            arrays[name] = _codes(arrays[name], low, step)
            quantised[name] = low, step
    return pack(arrays, {**stored.meta, **_labels(stored, plan), "quantised": quantised})


def _labels(stored: Stored, plan: Plan) -> dict[str, Any]:
    """The fields of the header that tell the labels of what is kept."""
    rows, names = stored.meta.get("sequence_labels"), stored.meta.get("sequence_names")
    kept: dict[str, Any] = {}
    if isinstance(rows, list) and stored_labels(stored).rows is not None:
        columns = _limited(len(rows[0]), plan.timesteps).tolist()
        kept["sequence_labels"] = [[row[t] for t in columns] for row in rows[: plan.sequences]]
    if isinstance(names, list):
        kept["sequence_names"] = names[: plan.sequences]
    return kept


def _part(arrays: Mapping[str, npt.NDArray[Any]], plan: Plan) -> dict[str, npt.NDArray[Any]]:
    if plan.one_byte or not plan.float32:
        arrays = {name: a for name, a in arrays.items() if not name.startswith(FLOAT32)}
    kept = dict(arrays)
    if plan.sequences is not None:
        # Numbers of whole sequences: what the model gave for each.
        outputs = {name: a for name, a in arrays.items() if name.startswith(OUTPUT)}
        kept.update({name: array[: plan.sequences] for name, array in outputs.items()})
    for name in [name for name, array in arrays.items() if array.ndim == 3]:
        batch, time, units = arrays[name].shape
        rows, columns = _limited(time, plan.timesteps), _limited(units, plan.units)
        count = batch if plan.sequences is None else min(batch, plan.sequences)
        kept[name] = arrays[name][:count][:, rows][:, :, columns]
        for axis, chosen in (("sequences", np.arange(count)), ("timesteps", rows)):
            if axis in arrays:
                kept[axis] = arrays[axis][chosen]
        own = "units/h" if name.endswith("/h") and "units/h" in arrays else "units"
        if own in arrays:
            kept[own] = arrays[own][columns]
        if "mask" in arrays:
            kept["mask"] = arrays["mask"][:count][:, rows]
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
