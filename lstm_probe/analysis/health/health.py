"""Gate health: what the gates of a probe say about each unit of a layer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from lstm_probe.analysis.health.not_finite import NotFinite, first_not_finite
from lstm_probe.analysis.snapshot import Snapshot
from lstm_probe.cells import KEEPERS
from lstm_probe.core.arrays import Array, BoolArray
from lstm_probe.core.trace import GateTrace

__all__ = ["GateHealth", "Health", "measure_health", "memory_horizon"]

#: Below and above, a gate counts as saturated (Karpathy, Johnson & Fei-Fei 2015, section 4.2).
LOW, HIGH = 0.1, 0.9
#: A gate that moves by less over the whole probe is stuck: a hundredth of its range.
_STUCK_RANGE = 0.01
#: A hidden state that moves by less is dead: it tells the next layer nothing that rounding in
#: half precision would not swallow (bfloat16 has steps of 4e-3 just below 1).
_DEAD_RANGE = 1e-3
#: Correlation of two units' hidden states from which one counts as a copy of the other.
_COPY_CORRELATION = 0.999
#: Fewer steps correlate by chance: of 8 random points, 1 pair in 1e7 exceeds that correlation.
_COPY_STEPS = 8
#: So many values of all gates are looked at together: fewer and longer calls.
_TOGETHER = 2**18


@dataclass(frozen=True, eq=False)
class GateHealth:
    """One gate over all valid steps of the probe.

    Attributes:
        low: `(units,)`, the fraction of steps at which the gate is below 0.1; 0..1.
        high: `(units,)`, the fraction above 0.9; 0..1.
        mean: `(units,)`.
        spread: `(units,)`, the standard deviation.
        stuck: `(units,)`, True where the gate moves by less than 0.01.

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
        """`(units,)`, the fraction of steps at which the gate is nearly shut or nearly open."""
        return self.low + self.high


@dataclass(frozen=True, eq=False)
class Health:
    """What the probe shows of each unit of one layer. Padding does not count.

    NaN stands for what cannot be said: the statistics of a probe whose steps are all masked.

    Attributes:
        gates: by letter, each gate whose values lie in 0..1.
        steps: the number of valid steps, over all sequences.
        probe_length: the number of valid steps of the longest sequence.
        horizon: `(units,)`, after how many steps a memory has faded to 1/e; infinite for a gate
            that never lets go; None for a cell without such a gate.
        dead: `(units,)`, True where `h` moves by less than 0.001 over the whole probe.
        copy_of: `(units,)`, the first unit whose `h` is the same up to scale, sign and shift; -1
            if there is none.
        largest: `(units,)` of `h` and, if there is one, `c`, by letter: the largest absolute
            value.
        not_finite: where the first NaN or infinity came from; None if all is finite.

    Example:
        >>> trace = GateTrace({"h": np.zeros((1, 5, 2))}, {"h": None}, cell="simple_rnn")
        >>> measure_health(trace).dead.tolist()
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
        """`(units,)`, True where a unit copies an earlier one."""
        return self.copy_of >= 0


def measure_health(trace: GateTrace, snapshot: Snapshot | None = None) -> Health:
    """Measure gates, memory and hidden states of one layer.

    Args:
        trace: the layer's gates.
        snapshot: where the trace is from, if it is known: it tells whether a NaN came with the
            input or the weights.

    Source:
        Karpathy, Johnson & Fei-Fei 2015, "Visualizing and Understanding Recurrent Networks".

    Example:
        >>> gate = np.linspace(0, 1, 22)[1:-1].reshape(1, 20, 1)
        >>> trace = GateTrace({"f": gate, "h": gate}, {"f": (0.0, 1.0), "h": None}, cell="lstm")
        >>> health = measure_health(trace)
        >>> health.gates["f"].low.tolist(), health.gates["f"].high.tolist()
        ([0.1], [0.1])
        >>> health.horizon.round(2).tolist()
        [1.44]
    """
    with np.errstate(all="ignore"):  # NaN and infinity are values like others here
        letters = [k for k in trace.letters if k != "h" and trace.ranges[k] == (0.0, 1.0)]
        gates = dict(zip(letters, _gates([_major(trace, k) for k in letters]), strict=True))
        hidden = _major(trace, "h")
        low, high = _extremes(hidden)
        largest = {"h": np.maximum(-low, high)}
        if "c" in trace.letters:
            largest["c"] = np.maximum(*(np.abs(e) for e in _extremes(_major(trace, "c"))))
        # The range of a single step is zero, and says nothing.
        dead = (high - low < _DEAD_RANGE) & (len(hidden) > 1)
        keeper = KEEPERS.get(trace.cell) or getattr(getattr(snapshot, "cell", None), "keeper", None)
        measured = {**{letter: gate.mean for letter, gate in gates.items()}, **largest}
        return Health(
            gates=gates,
            steps=len(hidden),
            probe_length=_probe_length(trace),
            horizon=memory_horizon(gates[keeper].mean) if keeper in gates else None,
            dead=dead,
            copy_of=_copies(hidden, dead),
            largest=largest,
            not_finite=first_not_finite(
                trace,
                snapshot,
                finite=[letter for letter, each in measured.items() if np.isfinite(each).all()],
            ),
        )


def memory_horizon(mean: Array) -> Array:
    """After how many steps a memory has faded to `1 / e`, if its gate stays at its mean.

        mean^n = 1 / e,  n = -1 / log(mean)

    Args:
        mean: of a forget gate, or of a GRU's update gate; 0..1.

    Returns:
        The same shape, 0 or more; infinite where the gate never lets go, NaN for NaN.

    Example:
        >>> memory_horizon(np.array([0.0, 0.5, 0.99, 1.0])).round(1).tolist()
        [0.0, 1.4, 99.5, inf]
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        fading = -np.log(np.clip(mean, 0, 1))
        return np.where(fading == 0, np.inf, 1 / fading)


def _major(trace: GateTrace, letter: str) -> Array:
    """The valid values, `(steps, units)`, in the order in which they lie in memory: a recomputed
    trace is time-major underneath, and a copy would cost more than what is measured."""
    array = trace[letter]
    if trace.mask is not None and not trace.mask.all():
        return trace.valid(letter)
    if array.strides[0] < array.strides[1]:
        array = array.swapaxes(0, 1)
    return array.reshape(-1, array.shape[-1])


def _extremes(values: Array) -> tuple[Array, Array]:
    """The smallest and the largest value of each unit; NaN where there is none."""
    if not len(values):
        nothing = np.full(values.shape[1], np.nan)
        return nothing, nothing
    return values.min(axis=0), values.max(axis=0)


def _gates(values: list[Array]) -> Iterator[GateHealth]:
    """Of each gate, given its values `(steps, units)`: all at once, unless that takes memory."""
    if sum(each.size for each in values) <= _TOGETHER:
        values = [np.stack(values)] if values else []
    else:
        values = [each[None] for each in values]
    for stack in values:
        yield from map(GateHealth, *_statistics(stack))


def _statistics(values: Array) -> tuple[Array, ...]:
    """From `(gates, steps, units)`: low, high, mean, spread and stuck, each `(gates, units)`."""
    gates, steps, units = values.shape
    if not steps:
        nothing = np.full((gates, units), np.nan)
        return nothing, nothing, nothing, nothing, np.zeros((gates, units), np.bool_)
    smallest, largest = values.min(axis=1), values.max(axis=1)
    weights = np.full(steps, 1 / steps, values.dtype)  # a product is the fastest mean
    mean = weights @ values
    # In float64 and 0..1 the difference of squares is exact enough, and copies nothing.
    variance = np.maximum(np.einsum("gsu,gsu->gu", values, values) / steps - np.square(mean), 0)
    return (
        (values < LOW).sum(axis=1, dtype=np.int32) / steps,
        (values > HIGH).sum(axis=1, dtype=np.int32) / steps,
        mean,
        np.where(smallest == largest, 0, np.sqrt(variance)),
        (largest - smallest < _STUCK_RANGE) & (steps > 1),
    )


def _copies(hidden: Array, dead: BoolArray) -> Array:
    steps, units = hidden.shape
    copy_of = np.full(units, -1)
    if steps < _COPY_STEPS:
        return copy_of
    centred = np.subtract(hidden, hidden.mean(axis=0), dtype=np.float32, casting="same_kind")
    scale = np.sqrt(np.einsum("su,su->u", centred, centred))
    living = np.flatnonzero(~dead & np.isfinite(scale) & (scale > 0))
    centred = centred[:, living] / scale[living]
    correlation = centred.T @ centred
    same = np.abs(correlation, out=correlation) > _COPY_CORRELATION
    if np.count_nonzero(same) <= living.size:  # each with itself
        return copy_of
    same = np.tril(same, -1)  # only earlier units
    copying = same.any(axis=1)
    copy_of[living[copying]] = living[same.argmax(axis=1)[copying]]
    return copy_of


def _probe_length(trace: GateTrace) -> int:
    return trace.timesteps if trace.mask is None else int(trace.mask.sum(axis=1).max())
