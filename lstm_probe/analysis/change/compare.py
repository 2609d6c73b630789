"""What changed between two looks at the same layers: which gates, units and timesteps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from lstm_probe.analysis.parity.error import difference
from lstm_probe.core.arrays import Array
from lstm_probe.core.errors import LstmProbeError

__all__ = ["GateChange", "Look", "compare_looks"]

_SHOWN = 3


@dataclass(frozen=True, eq=False)
class Look:
    """The arrays of one layer at one time.

    Attributes:
        gates: by letter, `(sequence, time, unit)`.
        weights: by their names in logs; empty where they are not known.
        units: the original indices of the units; None if all are there.
        timesteps: those of the timesteps.
    """

    gates: Mapping[str, Array]
    weights: Mapping[str, Array] = field(default_factory=dict)
    units: npt.NDArray[np.int32] | None = None
    timesteps: npt.NDArray[np.int32] | None = None


@dataclass(frozen=True)
class GateChange:
    """How one gate of one layer changed.

    Attributes:
        layer: the layer's name.
        gate: its letter.
        rms: the root mean square of the differences.
        largest: the largest absolute difference, and where it is:
        sequence: the index in the batch,
        timestep: the timestep,
        unit: the unit.
        units: the units that changed most, by the root mean square.
        timesteps: the timesteps that changed most.
        weights: the largest `|dW| / |W|` of the gate's kernels; NaN where they are not known.
    """

    layer: str
    gate: str
    rms: float
    largest: float
    sequence: int
    timestep: int
    unit: int
    units: tuple[int, ...]
    timesteps: tuple[int, ...]
    weights: float


def compare_looks(before: Mapping[str, Look], after: Mapping[str, Look]) -> list[GateChange]:
    """Compare layer by layer and gate by gate.

    Layers are the same if their names are; `memory` is also found as `sequential/memory`. Where no
    name is the same, as after a conversion, layers of the same shapes are taken in their order.

    Args:
        before: by the layers' names.
        after: by the layers' names.

    Raises:
        LstmProbeError: there is no layer in common, or the shapes differ.

    Example:
        >>> one = Look({"f": np.zeros((1, 3, 2))})
        >>> other = Look({"f": np.eye(3)[None, :, :2]})
        >>> change, = compare_looks({"memory": one}, {"memory": other})
        >>> change.largest, change.units, change.timesteps
        (1.0, (0, 1), (0, 1))
    """
    pairs = _pairs(before, after)
    return [
        _change(name, letter, before[name], after[other])
        for name, other in pairs
        for letter in before[name].gates
        if letter in after[other].gates
    ]


def _pairs(before: Mapping[str, Look], after: Mapping[str, Look]) -> list[tuple[str, str]]:
    pairs = []
    for name in before:
        found = [other for other in after if other == name]
        found = found or [o for o in after if o.endswith(f"/{name}") or name.endswith(f"/{o}")]
        if len(found) == 1:
            pairs.append((name, found[0]))
    if not pairs and [_units(look) for look in before.values()] == [
        _units(look) for look in after.values()
    ]:
        pairs = list(zip(before, after, strict=True))
    if not pairs:
        raise LstmProbeError(
            f"There is no layer in common. Received: {', '.join(before)} and {', '.join(after)}. "
            "Expected: two states of one model."
        )
    return pairs


def _units(look: Look) -> dict[str, tuple[int, ...]]:
    return {letter: array.shape for letter, array in look.gates.items()}


def _change(layer: str, letter: str, before: Look, after: Look) -> GateChange:
    one, other = before.gates[letter], after.gates[letter]
    if one.shape != other.shape:
        raise LstmProbeError(
            f"Gate {letter} of layer {layer!r} has two shapes. Received: {one.shape} and "
            f"{other.shape}. Expected: the same units and the same probe."
        )
    change = difference(one, other)
    with np.errstate(all="ignore"):
        square = np.square(change)
        by_unit, by_step = square.mean(axis=(0, 1)), square.mean(axis=(0, 2))
        rms = float(np.sqrt(square.mean()))
    sequence, step, unit = (int(i) for i in np.unravel_index(change.argmax(), change.shape))
    units = np.arange(change.shape[2]) if before.units is None else before.units
    steps = np.arange(change.shape[1]) if before.timesteps is None else before.timesteps
    return GateChange(
        layer=layer,
        gate=letter,
        rms=rms,
        largest=float(change.max()),
        sequence=sequence,
        timestep=int(steps[step]),
        unit=int(units[unit]) if unit < len(units) else unit,
        units=tuple(int(units[k]) for k in _most(by_unit) if k < len(units)),
        timesteps=tuple(int(steps[k]) for k in _most(by_step)),
        weights=_weights(letter, before.weights, after.weights),
    )


def _most(values: Array) -> list[int]:
    order = np.argsort(-values, kind="stable")[:_SHOWN]
    return [int(index) for index in order if values[index] > 0]


def _weights(letter: str, before: Mapping[str, Array], after: Mapping[str, Array]) -> float:
    ratios = [
        _ratio(before[name], after[name])
        for name in before
        if name.endswith(f"_{letter}")
        and "kernel" in name
        and name in after
        and before[name].shape == after[name].shape
    ]
    return max(ratios, default=float("nan"))


def _ratio(before: Array, after: Array) -> float:
    size, change = (float(np.linalg.norm(a.astype(np.float64))) for a in (before, after - before))
    return change / size if size else (0.0 if change == 0 else float("inf"))
