"""`LayerSummary`: the figures of one analysis, from which every view of it is worded.

The log, the command line, the notebook and the overview show the same analysis. Each of them lays
out this record and computes nothing itself, so that no two of them can disagree.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from lstm_probe.analysis.gradient.gradient import Gradient
from lstm_probe.analysis.health.health import GateHealth, Health, dead_units
from lstm_probe.analysis.health.not_finite import NotFinite
from lstm_probe.analysis.parity.error import Parity
from lstm_probe.analysis.parity.verdict import Verdict
from lstm_probe.analysis.snapshot import Snapshot
from lstm_probe.cells import Cell
from lstm_probe.core.arrays import Array, BoolArray

__all__ = [
    "GateSummary",
    "GradientSummary",
    "LayerSummary",
    "ParitySummary",
    "summarise",
    "summarise_parity",
]


@dataclass(frozen=True, eq=False)
class ParitySummary:
    """How far the framework's output is from NumPy's recomputation, and what that means.

    Attributes:
        max_abs: the largest absolute error against float64; 0 or more.
        rms: the root mean square of these errors.
        ulp: the largest error in units in the last place of the layer's dtype; NaN if unknown.
        tolerance: the largest error that rounding explains in the layer's dtype.
        max_abs_same_dtype: the largest absolute error against NumPy in the layer's own dtype; None
            if that recomputation has not been made.
        verdict: what the error means; None if it was not judged.
        cause: the convention that explains a mismatch, in words; None if there is none or if it has
            not been looked for.
        per_timestep: `(time,)`, the largest absolute error at each timestep.
    """

    max_abs: float
    rms: float
    ulp: float
    tolerance: float
    max_abs_same_dtype: float | None
    verdict: Verdict | None
    cause: str | None
    per_timestep: Array

    @property
    def mismatch(self) -> bool:
        """Whether the framework computes something else than NumPy."""
        return self.verdict is not None and self.verdict.kind == "mismatch"


@dataclass(frozen=True)
class GateSummary:
    """One gate over all units and all valid steps. A fraction of nothing is NaN.

    Attributes:
        mean: the mean value; 0..1.
        shut: the fraction of units and steps at which the gate is below 0.1; 0..1.
        open: the fraction at which it is above 0.9; 0..1.
        saturated: the fraction at which it is either; 0..1.
        stuck: the number of units whose gate hardly moves.
        units: the number of units.
    """

    mean: float
    shut: float
    open: float
    saturated: float
    stuck: int
    units: int


@dataclass(frozen=True)
class GradientSummary:
    """How the gradient fades on its way back through the state with the longest memory.

    Attributes:
        state: the letter of that state: `c` where there is one, else `h`.
        decay: the factor by which the gradient changes with each step back.
        reach: how many steps back it stays above 1 % of its largest value.
    """

    state: str
    decay: float
    reach: float


@dataclass(frozen=True, eq=False)
class LayerSummary:
    """The figures of one layer at one training step.

    Attributes:
        layer: the layer's name.
        step: the training step.
        epoch: how many epochs the training has done; None if it has none.
        cell: the cell's options; None for a cell whose recurrence is not known.
        cell_name: the cell's name.
        dtype: the name of the dtype in which the layer computes.
        reverse: whether the layer reads from the last timestep to the first.
        input_shape: `(batch, time, input)` of the probe.
        output_shape: `(batch, time, units)` of the framework's hidden sequence.
        masked: how many timesteps of all sequences are skipped.
        starts_from_zeros: whether the initial state is zeros, and not one that was given.
        parity: how far the framework is from NumPy; None if the two were not compared.
        gates: each gate whose values lie in 0..1, by letter.
        probe_length: the number of valid steps of the longest sequence.
        longest_horizon: after how many steps the longest memory has faded to 1/e; None for a cell
            without a gate that keeps.
        longest_unit: the unit that has it; None where there is none.
        dead: the units whose `h` does not move; of a convolutional cell, the filters.
        dead_of: how many units or filters that is counted among.
        copies: the units whose `h` copies that of an earlier one.
        gradient: how far back gradients reach; None if they are not known.
        not_finite: where the first NaN or infinity came from; None if all is finite.
        guessed: sentences that say what was guessed, as of weights without their model.
    """

    layer: str
    step: int
    epoch: float | None
    cell: Cell[Any] | None
    cell_name: str
    dtype: str
    reverse: bool
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    masked: int
    starts_from_zeros: bool
    parity: ParitySummary | None
    gates: Mapping[str, GateSummary]
    probe_length: int
    longest_horizon: float | None
    longest_unit: int | None
    dead: tuple[int, ...]
    dead_of: int
    copies: tuple[int, ...]
    gradient: GradientSummary | None
    not_finite: NotFinite | None
    guessed: tuple[str, ...] = ()

    @property
    def units(self) -> int:
        """The number of units of the hidden state."""
        return self.output_shape[-1]

    @property
    def verdict(self) -> Verdict | None:
        """What the parity error means; None if there is none, or if it was not judged."""
        return None if self.parity is None else self.parity.verdict

    @property
    def dead_fraction(self) -> float:
        """The part of the units that are dead; 0..1."""
        return len(self.dead) / self.dead_of


def summarise(
    snapshot: Snapshot,
    parity: Parity | None,
    health: Health,
    gradient: Gradient | None,
    *,
    same_dtype: bool = False,
    cause: str | None = None,
) -> LayerSummary:
    """Make the summary of an analysis; `Analysis.summary` calls this.

    Args:
        snapshot: what was captured.
        parity: as in the analysis.
        health: as in the analysis.
        gradient: as in the analysis.
        same_dtype: whether the error in the layer's own dtype is worked out if it is not known.
        cause: the convention that explains a mismatch, in words, if it has been looked for.
    """
    horizon, mask, dead = health.horizon, snapshot.mask, dead_units(snapshot, health)
    return LayerSummary(
        layer=snapshot.layer,
        step=snapshot.step,
        epoch=snapshot.epoch,
        cell=snapshot.cell,
        cell_name=snapshot.cell_name,
        dtype=snapshot.dtype,
        reverse=snapshot.reverse,
        input_shape=snapshot.x.shape,
        output_shape=snapshot.output.shape,
        masked=0 if mask is None else int(mask.size - np.count_nonzero(mask)),
        starts_from_zeros=snapshot.initial_state is None,
        parity=(
            None if parity is None else summarise_parity(parity, same_dtype=same_dtype, cause=cause)
        ),
        gates={letter: _of_gate(gate) for letter, gate in health.gates.items()},
        probe_length=health.probe_length,
        longest_horizon=None if horizon is None else float(horizon.max()),
        longest_unit=None if horizon is None else int(horizon.argmax()),
        dead=_indices(dead),
        dead_of=dead.size,
        copies=_indices(health.copies),
        gradient=None if gradient is None else _of_gradient(gradient),
        not_finite=health.not_finite,
        guessed=snapshot.guessed,
    )


def summarise_parity(
    parity: Parity, *, same_dtype: bool = False, cause: str | None = None
) -> ParitySummary:
    """Make the summary of a parity error alone.

    Args:
        parity: as in the analysis.
        same_dtype: whether the error in the layer's own dtype is worked out if it is not known.
        cause: the convention that explains a mismatch, in words, if it has been looked for.
    """
    exact = parity.float64
    same = parity.same_dtype if same_dtype else parity.known_in_same_dtype
    return ParitySummary(
        max_abs=exact.max_abs,
        rms=exact.rms,
        ulp=parity.ulp,
        tolerance=parity.tolerance,
        max_abs_same_dtype=None if same is None else same.max_abs,
        verdict=parity.verdict,
        cause=cause,
        per_timestep=exact.per_timestep,
    )


def _of_gate(gate: GateHealth) -> GateSummary:
    by_unit = np.stack([gate.mean, gate.low, gate.high, gate.saturated])
    mean, shut, opened, saturated = by_unit.mean(axis=1).tolist()
    stuck = int(np.count_nonzero(gate.stuck))
    return GateSummary(mean, shut, opened, saturated, stuck=stuck, units=len(gate.stuck))


def _of_gradient(gradient: Gradient) -> GradientSummary:
    state = gradient.memory
    return GradientSummary(state, gradient.decay[state], gradient.reach[state])


def _indices(chosen: BoolArray) -> tuple[int, ...]:
    return tuple(np.flatnonzero(chosen).tolist())
