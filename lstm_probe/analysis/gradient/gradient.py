"""How far back learning reaches: the gradient through time, exact, from one capture."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from lstm_probe.analysis.gradient.decay import decay, reach, steps_back
from lstm_probe.analysis.gradient.jacobian import jacobian_norms
from lstm_probe.analysis.gradient.of_loss import LossGradient, gradient_of_loss
from lstm_probe.analysis.gradient.sequence import run_of, to_input_time
from lstm_probe.analysis.snapshot import Snapshot
from lstm_probe.cells.backward import Run
from lstm_probe.cells.walk import Walk, walk_back
from lstm_probe.core.arrays import Array
from lstm_probe.core.trace import GateTrace

__all__ = [
    "Gradient",
    "LossGradient",
    "gradient_of_loss",
    "gradient_through_time",
    "jacobian_norms",
]


#: The norms of gradients that float32 (1.2e-38 to 3.4e38) holds, with room for their squares and
#: for the small parts of which they are sums.
_FLOAT32_HOLDS: Final = (1e-25, 1e25)


@dataclass(frozen=True, eq=False)
class Gradient:
    """How strongly the end of a sequence depends on each step before it.

    `|d h_T / d h_t|` stands for the Euclidean norm of `v . d h_T / d h_t`, where `T` is the last
    step that the layer reads and `v` is the unit vector `(1, ..., 1) / sqrt(units)`: what a head
    that weighs all units alike sends back. The norm is exact, costs one backward pass, and is 1 at
    the last step. `jacobian_norms` measures the whole matrix, which takes one pass for each unit.
    The gradient by `h_t` does not count what the cell state `c_t` carries past `h_t`.

    Attributes:
        hidden: `(batch, time)`, float64, `|d h_T / d h_t|`, 0 or more, in the order of the input's
            time.
        cell: `(batch, time)`, float64, `|d c_T / d c_t|`, 0 or more; None for a cell without a
            cell state.
        by_unit: `(batch, time, units)`, `v . d h_T / d h_t` itself, float32 or float64, as it was
            computed.
        decay: for each state, by its letter: the factor by which the norm shrinks (below 1) or
            grows with each step back. It is the geometric mean over the valid steps of all
            sequences; NaN if no sequence has two.
        reach: for each state, by its letter: how many steps back the norm stays above 1 % of its
            largest value, the median over the sequences.
        of_inputs: a function without arguments that computes `inputs`.

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
        """The norms of all states: `hidden`, and `cell` where there is one."""
        return (self.hidden,) if self.cell is None else (self.hidden, self.cell)

    @cached_property
    def inputs(self) -> Array:
        """`(batch, time)`, float64, `|d h_T / d x_t|`: the connectivity of Madsen 2019.

        It takes another backward pass, which is made when the property is first read.
        """
        return self.of_inputs()


def gradient_through_time(
    snapshot: Snapshot, trace: GateTrace, *, previous: Gradient | None = None
) -> Gradient | None:
    """Measure how strongly the last state depends on each earlier one.

    For a layer that computes in float32 or less, the backward pass is in float32. Where the
    gradient grows or shrinks beyond what float32 holds, the pass is repeated in float64.

    Args:
        snapshot: what was captured.
        trace: its gates, recomputed in float64.
        previous: the gradient of the same layer at an earlier training step, if there is one.
            Where float32 did not hold that one, the pass in float32 is left out.

    Returns:
        The gradient; None for a cell whose derivatives are not known: a registered cell without
        `back`, or one with an activation that mixes the units, such as `softmax`.

    Source:
        Werbos 1990, "Backpropagation through time: what it does and how to do it".

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
        for dtype in _dtypes_to_try(snapshot, previous):
            run = run_of(snapshot, trace, dtype=dtype)
            if run is None:
                return None
            walk, of_h = _walk_from_last(snapshot, run, dtype), _target_of_h(run)
            norms = {
                letter: _norm(to_input_time(states[:, target], snapshot))
                for target, (letter, states) in enumerate(walk.states.items())
            }
            if _float32_holds(*norms.values()):
                break
        rows = {
            letter: steps_back(each, snapshot.mask, reverse=snapshot.reverse)
            for letter, each in norms.items()
        }
        return Gradient(
            hidden=norms["h"],
            cell=norms.get("c"),
            by_unit=to_input_time(walk.states["h"][:, of_h], snapshot),
            decay={letter: decay(each) for letter, each in rows.items()},
            reach={letter: reach(each) for letter, each in rows.items()},
            of_inputs=partial(_norms_of_inputs, snapshot, trace),
        )


def _dtypes_to_try(
    snapshot: Snapshot, previous: Gradient | None
) -> tuple[type[np.floating[Any]], ...]:
    """The dtypes of the backward pass, one after the other until one holds the gradients."""
    narrow = snapshot.weights.dtype == np.float32
    if narrow and (previous is None or _float32_holds(*previous.norms)):
        return np.float32, np.float64
    return (np.float64,)


def _float32_holds(*norms: Array) -> bool:
    """Whether float32 holds gradients of these norms without loss; False if one is NaN."""
    least, most = _FLOAT32_HOLDS
    return all(least < norm.min() and norm.max() < most for norm in norms)


def _walk_from_last(
    snapshot: Snapshot, run: Run, dtype: npt.DTypeLike = np.float64, *, inputs: bool = False
) -> Walk:
    """Walk back from `v . state` at the last step, with one target for each state of the cell."""
    assert snapshot.cell is not None
    seeds = {
        letter: np.zeros((1, len(run.initial), *state.shape), dtype)
        for letter, state in run.initial.items()
    }
    for target, seed in enumerate(seeds.values()):
        seed[0, target] = seed.shape[-1] ** -0.5
    return walk_back(snapshot.cell, run, seeds, inputs=inputs)


def _norms_of_inputs(snapshot: Snapshot, trace: GateTrace) -> Array:
    with np.errstate(all="ignore"):
        run = run_of(snapshot, trace)
        assert run is not None
        walk = _walk_from_last(snapshot, run, inputs=True)
        assert walk.inputs is not None
        return _norm(to_input_time(walk.inputs[:, _target_of_h(run)], snapshot))


def _target_of_h(run: Run) -> int:
    """The place of the hidden state among the targets of `_walk_from_last`."""
    return list(run.initial).index("h")


def _norm(array: Array) -> Array:
    """The Euclidean norm over the units: from `(batch, time, units)` to `(batch, time)`."""
    array = array.astype(np.float64, copy=False)
    return np.asarray(np.sqrt(np.einsum("btu,btu->bt", array, array)))
