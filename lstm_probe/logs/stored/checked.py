"""What is read back from a log may be anything: it is looked at before it is used."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from lstm_probe.core.errors import LstmProbeError
from lstm_probe.logs.stored.format import Stored

__all__ = ["checked_capture", "parsed_point"]


def parsed_point(data: bytes) -> dict[str, Any] | None:
    """A point of a run's course; None for what is no such thing.

    Example:
        >>> parsed_point(b'{"step": 7, "layers": {}, "alerts": []}')
        {'epoch': None, 'step': 7, 'layers': {}, 'alerts': []}
    """
    try:
        point = {"epoch": None, **json.loads(data)}
        well_formed = (
            isinstance(point["step"], int)
            and isinstance(point["epoch"], (int, float, type(None)))
            and all(isinstance(layer, dict) for layer in point["layers"].values())
            and all({"layer", "text"} <= alert.keys() for alert in point["alerts"])
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    return point if well_formed else None


def checked_capture(stored: Stored) -> Stored:
    """A stored capture that has its gates, and an index for each of their places.

    Raises:
        LstmProbeError: it does not.

    Example:
        >>> checked_capture(Stored({}, {"letters": ["f"]}))
        Traceback (most recent call last):
            ...
        lstm_probe.core.errors.LstmProbeError: This capture is damaged. Received: no gate f. \
Expected: what lstm_probe wrote.
    """
    problem = _problem(stored.arrays, stored.meta)
    if problem is not None:
        raise LstmProbeError(
            f"This capture is damaged. Received: {problem}. Expected: what lstm_probe wrote."
        )
    return stored


def _problem(arrays: Mapping[str, Any], meta: Mapping[str, Any]) -> str | None:
    letters, ranges = meta.get("letters"), meta.get("ranges", {})
    if not isinstance(letters, list) or not letters or not all(isinstance(k, str) for k in letters):
        return "no letters"
    if not isinstance(ranges, dict) or not all(_is_interval(each) for each in ranges.values()):
        return f"ranges {ranges!r:.80}"
    for letter in letters:
        gate = arrays.get(f"gates/{letter}")
        if gate is None:
            return f"no gate {letter:.80}"
        if gate.ndim != 3 or gate.dtype.kind != "f":
            return f"gate {letter:.80} of shape {gate.shape} and dtype {gate.dtype}"
    batch, time, units = arrays[f"gates/{letters[0]}"].shape
    if any(arrays[f"gates/{letter}"].shape[:2] != (batch, time) for letter in letters):
        return "gates of several lengths"
    sizes = {"sequences": batch, "timesteps": time, "units": units}
    for name, size in sizes.items():
        if name not in arrays or arrays[name].shape != (size,):
            return f"no {name}"
    if "mask" in arrays and arrays["mask"].shape != (batch, time):
        return f"a mask of shape {arrays['mask'].shape}"
    return None


def _is_interval(interval: Any) -> bool:
    if interval is None:
        return True
    numbers = isinstance(interval, list) and len(interval) == 2
    return numbers and all(isinstance(n, (int, float)) and np.isfinite(n) for n in interval)
