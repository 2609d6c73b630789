"""The check of a stored capture that is read back: a log may hold anything."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lstm_probe.core.errors import LstmProbeError
from lstm_probe.logs.stored.format import Stored, unpack
from lstm_probe.logs.stored.point import is_number

__all__ = ["checked_capture", "read_capture"]


def read_capture(data: bytes) -> Stored:
    """Read a stored capture and check it.

    Args:
        data: the bytes that the log holds.

    Raises:
        LstmProbeError: the bytes are no capture, or they lack a part of one.
    """
    return checked_capture(unpack(data))


def checked_capture(stored: Stored) -> Stored:
    """Check that a stored capture has its gates, and the original index of every place in them.

    Args:
        stored: what was read.

    Returns:
        The same capture.

    Raises:
        LstmProbeError: the capture lacks one of these.

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
    return numbers and all(map(is_number, interval))
