"""The LSTM (Hochreiter & Schmidhuber 1997; forget gate: Gers, Schmidhuber & Cummins 2000)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import permutations
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from lstm_probe.cells.backward import Back, Run
from lstm_probe.cells.base import Reading, UnknownBiases, Values
from lstm_probe.cells.lstm.backward import lstm_back
from lstm_probe.cells.lstm.equations import LstmEquations
from lstm_probe.cells.lstm.inference import forget_bias_readings, lstm_changes, unseen_cell_state
from lstm_probe.cells.lstm.rounding import lstm_rounding
from lstm_probe.cells.shared.products import product, product_back
from lstm_probe.cells.shared.slopes import has_slopes
from lstm_probe.core.activations import ActivationLike, get_activation, value_range
from lstm_probe.core.arrays import Array, BoolArray
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.core.trace import GateTrace, Interval
from lstm_probe.weights.gates import GateWeights
from lstm_probe.weights.kinds import LstmWeights
from lstm_probe.weights.named import CellWeights

__all__ = ["LstmCell", "lstm"]


@dataclass(frozen=True)
class LstmCell(LstmEquations[LstmWeights]):
    """The options of an LSTM cell, and its equations.

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
        keras/src/layers/rnn/lstm.py, `LSTMCell.call`; variants: see `cells/lstm/equations.py`.

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

    def prepared(self, weights: CellWeights, dtype: npt.DTypeLike) -> LstmWeights:
        own = super().prepared(weights, dtype)
        if own.bias is not None and not self.forget_bias:
            return own
        bias = np.zeros((len(own.gates), own.units), dtype) if own.bias is None else own.bias.copy()
        bias[own.gates.index("f")] += self.forget_bias
        return replace(own, bias=bias)

    def inputs(self, x: Array, weights: LstmWeights) -> Array:
        products = product(x, weights.kernel)
        return products if weights.norm_scale is not None else products + weights.bias

    def recurrent(self, h: Array, weights: LstmWeights) -> Array:
        return product(h, weights.recurrent_kernel)

    def recurrent_back(self, changes: Array, weights: LstmWeights) -> Array:
        return product_back(changes, weights.recurrent_kernel)

    def inputs_back(self, changes: Array, weights: LstmWeights) -> Array:
        return product_back(changes, weights.kernel)

    def back(self, run: Run) -> Back | None:
        known = has_slopes(self.activation, self.recurrent_activation)
        return lstm_back(self, run) if known else None

    def rounding(
        self, x: Array, before: Values, values: Values, weights: LstmWeights,
        mask: BoolArray | None, u: float,
    ) -> Array:  # fmt: skip
        return lstm_rounding(self, x, before, values, weights, mask, u)

    def is_variant(self, weights: LstmWeights) -> bool:
        """Whether the plain equations are not enough for this cell."""
        return bool(weights.extras) or "i" not in weights.gates or self.cell_clip is not None

    def explaining(
        self, before: Values, values: Values, shown: Array, weights: LstmWeights, unit: int
    ) -> dict[str, Array]:
        if self.activation != "tanh" or weights.projection is not None:
            return {}
        return lstm_changes(before, values, shown, unit)

    def readings(self, weights: LstmWeights) -> Iterator[Reading]:
        yield from forget_bias_readings(self, weights, self.forget_bias)
        if self.cell_clip is not None:
            does = "does not clip the cell state"
            yield Reading("clip", does, replace(self, cell_clip=None), weights)
        if self.proj_clip is not None:
            does = "does not clip the projection"
            yield Reading("clip", does, replace(self, proj_clip=None), weights)
        if weights.peepholes is None:
            return
        yield Reading("peephole", "has no peepholes", self, replace(weights, peepholes=None))
        count = len(weights.peephole_gates)
        for order in permutations(range(count)):
            if order != tuple(range(count)):
                letters = " ".join(weights.peephole_gates[order.index(k)] for k in range(count))
                changed = replace(weights, peepholes=weights.peepholes[list(order)])
                yield Reading("peephole", f"keeps the peepholes as {letters}", self, changed)

    def unknown_biases(self, weights: LstmWeights) -> list[UnknownBiases]:
        if self.is_variant(weights):
            return []
        return [[(k, {"bias": 1.0}) for k in range(len(weights.gates))]]

    def unseen_states(
        self, values: Values, shown: Array, mask: BoolArray, weights: LstmWeights
    ) -> list[Array] | None:
        if self.is_variant(weights) or not has_slopes(self.activation):
            return None
        return [unseen_cell_state(self.activation, values, shown, mask)]


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
    reverse: bool = False,
) -> GateTrace:
    """Run an LSTM over a batch of sequences and keep every gate; no framework is needed.

    Args:
        x: `(batch, time, input)`.
        weights: as `lstm_probe.weights` makes them from a framework's layout.
        cell: the cell's options; by default those of a Keras LSTM.
        initial_state: `(h, c)`, `(batch, output)` and `(batch, units)`; zeros by default.
        mask: `(batch, time)`, False where a step is skipped.
        dtype: float32 or float64; by default that of the weights.
        reverse: read from the last timestep to the first; the trace is in the order of the input.

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
    return (cell or LstmCell()).run(
        x, weights, initial_state=initial_state, mask=mask, dtype=dtype, reverse=reverse
    )
