"""What is compared with series: the units of a layer, out of an analysis or a trace alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from lstm_probe.analysis.analysis import Analysis
from lstm_probe.analysis.captured import captured
from lstm_probe.analysis.snapshot import Snapshot
from lstm_probe.core.arrays import Array, BoolArray
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.core.trace import GateTrace

__all__ = ["Followed", "Trackable", "followed"]

#: What has units that can be compared with series. A trace alone does not know the layer's input.
Trackable: TypeAlias = Analysis | Snapshot | GateTrace


@dataclass(frozen=True, eq=False)
class Followed:
    """The units of a layer on a probe, in the order of the input's time.

    Attributes:
        layer: the name of the layer.
        step: the training step.
        word: `unit`, `filter`, or `value` of a projection.
        letter: the array.
        values: `(batch, time, units)`.
        counts: `(batch, time)`: the steps that count.
        reverse: whether the layer reads from the last timestep to the first.
        x: `(batch, time, input)`, what the layer reads; None if that is not known.
    """

    layer: str
    step: int
    word: str
    letter: str
    values: Array
    counts: BoolArray
    reverse: bool
    x: Array | None


def followed(seen: Trackable, array: str | None) -> Followed:
    """Take up the units of a layer.

    Args:
        seen: the layer.
        array: the letter of the array; None for `c` where there is one, else `h`.

    Raises:
        LstmProbeError: there is no such array, or no step counts.
    """
    if not isinstance(seen, GateTrace):
        return _of_layer(seen, array)
    letter = _letter(seen, array, "c" if "c" in seen.letters else "h")
    values = seen[letter].astype(np.float64)
    counts = np.ones(values.shape[:2], bool) if seen.mask is None else seen.mask
    if not counts.any():
        raise LstmProbeError(
            f"No step of the probe counts in layer {seen.layer!r}. Received: a mask that is False "
            "everywhere. Expected: a probe with at least one step that is not masked."
        )
    return Followed(seen.layer, seen.step or 0, "unit", letter, values, counts, seen.reverse, None)


def _of_layer(seen: Analysis | Snapshot, array: str | None) -> Followed:
    found = captured(seen)
    letter = _letter(found.trace, array, found.memory)
    values, word = found.trace[letter], found.units.word
    if word == "filter":  # the mean of each filter over space
        own = found.units.of_state
        member = (own[:, None] == np.arange(found.units.count)) / np.bincount(own)
        values = values @ member
    elif letter == "h" and found.units.projected:
        word = "value"
    snapshot = found.snapshot
    return Followed(
        snapshot.layer,
        snapshot.step,
        word,
        letter,
        values,
        found.valid(),
        snapshot.reverse,
        np.asarray(snapshot.x, np.float64),
    )


def _letter(trace: GateTrace, array: str | None, memory: str) -> str:
    if array is not None and array not in trace.letters:
        raise LstmProbeError(
            f"There is no such array to compare. Received: array={array!r}. Expected one of "
            f"{', '.join(trace.letters)}."
        )
    return memory if array is None else array
