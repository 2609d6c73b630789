"""The LSTM (Hochreiter & Schmidhuber 1997; forget gate: Gers, Schmidhuber & Cummins 2000)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import permutations
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from lstm_probe.cells.backward import Back, Run
from lstm_probe.cells.base import Reading, UnknownBiases, Values
from lstm_probe.cells.lstm_cell.backward import lstm_back
from lstm_probe.cells.lstm_cell.equations import LstmEquations
from lstm_probe.cells.lstm_cell.inference import (
    coupled_readings,
    forget_bias_readings,
    lstm_changes,
    unseen_cell_state,
)
from lstm_probe.cells.lstm_cell.rounding import lstm_rounding
from lstm_probe.cells.shared.products import product, product_back
from lstm_probe.cells.shared.slopes import has_slopes
from lstm_probe.core.activations import ActivationLike, get_activation, value_range
from lstm_probe.core.arrays import Array, BoolArray
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.core.trace import Interval
from lstm_probe.weights.gates import GateWeights
from lstm_probe.weights.kinds import LstmWeights
from lstm_probe.weights.named import CellWeights

__all__ = ["LstmCell"]


@dataclass(frozen=True)
class LstmCell(LstmEquations[LstmWeights]):
    """The options of an LSTM cell, and its equations.

        i = sigma(x W_i + h U_i + b_i)          input gate
        f = sigma(x W_f + h U_f + b_f + forget_bias)    forget gate
        g = phi(x W_g + h U_g + b_g)            candidate
        o = sigma(x W_o + h U_o + b_o)          output gate
        c' = f * c + i * g                      cell state
        h' = o * psi(c')                        hidden state

    Variants add to that what their weights hold. Peepholes add `p_i * c`, `p_f * c` and `p_o * c'`.
    Layer normalisation brings the sums to mean 0 and variance 1 over the units and multiplies them
    by a scale, before the bias is added. Coupled gates have `i = 1 - f`. `c'` may be normalised and
    then clipped before anything reads it. `h'` may be projected and then clipped.

    Attributes:
        activation: phi, by its Keras name or as a function.
        recurrent_activation: sigma, by its Keras name or as a function.
        forget_bias: What is added to the forget gate at run time. TF1's cells add 1.0 by default.
            The default here is 0, because Keras keeps it in the bias.
        cell_clip: The bound of `|c'|`, 0 or more, or None for no clip. 0.0 clips to 0, as TF1's
            `LSTMCell` does. TF1's block cells and TensorFlow Lite write 0 for no clip: pass None.
        proj_clip: The bound of `|h'|` after the projection, 0 or more, or None for no clip.
        norm_epsilon: What layer normalisation adds to the variance. It is 1e-8 in TensorFlow Lite
            and 1e-12 in tf.contrib.
        state_activation: psi, by its Keras name or as a function, or None for phi.
        gate_clip: The bound of the sums that go into the activations of the gates and of the
            candidate, or None for no clip. It is the attribute `clip` of ONNX.
        state_clip: The bound of `c'` as it goes into psi, or None for no clip. The cell state that
            is carried on keeps its value. ONNX clips what goes into every activation, with one
            bound; ONNX Runtime does not clip this one.

    Raises:
        LstmProbeError: An activation is not known, or a clip is negative.

    Source:
        keras/src/layers/rnn/lstm.py, `LSTMCell.call`. `cells/lstm_cell/equations.py` names the
        sources of the variants.

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
    state_activation: ActivationLike | None = None
    gate_clip: float | None = None
    state_clip: float | None = None

    name: ClassVar[str] = "lstm"
    weights_type: ClassVar[type[GateWeights]] = LstmWeights

    def __post_init__(self) -> None:
        get_activation(self.activation)
        get_activation(self.recurrent_activation)
        get_activation(self.state_function)
        for option in ("cell_clip", "proj_clip", "gate_clip", "state_clip"):
            bound = getattr(self, option)
            if bound is not None and not bound >= 0:
                raise LstmProbeError(
                    f"A clip is a bound of an absolute value. Received: {option}={bound}. "
                    "Expected: 0 or more, or None for no clip."
                )

    def ranges(self, weights: LstmWeights | None = None) -> dict[str, Interval]:
        gate = value_range(self.recurrent_activation)
        candidate = value_range(self.activation)
        hidden = value_range(self.state_function) if gate == (0.0, 1.0) else None
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

    def input_products(self, x: Array, kernel: Array) -> Array:
        return product(x, kernel)

    def state_products(self, h: Array, kernel: Array) -> Array:
        return product(h, kernel)

    def states_back(self, changes: Array, kernel: Array) -> Array:
        return product_back(changes, kernel)

    def inputs_back(self, changes: Array, weights: LstmWeights) -> Array:
        return product_back(changes, weights.kernel)

    def back(self, run: Run) -> Back | None:
        known = has_slopes(self.activation, self.recurrent_activation, self.state_function)
        return lstm_back(self, run) if known else None

    def rounding(
        self, x: Array, before: Values, values: Values, weights: LstmWeights,
        mask: BoolArray | None, u: float,
    ) -> Array:  # fmt: skip
        return lstm_rounding(self, x, before, values, weights, mask, u)

    def explaining(
        self, before: Values, values: Values, shown: Array, weights: LstmWeights, unit: int
    ) -> dict[str, Array]:
        if self.activation != "tanh" or weights.projection is not None or self._acts_otherwise:
            return {}
        return lstm_changes(before, values, shown, unit)

    def readings(self, weights: LstmWeights) -> Iterator[Reading]:
        yield from forget_bias_readings(self, weights, self.forget_bias)
        if self.cell_clip is not None:
            does = "does not clip the cell state"
            yield Reading("clip", does, replace(self, cell_clip=None), weights)
        yield from self._readings_of_clips(weights)
        if self.proj_clip is not None:
            does = "does not clip the projection"
            yield Reading("clip", does, replace(self, proj_clip=None), weights)
        yield from coupled_readings(self, weights)
        if weights.peepholes is None:
            return
        yield Reading("peephole", "has no peepholes", self, replace(weights, peepholes=None))
        count = len(weights.peephole_gates)
        for order in permutations(range(count)):
            if order != tuple(range(count)):
                letters = " ".join(weights.peephole_gates[order.index(k)] for k in range(count))
                changed = replace(weights, peepholes=weights.peepholes[list(order)])
                yield Reading("peephole", f"keeps the peepholes as {letters}", self, changed)

    @property
    def _acts_otherwise(self) -> bool:
        """Whether anything but phi and sigma as they are acts on sums or on the cell state."""
        clipped = self.gate_clip is not None or self.state_clip is not None
        return clipped or self.state_activation is not None

    def _readings_of_clips(self, weights: LstmWeights) -> Iterator[Reading]:
        """What ONNX clips and ONNX Runtime does not, and the other way round."""
        if self.gate_clip is not None:
            does = "does not clip what goes into the gates"
            yield Reading("clip", does, replace(self, gate_clip=None), weights)
            if self.state_clip is None:
                does = "clips the cell state on its way into the last activation"
                yield Reading("clip", does, replace(self, state_clip=self.gate_clip), weights)
        if self.state_clip is not None:
            does = "does not clip the cell state on its way into the last activation"
            yield Reading("clip", does, replace(self, state_clip=None), weights)

    def unknown_biases(self, weights: LstmWeights) -> list[UnknownBiases]:
        if weights.projection is not None or weights.state_norm is not None:
            return []
        biases: UnknownBiases = [(k, {"bias": 1.0}) for k in range(len(weights.gates))]
        if weights.norm_scale is not None:  # peepholes would be normalised over all units
            return [biases]
        count = len(weights.peephole_gates)
        return [biases, [(k, {"peepholes": 1.0}) for k in range(count)]]

    def unseen_states(
        self, values: Values, shown: Array, mask: BoolArray, weights: LstmWeights
    ) -> list[Array] | None:
        # The cell state must be linear in the first one, and seen by no gate.
        linear = self.cell_clip is None and self.state_clip is None
        alone = not set(weights.extras) - {"norm_scale"}
        if not (linear and alone and has_slopes(self.state_function)):
            return None
        return [unseen_cell_state(self.state_function, values, shown, mask)]


def _symmetric(bound: float | None) -> Interval:
    """The interval of an array whose absolute values have a bound."""
    return None if bound is None else (-float(bound), float(bound))
