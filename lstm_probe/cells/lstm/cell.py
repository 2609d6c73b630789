"""The LSTM (Hochreiter & Schmidhuber 1997; forget gate: Gers, Schmidhuber & Cummins 2000)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from lstm_probe.cells.base import Cell
from lstm_probe.cells.lstm.memory import LstmSteps, constants
from lstm_probe.cells.lstm.variants import recur
from lstm_probe.cells.shared.in_place import Into, activation_into, doubled
from lstm_probe.cells.shared.sums import Weighted, stretch, weighted_sums
from lstm_probe.core.activations import ActivationLike, get_activation, value_range
from lstm_probe.core.arrays import Array, BoolArray
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.core.trace import GateTrace, Interval
from lstm_probe.weights.gates import GateWeights
from lstm_probe.weights.kinds import LstmWeights

__all__ = ["LstmCell", "lstm"]


@dataclass(frozen=True)
class LstmCell(Cell[LstmWeights]):
    """The options of an LSTM cell, and its recurrence.

        i = sigma(x W_i + h U_i + b_i)          input gate
        f = sigma(x W_f + h U_f + b_f + forget_bias)    forget gate
        g = phi(x W_g + h U_g + b_g)            candidate
        o = sigma(x W_o + h U_o + b_o)          output gate
        c' = f * c + i * g                      cell state
        h' = o * phi(c')                        hidden state

    With what the weights have beyond that, in the order in which it acts: peepholes add `p_i * c`,
    `p_f * c` and `p_o * c'`; layer normalisation takes the pre-activations to mean 0 and variance
    1 over the units and multiplies by its scale, before the bias; coupled gates have `i = 1 - f`;
    `c'` is normalised, then clipped, before anything reads it; `h'` is projected, then clipped.

    Attributes:
        activation: phi, by its Keras name or as a function.
        recurrent_activation: sigma.
        forget_bias: added to the forget gate at run time, as TF1's cells do (1.0 by default
            there); Keras keeps it in the bias, so it is 0 here.
        cell_clip: bound of `|c'|`; 0.0 really clips, as in TF1's `LSTMCell`. For TF1's block
            cells and TensorFlow Lite, where 0 stands for no clip, pass None.
        proj_clip: bound of `|h'|` after the projection.
        norm_epsilon: what layer normalisation adds to the variance: 1e-8 in TensorFlow Lite,
            1e-12 in tf.contrib.

    Raises:
        LstmProbeError: an activation is not known, or a clip is negative.

    Source:
        keras/src/layers/rnn/lstm.py, `LSTMCell.call`; variants: see `variants.recur`.

    Example:
        >>> LstmCell(recurrent_activation="hard_sigmoid").ranges()["f"]
        (0.0, 1.0)
    """

    activation: ActivationLike = "tanh"
    recurrent_activation: ActivationLike = "sigmoid"
    forget_bias: float = 0.0
    cell_clip: float | None = None
    proj_clip: float | None = None
    norm_epsilon: float = 1e-8

    name: ClassVar[str] = "lstm"
    states: ClassVar[tuple[str, ...]] = ("h", "c")
    weights_type: ClassVar[type[GateWeights]] = LstmWeights

    def __post_init__(self) -> None:
        get_activation(self.activation)
        get_activation(self.recurrent_activation)
        for option in ("cell_clip", "proj_clip"):
            bound = getattr(self, option)
            if bound is not None and not bound >= 0:
                raise LstmProbeError(
                    f"A clip is a bound of an absolute value. Received: {option}={bound}. "
                    "Expected: 0 or more, or None for no clip."
                )

    def ranges(self, weights: LstmWeights | None = None) -> dict[str, Interval]:
        gate = value_range(self.recurrent_activation)
        candidate = value_range(self.activation)
        hidden = candidate if gate == (0.0, 1.0) else None
        if weights is not None and weights.projection is not None:
            hidden = _symmetric(self.proj_clip)
        cell = _symmetric(self.cell_clip)
        return {"i": gate, "f": gate, "g": candidate, "o": gate, "c": cell, "h": hidden}

    def is_variant(self, weights: LstmWeights) -> bool:
        """Whether the plain equations are not enough for this cell with these weights.

        Example:
            >>> from lstm_probe.weights import from_keras
            >>> weights = from_keras(np.zeros((3, 8)), np.zeros((2, 8)))
            >>> LstmCell().is_variant(weights), LstmCell(cell_clip=1.0).is_variant(weights)
            (False, True)
        """
        return bool(weights.extras) or "i" not in weights.gates or self.cell_clip is not None

    def _recur(
        self, x: Array, weights: LstmWeights, state: list[Array], mask: BoolArray | None
    ) -> dict[str, Array]:
        if self.is_variant(weights):
            return recur(self, x, weights, state, mask)
        time, batch, units = *x.shape[:2], weights.units
        size = batch * units
        activate, weighted = self._prepared(weights, batch, x.dtype)
        usual = (self.recurrent_activation, self.activation) == ("sigmoid", "tanh")
        phi = activation_into(self.activation, batch, units)
        steps = LstmSteps(stretch(time, 4 * size), state[1])
        sums = weighted_sums(x, weighted, state[0], steps.sums)
        skipped = repeat(None) if mask is None else iter(np.repeat(~mask, units, axis=1))
        operands, states = iter(sums.operands), iter(sums.hidden[1:])
        # i, f and o are held doubled, 2 sigmoid(a) = tanh(a / 2) + 1, and h with o: that takes a
        # call less than to halve them at each step.
        ones_and_zero, halves = constants(size, x.dtype)
        kept_and_written = np.empty((2, size), x.dtype)
        products, sum_up = kept_and_written.reshape(-1), halves.dot
        weighted_sum, add, multiply, tanh = sums.at_step, np.add, np.multiply, np.tanh
        shown = np.empty((time, 5 * size), x.dtype)
        h = sums.hidden[0]
        for start in range(0, time, len(steps.views)):
            part = shown[start : start + len(steps.views)]
            for (c_i, f_g, o, a, g, c_next), operand, h_next, skip in zip(
                steps.views[: len(part)], operands, states, skipped, strict=False
            ):
                weighted_sum(operand, a)  # x W + h U + b
                if usual:
                    tanh(a, a)
                    add(a, ones_and_zero, a)
                else:
                    activate(a, g)
                multiply(c_i, f_g, products)
                sum_up(kept_and_written, c_next)  # c' = f * c + i * g
                phi(c_next, h_next)
                multiply(o, h_next, h_next)  # h' = o * phi(c')
                if skip is not None:
                    np.copyto(c_next, c_i[:size], where=skip)
                    np.copyto(h_next, h, where=skip)
                h = h_next
            steps.hand_over(part)
        shaped = shown.reshape(time, 5, batch, units)
        arrays = {letter: shaped[:, place] for place, letter in enumerate("ifgoc")}
        return {**arrays, "h": (sums.hidden[1:] * halves[0]).reshape(time, batch, units)}

    def _converted(self, weights: LstmWeights, dtype: np.dtype[Any]) -> LstmWeights:
        if self.is_variant(weights) or weights.dtype != np.float32:
            return weights.astype(dtype)
        # The kernels become float64 as they are put in order, and pass through memory once.
        return weights.astype(dtype, but=("kernel", "recurrent_kernel"))

    def _prepared(
        self, weights: LstmWeights, batch: int, dtype: np.dtype[Any]
    ) -> tuple[Into, Weighted]:
        """What turns the sums of a step, flat, into `2 i`, `2 f`, `g` and `2 o`, given the place of
        `g` in them as well; and the weights that it wants for that."""
        sigma = doubled(self.recurrent_activation, batch, weights.units)
        phi = activation_into(self.activation, batch, weights.units)
        size = batch * weights.units

        def each_by_itself(a: Array, g: Array) -> None:
            phi(g, g)
            sigma.apply(a[: 2 * size])
            sigma.apply(a[3 * size :])

        cut_off = sigma.cuts_off
        return _cutting_off(phi, size, dtype) if cut_off else each_by_itself, Weighted(
            weights.kernel,
            weights.recurrent_kernel,
            self._bias(weights, dtype),
            slopes=[sigma.slope, sigma.slope, 1.0, sigma.slope],
            offsets=[sigma.offset, sigma.offset, 0.0, sigma.offset],
            times=2.0,
        )

    def _bias(self, weights: LstmWeights, dtype: np.dtype[Any]) -> Array:
        if weights.bias is not None and not self.forget_bias:
            return weights.bias
        bias = np.zeros((len(weights.gates), weights.units), dtype)
        bias[weights.gates.index("f")] = self.forget_bias
        return bias if weights.bias is None else bias + weights.bias


def _cutting_off(phi: Into, size: int, dtype: np.dtype[Any]) -> Into:
    """For gates that are cut off at 0 and 2: all in two calls, which leave `g` as it is."""
    lowest, highest = np.array([[0, 0, -np.inf, 0], [2, 2, np.inf, 2]], dtype).repeat(size, 1)
    maximum, minimum = np.maximum, np.minimum

    def activate(a: Array, g: Array) -> None:
        phi(g, g)
        maximum(a, lowest, out=a)  # by position is deprecated, and warns
        minimum(a, highest, out=a)

    return activate


def _symmetric(bound: float | None) -> Interval:
    return None if bound is None else (-float(bound), float(bound))


def lstm(
    x: npt.ArrayLike,
    weights: GateWeights,
    *,
    cell: LstmCell | None = None,
    initial_state: Sequence[npt.ArrayLike] | None = None,
    mask: npt.ArrayLike | None = None,
    dtype: npt.DTypeLike | None = None,
) -> GateTrace:
    """Run an LSTM over a batch of sequences and keep every gate; no framework is needed.

    Args:
        x: `(batch, time, input)`.
        weights: as `lstm_probe.weights` makes them from a framework's layout.
        cell: the cell's options; by default those of a Keras LSTM.
        initial_state: `(h, c)`, `(batch, output)` and `(batch, units)`; zeros by default.
        mask: `(batch, time)`, False where a step is skipped.
        dtype: float32 or float64; by default that of the weights.

    Returns:
        A trace with `i f g o c h`, each `(batch, time, units)`; the last axis of `h` is the
        projection's if there is one.

    Raises:
        LstmProbeError: the shapes do not fit, or the weights are those of another cell.

    Example:
        >>> from lstm_probe import weights
        >>> rng = np.random.default_rng(0)
        >>> cell = weights.from_keras(rng.normal(size=(3, 8)), rng.normal(size=(2, 8)))
        >>> trace = lstm(rng.normal(size=(1, 5, 3)), cell)
        >>> trace.f.shape, bool(((trace.f > 0) & (trace.f < 1)).all())
        ((1, 5, 2), True)
    """
    return (cell or LstmCell()).run(x, weights, initial_state=initial_state, mask=mask, dtype=dtype)
