"""The LSTM with everything that was ever added to it: peepholes, projection, clips, coupled gates
and layer normalisation. It takes more calls a step than the plain cell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

from lstm_probe.cells.shared.in_place import Doubled, activation_into, doubled
from lstm_probe.cells.shared.sums import Weighted, weighted_sums
from lstm_probe.core.activations import ActivationLike
from lstm_probe.core.arrays import Array, BoolArray
from lstm_probe.weights.kinds import LstmWeights

__all__ = ["Options", "recur"]

_HALF = np.array(0.5, np.float32)  # an array is read faster than a number


class Options(Protocol):
    """What the recurrence asks of an `LstmCell`, whose docstring explains each option."""

    @property
    def activation(self) -> ActivationLike: ...
    @property
    def recurrent_activation(self) -> ActivationLike: ...
    @property
    def cell_clip(self) -> float | None: ...
    @property
    def proj_clip(self) -> float | None: ...
    @property
    def norm_epsilon(self) -> float: ...

    def _bias(self, weights: LstmWeights, dtype: np.dtype[Any]) -> Array: ...


def recur(
    cell: Options, x: Array, weights: LstmWeights, state: list[Array], mask: BoolArray | None
) -> dict[str, Array]:
    """Run the equations that stand in the docstring of `LstmCell`.

    Args:
        cell: the options.
        x: `(time, batch, input)`.
        weights: of the dtype of `x`.
        state: `h (batch, output)` and `c (batch, units)`.
        mask: `(time, batch)`, or None.

    Returns:
        `i f g o c (time, batch, units)` and `h (time, batch, output)`.

    Source:
        tf_keras/src/layers/rnn/legacy_cells.py, `LSTMCell.call`; TensorFlow Lite,
        kernels/lstm_eval.cc, `LstmStepFloat`; tf.contrib.rnn, `LayerNormBasicLSTMCell.call`
        (TensorFlow 1.15); coupled gates: Greff et al. 2015.
    """
    time, batch, units = *x.shape[:2], weights.units
    size = batch * units
    prepared = _prepare(cell, weights, batch)
    phi = activation_into(cell.activation, batch, units)
    # One row for each step: i f g o. Coupled gates leave the place of i free.
    rows = np.empty((time, 4, size), x.dtype)
    place = 4 - len(weights.gates)
    sums = weighted_sums(x, prepared.weighted, state[0], rows[:, place:])
    cells = np.empty((time + 1, size), x.dtype)
    cells[0] = state[1].reshape(size)
    shown = np.empty(size, x.dtype)
    skipped = None if mask is None else _Skipped.of(mask, units, weights.output_size)
    steps = zip(
        sums.operands,
        rows.reshape(time, 4 * size)[:, place * size :],
        rows[:, place:2],
        rows[:, 3:],
        *np.moveaxis(rows, 1, 0),
        cells,
        cells[1:],
        sums.hidden,
        sums.hidden[1:],
        strict=False,
    )
    for t, (operand, a, i_f, only_o, i, f, g, o, c, c_next, h, h_next) in enumerate(steps):
        sums.at_step(operand, a)  # x W + h U + b
        prepared.input_and_forget(i_f, c)
        prepared.candidate(g, c)
        phi(g, g)
        if place:
            np.subtract(1, f, i)
        np.multiply(f, c, c_next)  # c' = f * c + i * g
        np.multiply(i, g, shown)
        np.add(c_next, shown, c_next)
        _finish_cell_state(c_next.reshape(batch, units), cell, weights)
        prepared.output(only_o, c_next)
        phi(c_next, shown)  # h' = o * phi(c')
        np.multiply(o, shown, shown)
        _project(shown.reshape(batch, units), cell, weights, h_next.reshape(batch, -1))
        if skipped is not None:
            np.copyto(c_next, c, where=skipped.units[t])
            np.copyto(h_next, h, where=skipped.outputs[t])
    arrays = dict(zip("ifgo", np.moveaxis(rows, 1, 0), strict=True), c=cells[1:])
    traced = {letter: array.reshape(time, batch, units) for letter, array in arrays.items()}
    return {**traced, "h": sums.hidden[1:].reshape(time, batch, -1)}


class _Skipped(NamedTuple):
    """Which values a mask leaves as they were: `(time, batch * units)`, of `c` and of `h`."""

    units: BoolArray
    outputs: BoolArray

    @classmethod
    def of(cls, mask: BoolArray, units: int, output: int) -> _Skipped:
        return cls(np.repeat(~mask, units, axis=1), np.repeat(~mask, output, axis=1))


@dataclass(frozen=True)
class _Gates:
    """Some of the gates: what happens between their sums and their values, in place.

    Attributes:
        sigma: their activation, doubled; None for the candidate, whose activation is another.
        peepholes: `(gates, batch * units)`, or None.
        norm_scale: `(gates, 1, units)`, or None.
        bias: `(gates, 1, units)`, added after the normalisation; before that it is in the sums.
        norm_epsilon: what is added to the variance.
        batch: how many sequences there are.
    """

    sigma: Doubled | None
    peepholes: Array | None
    norm_scale: Array | None
    bias: Array
    norm_epsilon: float
    batch: int

    def __call__(self, a: Array, c: Array) -> None:
        if self.peepholes is not None:
            a += self.peepholes * c
        if self.norm_scale is not None:
            each = a.reshape(len(self.norm_scale), self.batch, -1)
            _normalise(each, self.norm_epsilon)
            each *= self.norm_scale
            each += self.bias
        if self.sigma is not None:
            self.sigma.apply(a)
            a *= _HALF


class _Prepared(NamedTuple):
    """The weights as the recurrence wants them, and its gates in the order in which they act."""

    weighted: Weighted
    input_and_forget: _Gates
    candidate: _Gates
    output: _Gates


def _prepare(cell: Options, weights: LstmWeights, batch: int) -> _Prepared:
    sigma = doubled(cell.recurrent_activation, batch, weights.units)
    dtype, normalised = weights.dtype, weights.norm_scale is not None
    count = len(weights.gates)
    candidate = weights.gates.index("g")
    slopes, offsets = np.zeros((2, count, 1), dtype)
    slopes[...], offsets[...] = sigma.slope, sigma.offset
    slopes[candidate], offsets[candidate] = 1, 0
    bias = cell._bias(weights, dtype)
    weighted = Weighted(
        weights.kernel,
        weights.recurrent_kernel,
        # What is multiplied or added comes after a normalisation.
        np.zeros_like(bias) if normalised else bias,
        slopes=[1.0] * count if normalised else slopes.ravel().tolist(),
        offsets=[0.0] * count if normalised else offsets.ravel().tolist(),
    )

    def gates(which: slice, peepholes: Array | None, sigma: Doubled | None) -> _Gates:
        scale = None
        if weights.norm_scale is not None:
            scale = (slopes * weights.norm_scale)[which, None]
        elif peepholes is not None:
            peepholes = slopes[which] * peepholes
        return _Gates(
            sigma,
            peepholes=None if peepholes is None else np.tile(peepholes, batch),
            norm_scale=scale,
            bias=(slopes * bias + offsets)[which, None],
            norm_epsilon=cell.norm_epsilon,
            batch=batch,
        )

    early, late = (None, None) if weights.peepholes is None else np.split(weights.peepholes, [-1])
    return _Prepared(
        weighted,
        gates(slice(candidate), early, sigma),
        gates(slice(candidate, candidate + 1), None, None),
        gates(slice(candidate + 1, None), late, sigma),
    )


def _finish_cell_state(c: Array, cell: Options, weights: LstmWeights) -> None:
    """`(batch, units)`, in place."""
    if weights.state_norm is not None:
        scale, shift = weights.state_norm
        _normalise(c, cell.norm_epsilon)
        np.multiply(c, scale, c)
        np.add(c, shift, c)
    if cell.cell_clip is not None:
        np.clip(c, -cell.cell_clip, cell.cell_clip, out=c)


def _project(shown: Array, cell: Options, weights: LstmWeights, h: Array) -> None:
    """From `o * phi(c)` `(batch, units)` to the hidden state `(batch, output)`."""
    if weights.projection is None:
        h[...] = shown
        return
    np.matmul(shown, weights.projection, out=h)
    if weights.projection_bias is not None:
        np.add(h, weights.projection_bias, h)
    if cell.proj_clip is not None:
        np.clip(h, -cell.proj_clip, cell.proj_clip, out=h)


def _normalise(a: Array, epsilon: float) -> None:
    """To mean 0 and variance 1 over the units, in place."""
    units = a.shape[-1]  # `reduce` is quicker than `mean`
    a -= np.add.reduce(a, axis=-1, keepdims=True) / units
    variance = np.add.reduce(np.square(a), axis=-1, keepdims=True) / units
    a /= np.sqrt(variance + a.dtype.type(epsilon))
