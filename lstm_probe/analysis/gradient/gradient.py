"""How far back learning reaches: gradients through time, exact, from one capture."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from lstm_probe.analysis.gradient.fading import decay, reach, steps_back
from lstm_probe.analysis.gradient.sequence import run_of, shown, to_input_time
from lstm_probe.analysis.snapshot import Snapshot
from lstm_probe.cells.backward import Run
from lstm_probe.cells.walk import Walk, walk_back
from lstm_probe.core.arrays import Array
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.core.trace import GateTrace

__all__ = [
    "Gradient",
    "LossGradient",
    "gradient_of_loss",
    "gradient_through_time",
    "jacobian_norms",
]


#: Norms between which float32 loses nothing: the squares and parts of smaller ones would leave
#: its range (1.2e-38 to 3.4e38).
_FLOAT32_HOLDS: Final = (1e-25, 1e25)


@dataclass(frozen=True, eq=False)
class Gradient:
    """How strongly the end of a sequence depends on each step before it.

    `|d h_T / d h_t|` stands for the Euclidean norm of `v . d h_T / d h_t`, where `v` is the unit
    vector `(1, ..., 1) / sqrt(units)`: what a head that weighs all units alike sends back. It is
    exact and costs one backward pass; it is 1 at the last step. `jacobian_norms` has the norm of
    the whole matrix, at the cost of as many passes as there are units. `T` is the last step
    that the layer reads; a gradient by `h_t` leaves out what `c_t` carries past it.

    Attributes:
        hidden: `(batch, time)`, `|d h_T / d h_t|`, in the order of the input's time; 0 or more.
        cell: `(batch, time)`, `|d c_T / d c_t|`; None for a cell without a cell state.
        by_unit: `(batch, time, units)`, `v . d h_T / d h_t` itself, in the dtype in which it was
            taken.
        decay: by letter of the states: the factor by which the norm shrinks (below 1) or grows
            with each step back, the geometric mean over the valid steps of all sequences; NaN if
            there are fewer than two.
        reach: by letter of the states: how many steps back the norm stays above 1 % of its
            largest value, the median over the sequences.
        of_inputs: works out `inputs`.

    Source:
        Pascanu, Mikolov & Bengio 2013, "On the difficulty of training recurrent neural networks";
        Madsen 2019, "Visualizing memorization in RNNs", Distill.

    Example:
        >>> ones = np.ones((1, 3))
        >>> by_unit = ones[:, :, None]
        >>> Gradient(ones, None, by_unit, {"h": 1.0}, {"h": 2.0}, lambda: ones).memory
        'h'
    """

    hidden: Array
    cell: Array | None
    by_unit: Array
    decay: Mapping[str, float]
    reach: Mapping[str, float]
    of_inputs: Callable[[], Array]

    @property
    def memory(self) -> str:
        """The letter of the state that carries the longest memory: `c` where there is one."""
        return "h" if self.cell is None else "c"

    @property
    def norms(self) -> tuple[Array, ...]:
        """Those of the states: `hidden`, and `cell` where there is one."""
        return (self.hidden,) if self.cell is None else (self.hidden, self.cell)

    @cached_property
    def inputs(self) -> Array:
        """`(batch, time)`, `|d h_T / d x_t|`: the connectivity of Madsen 2019. Worked out when it
        is asked for, by another backward pass: what it is made of would take much memory."""
        return self.of_inputs()


@dataclass(frozen=True, eq=False)
class LossGradient:
    """The gradient of a loss by everything that a layer computes from.

    Attributes:
        hidden: `(batch, time, units)`, `d L / d h_t`.
        cell: `(batch, time, units)`, `d L / d c_t`; None for a cell without a cell state.
        inputs: `(batch, time, input)`, `d L / d x_t`.
    """

    hidden: Array
    cell: Array | None
    inputs: Array


def gradient_through_time(
    snapshot: Snapshot, trace: GateTrace, *, previous: Gradient | None = None
) -> Gradient | None:
    """Measure how strongly the last state depends on each earlier one.

    That of a layer which computes in float32 or less is taken in float32, unless it grows or fades
    beyond what float32 holds.

    Args:
        snapshot: what was captured.
        trace: its gates, recomputed in float64.
        previous: the same layer's at an earlier step, if there is one: where that was beyond
            float32, it is not tried.

    Returns:
        None for cells that have no way back: registered ones without `back`, and those with
        activations such as `softmax` that mix the units.

    Example:
        >>> import lstm_probe
        >>> rng = np.random.default_rng(0)
        >>> w = lstm_probe.weights.from_keras(rng.normal(size=(3, 8)), rng.normal(size=(2, 8)))
        >>> x = rng.normal(size=(1, 5, 3))
        >>> trace = lstm_probe.lstm(x, w)
        >>> seen = lstm_probe.Snapshot(0, "lstm", lstm_probe.LstmCell(), w, x=x, output=trace.h)
        >>> gradient = gradient_through_time(seen, trace)
        >>> gradient.hidden.shape, round(float(gradient.cell[0, -1]), 12)
        ((1, 5), 1.0)
    """
    with np.errstate(all="ignore"):
        for dtype in _dtypes(snapshot, previous):
            run = run_of(snapshot, trace, dtype)
            if run is None:
                return None
            walk, of_h = _from_last(snapshot, run, dtype), _target_of_h(run)
            norms = {
                letter: _norm(to_input_time(states[:, target], snapshot))
                for target, (letter, states) in enumerate(walk.states.items())
            }
            if _float32_holds(*norms.values()):
                break
        back = {
            letter: steps_back(each, snapshot.mask, reverse=snapshot.reverse)
            for letter, each in norms.items()
        }
        return Gradient(
            hidden=norms["h"],
            cell=norms.get("c"),
            by_unit=to_input_time(walk.states["h"][:, of_h], snapshot),
            decay={letter: decay(rows) for letter, rows in back.items()},
            reach={letter: reach(rows) for letter, rows in back.items()},
            of_inputs=partial(_of_inputs, snapshot, trace),
        )


def _dtypes(snapshot: Snapshot, previous: Gradient | None) -> list[type[np.floating[Any]]]:
    """In which to take the gradients, one after the other until it holds them."""
    narrow = snapshot.weights.dtype == np.float32 and (
        previous is None or _float32_holds(*previous.norms)
    )
    return [np.float32, np.float64] if narrow else [np.float64]


def _float32_holds(*norms: Array) -> bool:
    """Whether float32 holds gradients of these norms, and what they are sums of, without loss."""
    least, most = _FLOAT32_HOLDS
    return all(least < norm.min() and norm.max() < most for norm in norms)  # false for NaN as well


def _from_last(
    snapshot: Snapshot, run: Run, dtype: npt.DTypeLike = np.float64, *, inputs: bool = False
) -> Walk:
    """From `v . state` at the last step: a target for each of the states, in their order."""
    assert snapshot.cell is not None
    letters = tuple(run.initial)
    seeds = {
        letter: np.zeros((1, len(letters), *state.shape), dtype)
        for letter, state in run.initial.items()
    }
    for target, letter in enumerate(letters):
        seeds[letter][0, target] = seeds[letter].shape[-1] ** -0.5
    return walk_back(snapshot.cell, run, seeds, inputs=inputs)


def _of_inputs(snapshot: Snapshot, trace: GateTrace) -> Array:
    with np.errstate(all="ignore"):
        run = run_of(snapshot, trace)
        assert run is not None
        walk = _from_last(snapshot, run, inputs=True)
        assert walk.inputs is not None
        return _norm(to_input_time(walk.inputs[:, _target_of_h(run)], snapshot))


def _target_of_h(run: Run) -> int:
    """Which of the targets of `_from_last` is the output."""
    return list(run.initial).index("h")


def gradient_of_loss(
    snapshot: Snapshot, trace: GateTrace, cotangent: npt.ArrayLike
) -> LossGradient | None:
    """Take the gradient of a loss back through a layer.

    Args:
        snapshot: what was captured.
        trace: its gates, recomputed in float64.
        cotangent: `d L / d output`: `(batch, time, units)` in the order of the input's time, or
            `(batch, units)` for the step that the layer computes last.

    Returns:
        None for cells through which gradients are not known.

    Raises:
        LstmProbeError: the cotangent does not fit the output.

    Example:
        >>> import lstm_probe
        >>> rng = np.random.default_rng(0)
        >>> w = lstm_probe.weights.from_keras(rng.normal(size=(3, 8)), rng.normal(size=(2, 8)))
        >>> x = rng.normal(size=(1, 5, 3))
        >>> trace = lstm_probe.lstm(x, w)
        >>> seen = lstm_probe.Snapshot(0, "lstm", lstm_probe.LstmCell(), w, x=x, output=trace.h)
        >>> gradient_of_loss(seen, trace, np.ones((1, 2))).inputs.shape
        (1, 5, 3)
    """
    cotangent = np.asarray(cotangent, np.float64)
    batch, time, units = snapshot.output.shape
    if cotangent.shape not in ((batch, time, units), (batch, units)):
        raise LstmProbeError(
            f"The cotangent does not fit the output of layer {snapshot.layer!r}. Received: shape "
            f"{cotangent.shape}. Expected: (batch, time, units) = {(batch, time, units)}, or "
            f"{(batch, units)} for the last step."
        )
    run = run_of(snapshot, trace)
    if run is None or snapshot.cell is None:
        return None
    if cotangent.ndim == 2:
        last, cotangent = cotangent, np.zeros((batch, time, units))
        cotangent[:, snapshot.last] = last
    with np.errstate(all="ignore"):
        reading = cotangent[:, ::-1] if snapshot.reverse else cotangent
        seeds = {"h": shown(reading.swapaxes(0, 1), run, snapshot)[:, None]}
        for letter, state in run.initial.items():
            if letter != "h":
                seeds[letter] = np.zeros((1, 1, *state.shape))
        walk = walk_back(snapshot.cell, run, seeds, inputs=True)
    states = {k: to_input_time(v[:, 0], snapshot) for k, v in walk.states.items()}
    assert walk.inputs is not None
    inputs = to_input_time(walk.inputs[:, 0], snapshot)
    return LossGradient(states["h"], states.get("c"), inputs)


def jacobian_norms(snapshot: Snapshot, trace: GateTrace) -> Array | None:
    """`(batch, time)`: the Frobenius norm of the whole matrix `d h_T / d h_t`, over
    `sqrt(units)`, so that it is 1 at the last step. One backward pass for each unit.

    Example:
        >>> import lstm_probe
        >>> rng = np.random.default_rng(0)
        >>> w = lstm_probe.weights.from_keras(rng.normal(size=(3, 2)), np.eye(2))
        >>> x = np.zeros((1, 5, 3))
        >>> cell = lstm_probe.SimpleRnnCell("linear")
        >>> trace = cell.run(x, w)
        >>> seen = lstm_probe.Snapshot(0, "rnn", cell, w, x=x, output=trace.h)
        >>> jacobian_norms(seen, trace).round(12).tolist()
        [[1.0, 1.0, 1.0, 1.0, 1.0]]
    """
    run = run_of(snapshot, trace)
    if run is None or snapshot.cell is None:
        return None
    with np.errstate(all="ignore"):
        units = run.initial["h"].shape[1]
        seeds = {k: np.zeros((1, units, *state.shape)) for k, state in run.initial.items()}
        seeds["h"][0] = np.eye(units)[:, None]
        states = walk_back(snapshot.cell, run, seeds).states["h"]
        norms = np.sqrt(np.square(states).sum(axis=(1, 3)) / units)
    return to_input_time(norms, snapshot)


def _norm(array: Array) -> Array:
    array = array.astype(np.float64, copy=False)
    return np.asarray(np.sqrt(np.einsum("btu,btu->bt", array, array)))
