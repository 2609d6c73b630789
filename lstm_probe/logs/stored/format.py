"""The stored capture: what a log keeps of one layer at one step, as bytes.

The bytes are a safetensors file (https://github.com/huggingface/safetensors): a JSON header and
plain arrays. No code is run to read it. Gates are stored in float16: values in 0..1 are exact to
0.00025, and float16 also holds NaN, infinity and cell states of any usual size. With the detail
`full` they are stored in float32 as well. Of a large layer only a part is kept, at even distances,
and the file says which part.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from lstm_probe.core.arrays import Array
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.core.groups import spread
from lstm_probe.logs.stored.names import FORMAT, HEADER_KEY

__all__ = ["MAX_UNITS", "Kept", "Stored", "as_json", "evenly", "keep", "pack", "unpack"]

#: How much of one gate is kept at most: units, timesteps, and values in all.
MAX_UNITS, MAX_TIMESTEPS, MAX_VALUES = 256, 512, 2**18
# lstm_probe writes no header larger than this. safetensors itself allows up to 100 MB.
_LARGEST_HEADER = 16 * 2**20


@dataclass(frozen=True)
class Kept:
    """Which part of a `(batch, time, units)` array is kept, as original indices.

    Attributes:
        sequences: int32.
        timesteps: int32.
        units: int32.

    Example:
        >>> keep((1, 3, 2)).of(np.arange(6.0).reshape(1, 3, 2)).shape
        (1, 3, 2)
    """

    sequences: npt.NDArray[np.int32]
    timesteps: npt.NDArray[np.int32]
    units: npt.NDArray[np.int32]

    def of(self, array: Array) -> Array:
        """The kept part of an array; itself where all is kept."""
        for axis, chosen in enumerate((self.sequences, self.timesteps, self.units)):
            if len(chosen) != array.shape[axis]:
                array = array.take(chosen, axis=axis)
        return array


def evenly(size: int, limit: int) -> npt.NDArray[np.int32]:
    """At most `limit` of the indices `0..size-1`, evenly spaced, the first and last among them.

    Example:
        >>> evenly(10, 4).tolist(), evenly(3, 4).tolist()
        ([0, 3, 6, 9], [0, 1, 2])
    """
    if size <= limit:
        return np.arange(size, dtype=np.int32)
    return np.round(np.linspace(0, size - 1, limit)).astype(np.int32)


@lru_cache(maxsize=256)
def keep(
    shape: tuple[int, ...],
    counts: tuple[int, ...] = (),
    *,
    units: int = MAX_UNITS,
    timesteps: int = MAX_TIMESTEPS,
    values: int = MAX_VALUES,
) -> Kept:
    """Choose which part of an array is kept.

    Units and timesteps are chosen at even distances. Then as many of the first sequences are kept
    as the number of values allows, and at least one. Of several named probes the first sequences of
    each are kept, and at least one of each: where these have no room, fewer timesteps are.

    Args:
        shape: `(batch, time, units)` of the array.
        counts: how many sequences each named probe has; none if there is one without a name.
        units: how many units are kept at most.
        timesteps: how many timesteps are kept at most.
        values: how many values are kept at most.

    Example:
        >>> kept = keep((64, 1000, 1024))
        >>> len(kept.sequences), len(kept.timesteps), len(kept.units)
        (2, 512, 256)
        >>> kept = keep((64, 1000, 1024), (60, 2, 2))
        >>> kept.sequences.tolist(), len(kept.timesteps), len(kept.units)
        ([0, 60, 62], 341, 256)
    """
    batch, time, width = shape
    columns, least = evenly(width, units), max(1, len(counts))
    rows = evenly(time, max(1, min(timesteps, values // max(1, len(columns) * least))))
    limit = max(least, values // max(1, len(columns) * len(rows)))
    kept = Kept(spread(batch, limit, counts), rows, columns)
    for indices in (kept.sequences, kept.timesteps, kept.units):
        indices.setflags(write=False)  # all captures of one shape share them
    return kept


@dataclass(frozen=True, eq=False)
class Stored:
    """A stored capture, read back.

    Attributes:
        arrays: by name, such as `gates/f` `(batch, time, units)` in float16.
        meta: the header: step, epoch, layer, cell, letters, ranges, parity and so on.
    """

    arrays: Mapping[str, npt.NDArray[Any]]
    meta: Mapping[str, Any]


def pack(arrays: Mapping[str, npt.NDArray[Any]], meta: Mapping[str, Any]) -> bytes:
    """Write arrays and a header as the bytes of a safetensors file.

    Args:
        arrays: by name.
        meta: the header. Numbers that are not finite become the texts `nan`, `inf` and `-inf`,
            because JSON has no such numbers.

    Example:
        >>> unpack(pack({"x": np.zeros(2)}, {"error": float("inf")})).meta["error"]
        'inf'
    """
    from safetensors.numpy import save

    # safetensors takes the memory as it lies: a transposed array would come back in another order.
    rows = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    data: bytes = save(rows, {HEADER_KEY: as_json({"format": FORMAT, **meta})})
    return data


def unpack(data: bytes) -> Stored:
    """Read what `pack` wrote. No code in the bytes is run.

    Args:
        data: the bytes, which may be anything.

    Raises:
        LstmProbeError: the bytes are something else, are damaged, or come from a newer version.

    Example:
        >>> unpack(pack({"x": np.arange(3)}, {"step": 7})).arrays["x"].tolist()
        [0, 1, 2]
    """
    from safetensors.numpy import load

    try:
        size = int.from_bytes(data[:8], "little")
        if not 0 < size <= min(len(data) - 8, _LARGEST_HEADER):
            raise ValueError(f"a header of {size} bytes in {len(data)}")
        header = json.loads(data[8 : 8 + size])
        meta = json.loads(header["__metadata__"][HEADER_KEY])
        version = meta["format"]
        if isinstance(version, int) and version <= FORMAT:
            return Stored(load(data), meta)
    except Exception as error:  # a stranger's bytes: the header may be anything
        raise LstmProbeError(
            f"These bytes are not a stored capture. Received: {type(error).__name__}: "
            f"{error!s:.300}. Expected: what lstm_probe wrote to an event file."
        ) from error
    raise LstmProbeError(
        f"The capture was written by a newer lstm_probe. Received: format {version!r:.80}. "
        f"Expected: up to {FORMAT}. Upgrade lstm_probe."
    )


def as_json(value: Any) -> str:
    """Write nested lists, mappings, arrays and numbers of any kind as JSON.

    Example:
        >>> as_json({"a": np.float32(0.5), "b": float("nan")})
        '{"a": 0.5, "b": "nan"}'
    """
    try:
        return json.dumps(value, allow_nan=False, default=plain)
    except ValueError:  # somewhere in it is a number that is not finite
        return json.dumps(plain(value), allow_nan=False)


def plain(value: Any) -> Any:
    """Turn a value into what JSON can hold.

    NumPy's arrays and numbers become those of Python, and numbers that are not finite become texts.

    Example:
        >>> plain({"a": np.float32(0.5), "b": [float("nan")], "c": None})
        {'a': 0.5, 'b': ['nan'], 'c': None}
    """
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not np.isfinite(value):
        return str(value)
    return value
