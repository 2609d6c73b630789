"""What changed in the same layers between two times: which gates, units and timesteps."""

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
    """The arrays of one layer at one time, as a stored capture or a file holds them.

    Attributes:
        gates: the values of each gate, by its letter: `(batch, time, units)`, float.
        weights: the arrays of the weights, by their names in logs; empty where they are not known.
        units: `(units,)`, the original indices of the units; None if no unit was left out.
        timesteps: `(time,)`, the original indices of the timesteps; None if none was left out.

    Example:
        >>> Look({"f": np.zeros((1, 3, 2))}).gates["f"].shape
        (1, 3, 2)
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
        gate: the gate's letter.
        rms: the root mean square of the differences; 0 or more.
        largest: the largest absolute difference; 0 or more.
        sequence: the index in the batch at which the difference is largest.
        timestep: the timestep at which it is largest.
        unit: the unit in which it is largest.
        units: the units that changed most, by the root mean square of their differences; at most 3.
        timesteps: the timesteps that changed most; at most 3.
        weights: the largest `|dW| / |W|` of the gate's kernels; NaN where the weights are not
            known.
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
    """Compare two states of a model, layer by layer and gate by gate.

    Layers belong together if they have the same name; `memory` also matches `sequential/memory`.
    Where no name matches, as after a conversion, layers of the same shapes belong together in
    their order.

    Args:
        before: the layers at the earlier time, by name.
        after: the layers at the later time, by name.

    Returns:
        One record for each gate that both times have.

    Raises:
        LstmProbeError: the two have no layer in common, or a gate has two shapes.

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
