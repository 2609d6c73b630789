"""Gate health: what the gates of a probe say about each unit of a layer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from lstm_probe.analysis.argument_order import snapshot_first
from lstm_probe.analysis.health.copies import find_copies
from lstm_probe.analysis.health.not_finite import NotFinite, first_not_finite
from lstm_probe.analysis.snapshot import Snapshot
from lstm_probe.cells import KEEPERS
from lstm_probe.core.arrays import Array, BoolArray
from lstm_probe.core.trace import GateTrace

__all__ = ["GateHealth", "Health", "dead_units", "measure_health", "memory_horizon"]

#: Below 0.1 and above 0.9 a gate is saturated (Karpathy, Johnson & Fei-Fei 2015, section 4.2).
LOW, HIGH = 0.1, 0.9
#: A gate that moves by less than a hundredth of its range over the whole probe is stuck.
_STUCK_RANGE = 0.01
#: A hidden state that moves by less is dead: rounding in half precision would swallow what it tells
#: the next layer (bfloat16 has steps of 4e-3 just below 1).
_DEAD_RANGE = 1e-3


@dataclass(frozen=True, eq=False)
class GateHealth:
    """Statistics of one gate over all valid steps of the probe.

    All arrays are float64 but `stuck`, and NaN where the probe has no valid step.

    Attributes:
        low: `(units,)`, the fraction of steps at which the gate is below 0.1; 0..1.
        high: `(units,)`, the fraction of steps at which the gate is above 0.9; 0..1.
        mean: `(units,)`, the mean; 0..1.
        spread: `(units,)`, the standard deviation; 0..0.5.
        stuck: `(units,)`, bool, True where the gate moves by less than 0.01.

    Example:
        >>> gate = GateHealth(*np.zeros((4, 2)), stuck=np.array([True, False]))
        >>> gate.saturated.tolist()
        [0.0, 0.0]
    """

    low: Array
    high: Array
    mean: Array
    spread: Array
    stuck: BoolArray

    @property
    def saturated(self) -> Array:
        """`(units,)`, the fraction of steps at which the gate is nearly shut or open; 0..1."""
        return self.low + self.high


@dataclass(frozen=True, eq=False)
class Health:
    """What the probe shows about each unit of one layer. Masked steps do not count.

    NaN stands for a statistic that a probe without valid steps does not have.

    Attributes:
        gates: the statistics of each gate whose values lie in 0..1, by its letter.
        steps: the number of valid steps in all sequences together.
        probe_length: the number of valid steps of the longest sequence.
        horizon: `(units,)`, float64, after how many steps a memory has faded to 1/e; infinite for
            a unit whose gate keeps everything; None for a cell without a gate that keeps its state.
        dead: `(units,)`, bool, True where `h` moves by less than 0.001 over the whole probe.
        copy_of: `(units,)`, int, the first unit whose `h` is the same up to scale, sign and shift;
            -1 if there is none.
        largest: by letter, for `h` and for `c` where there is one: `(units,)`, float64, the
            largest absolute value.
        not_finite: where the first NaN or infinity came from; None if all values are finite.

    Example:
        >>> trace = GateTrace({"h": np.zeros((1, 5, 2))}, {"h": None}, cell="simple_rnn")
        >>> measure_health(None, trace).dead.tolist()
        [True, True]
    """

    gates: Mapping[str, GateHealth]
    steps: int
    probe_length: int
    horizon: Array | None
    dead: BoolArray
    copy_of: Array
    largest: Mapping[str, Array]
    not_finite: NotFinite | None

    @property
    def copies(self) -> BoolArray:
        """`(units,)`, bool, True where a unit copies an earlier one."""
        return self.copy_of >= 0


@snapshot_first
def measure_health(snapshot: Snapshot | None, trace: GateTrace) -> Health:
    """Measure the gates, the memory and the hidden states of one layer.

    Args:
        snapshot: where the trace comes from; None if that is not known. It tells whether a NaN
            came with the input or with the weights.
        trace: the layer's gates.

    Returns:
        The statistics of each unit.

    Source:
        Karpathy, Johnson & Fei-Fei 2015, "Visualizing and Understanding Recurrent Networks".

    Example:
        >>> gate = np.linspace(0, 1, 22)[1:-1].reshape(1, 20, 1)
        >>> trace = GateTrace({"f": gate, "h": gate}, {"f": (0.0, 1.0), "h": None}, cell="lstm")
        >>> health = measure_health(None, trace)
        >>> health.gates["f"].low.tolist(), health.gates["f"].high.tolist()
        ([0.1], [0.1])
        >>> health.horizon.round(2).tolist()
        [1.44]
    """
    with np.errstate(all="ignore"):  # NaN and infinity are values like others here
        letters = [k for k in trace.letters if k != "h" and trace.ranges[k] == (0.0, 1.0)]
        gates = {letter: _gate_health(_valid_values(trace, letter)) for letter in letters}
        hidden = _valid_values(trace, "h")
        low, high = _extremes(hidden)
        # The range of a single step is zero, and says nothing.
        dead = (high - low < _DEAD_RANGE) & (len(hidden) > 1)
        states: list[str] = [letter for letter in ("h", "c") if letter in trace.letters]
        largest = {letter: _largest(_valid_values(trace, letter)) for letter in states}
        keeper = _keeper(snapshot, trace)
        measured = {**{letter: gate.mean for letter, gate in gates.items()}, **largest}
        return Health(
            gates=gates,
            steps=len(hidden),
            probe_length=_probe_length(trace),
            horizon=memory_horizon(gates[keeper].mean) if keeper in gates else None,
            dead=dead,
            copy_of=find_copies(hidden, dead),
            largest=largest,
            not_finite=first_not_finite(
                snapshot,
                trace,
                finite=[letter for letter, each in measured.items() if np.isfinite(each).all()],
            ),
        )


def dead_units(snapshot: Snapshot, health: Health) -> BoolArray:
    """Which units are dead: of a convolutional cell, which filters.

    A filter is dead where it moves at no pixel. That it does not move over a black ground is what
    it is there for.

    Args:
        snapshot: the layer at one training step.
        health: its health.

    Returns:
        `(units,)` or `(filters,)`, bool.
    """
    if snapshot.cell is None:
        return health.dead
    images = snapshot.cell.unflattened(health.dead[None], snapshot.weights)
    return np.asarray(images.reshape(-1, images.shape[-1]).all(axis=0))


def memory_horizon(mean: Array) -> Array:
    """After how many steps a memory has faded to `1 / e`, if its gate stays at its mean.

        mean^n = 1 / e,  n = -1 / log(mean)

    Args:
        mean: the mean of a forget gate, or of a GRU's update gate; any shape, float, 0..1.

    Returns:
        The same shape, in steps, 0 or more; infinite where the gate keeps everything, NaN for NaN.

    Source:
        Tallec & Ollivier 2018, "Can recurrent neural networks warp time?", section 2: a leak of
        `1 - f` for each step forgets within about `1 / (1 - f)` steps.

    Example:
        >>> memory_horizon(np.array([0.0, 0.5, 0.99, 1.0])).round(1).tolist()
        [0.0, 1.4, 99.5, inf]
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        fading = -np.log(np.clip(mean, 0, 1))
        return np.where(fading == 0, np.inf, 1 / fading)


def _keeper(snapshot: Snapshot | None, trace: GateTrace) -> str | None:
    """The letter of the gate that keeps the old state, as the cell says."""
    if snapshot is not None and snapshot.cell is not None:
        return snapshot.cell.keeper
    return KEEPERS.get(trace.cell)


def _valid_values(trace: GateTrace, letter: str) -> Array:
    """One array of the trace as `(steps, units)`, without masked steps, in any order of the steps.

    A recomputed trace lies time-major in memory, so that taking its steps in that order copies
    nothing.
    """
    array = trace[letter]
    if trace.mask is not None and not trace.mask.all():
        return trace.valid(letter)
    if array.strides[0] < array.strides[1]:
        array = array.swapaxes(0, 1)
    return array.reshape(-1, array.shape[-1])


def _extremes(values: Array) -> tuple[Array, Array]:
    """The smallest and the largest value of each unit; NaN if there are no steps."""
    if not len(values):
        nothing = np.full(values.shape[1], np.nan)
        return nothing, nothing
    return values.min(axis=0), values.max(axis=0)


def _largest(values: Array) -> Array:
    """The largest absolute value of each unit."""
    low, high = _extremes(values)
    return np.maximum(-low, high)


def _gate_health(values: Array) -> GateHealth:
    """The statistics of one gate, whose values are `(steps, units)`; NaN if there are no steps."""
    steps, (smallest, largest) = len(values), _extremes(values)
    if not steps:
        nothing = smallest
        return GateHealth(nothing, nothing, nothing, nothing, np.zeros(nothing.shape, np.bool_))
    mean = np.full(steps, 1 / steps) @ values
    variance = np.maximum(np.square(values).sum(axis=0) / steps - np.square(mean), 0)
    return GateHealth(
        low=(values < LOW).sum(axis=0) / steps,
        high=(values > HIGH).sum(axis=0) / steps,
        mean=mean,
        # Rounding leaves a constant gate a variance of about 1e-16.
        spread=np.where(smallest == largest, 0, np.sqrt(variance)),
        stuck=(largest - smallest < _STUCK_RANGE) & (steps > 1),
    )


def _probe_length(trace: GateTrace) -> int:
    return trace.timesteps if trace.mask is None else int(trace.mask.sum(axis=1).max())
