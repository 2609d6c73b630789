"""Where the first NaN or infinity of a layer came from."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from lstm_probe.analysis.argument_order import snapshot_first
from lstm_probe.analysis.snapshot import Snapshot
from lstm_probe.core.arrays import Array
from lstm_probe.core.trace import GateTrace

__all__ = ["NotFinite", "first_not_finite"]


@dataclass(frozen=True)
class NotFinite:
    """The first value that is not finite, in the order in which the layer computes.

    Attributes:
        timestep: the index of its timestep, in the order of the input's time.
        sequence: its index in the batch.
        letter: the letter of the gate or state.
        unit: the first unit that is not finite there.
        source: what brought it in: `input`, `initial state`, the name of an array of the weights,
            `overflow` where all of these are finite, or `framework` where NumPy's values are
            finite and only the framework's are not.

    Example:
        >>> print(NotFinite(timestep=3, sequence=0, letter="f", unit=1, source="input"))
        f of unit 1 at timestep 3 of sequence 0, from: input
    """

    timestep: int
    sequence: int
    letter: str
    unit: int
    source: str

    def __str__(self) -> str:
        return (
            f"{self.letter} of unit {self.unit} at timestep {self.timestep} of sequence "
            f"{self.sequence}, from: {self.source}"
        )


@snapshot_first
def first_not_finite(
    snapshot: Snapshot | None, trace: GateTrace, *, finite: Collection[str] = ()
) -> NotFinite | None:
    """Find the first NaN or infinity of a layer.

    The values are searched by timestep, in the order in which the layer reads them, then by letter
    in the order of the equations, then by sequence and unit. Masked steps do not count.

    Args:
        snapshot: where the trace comes from; None if that is not known.
        trace: the layer's gates.
        finite: the letters of arrays that are known to be finite at all valid steps.

    Returns:
        Where the value is and what brought it in; None if everything is finite.

    Example:
        >>> h = np.zeros((1, 5, 2))
        >>> h[0, 3:, 1] = np.nan
        >>> print(first_not_finite(None, GateTrace({"h": h}, {"h": None})))
        h of unit 1 at timestep 3 of sequence 0, from: overflow
    """
    arrays = dict(trace.arrays)
    if all(_all_finite(array) for letter, array in arrays.items() if letter not in finite):
        if snapshot is None or _all_finite(snapshot.output):
            return None
        return _locate({"h": snapshot.output}, snapshot, trace, "framework")
    return _locate(arrays, snapshot, trace, None)


def _all_finite(array: Array) -> bool:
    # A sum is finite only if all its terms are; a sum that overflows needs a closer look.
    return bool(np.isfinite(array.sum())) or bool(np.isfinite(array).all())


def _locate(
    arrays: dict[str, Array], snapshot: Snapshot | None, trace: GateTrace, source: str | None
) -> NotFinite | None:
    """The first bad value of some arrays; `source` is None where it has to be found out."""
    bad = {letter: ~np.isfinite(array) for letter, array in arrays.items()}
    if trace.mask is not None:
        bad = {letter: array & trace.mask[:, :, None] for letter, array in bad.items()}
    steps = np.logical_or.reduce([array.any(axis=(0, 2)) for array in bad.values()])
    if not steps.any():
        return None
    order = np.flatnonzero(steps)
    timestep = int(order[-1 if snapshot is not None and snapshot.reverse else 0])
    letter = next(letter for letter, array in bad.items() if array[:, timestep].any())
    sequence, unit = (int(k) for k in np.argwhere(bad[letter][:, timestep])[0])
    source = source or _source(snapshot, timestep, sequence)
    return NotFinite(timestep, sequence, letter, unit, source)


def _source(snapshot: Snapshot | None, timestep: int, sequence: int) -> str:
    if snapshot is None:
        return "overflow"
    for name, array in snapshot.weights.named():
        if not _all_finite(array):
            return name
    if not _all_finite(snapshot.x[sequence, timestep]):
        return "input"
    if any(not _all_finite(state[sequence]) for state in snapshot.initial_state or ()):
        return "initial state"
    return "overflow"
