"""The simple recurrent network (Elman 1990): no gates, one activation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from lstm_probe.cells.backward import Back, Run, StepBack
from lstm_probe.cells.base import Cell, UnknownBiases, Values
from lstm_probe.cells.shared.products import largest_sum, product, product_back
from lstm_probe.cells.shared.rounding import error_of_sum, of_flushing
from lstm_probe.cells.shared.rounding_of_functions import activated
from lstm_probe.cells.shared.slopes import has_slopes, slopes
from lstm_probe.core.activations import ActivationLike, applied, get_activation, value_range
from lstm_probe.core.arrays import Array, BoolArray
from lstm_probe.core.trace import Interval
from lstm_probe.weights.gates import GateWeights
from lstm_probe.weights.kinds import SimpleRnnWeights
from lstm_probe.weights.named import CellWeights

__all__ = ["SimpleRnnCell"]


@dataclass(frozen=True)
class SimpleRnnCell(Cell[SimpleRnnWeights]):
    """The option of a simple recurrent cell, and its equation.

        h' = phi(x W + h U + b)                 hidden state

    Attributes:
        activation: phi, by its Keras name or as a function.

    Raises:
        LstmProbeError: The activation is not known.

    Source:
        keras/src/layers/rnn/simple_rnn.py, `SimpleRNNCell.call`.

    Example:
        >>> SimpleRnnCell(activation="relu").ranges()
        {'h': None}
    """

    activation: ActivationLike = "tanh"

    name: ClassVar[str] = "simple_rnn"
    weights_type: ClassVar[type[GateWeights]] = SimpleRnnWeights
    states = ("h",)

    def __post_init__(self) -> None:
        get_activation(self.activation)

    def ranges(self, weights: SimpleRnnWeights | None = None) -> dict[str, Interval]:
        return {"h": value_range(self.activation)}

    def prepared(self, weights: CellWeights, dtype: npt.DTypeLike) -> SimpleRnnWeights:
        own = super().prepared(weights, dtype)
        return own if own.bias is not None else replace(own, bias=np.zeros((1, own.units), dtype))

    def inputs(self, x: Array, weights: SimpleRnnWeights) -> Array:
        return product(x, weights.kernel) + weights.bias

    def step(self, inputs: Array, before: Values, weights: SimpleRnnWeights) -> dict[str, Array]:
        return {"h": applied(self.activation, self._sum(inputs, before["h"], weights))}

    def _sum(self, inputs: Array, h: Array, weights: SimpleRnnWeights) -> Array:
        """`x W + h U + b`, `(..., units)`."""
        return (inputs + product(h, weights.recurrent_kernel))[..., 0, :]

    def back(self, run: Run) -> Back | None:
        if not has_slopes(self.activation):
            return None
        weights = run.weights
        slope = slopes(
            self.activation,
            run.arrays["h"],
            lambda: self._sum(self.inputs(run.x, weights), run.before("h"), weights),
        ).astype(weights.dtype)

        def back(t: int, change: Mapping[str, Array]) -> StepBack:
            by_sum = (change["h"] * slope[t])[..., None, :]
            before = product_back(by_sum, weights.recurrent_kernel)
            return StepBack(by_sum, {"h": before}, change)

        return back

    def inputs_back(self, changes: Array, weights: SimpleRnnWeights) -> Array:
        return product_back(changes, weights.kernel)

    def unknown_biases(self, weights: SimpleRnnWeights) -> list[UnknownBiases]:
        return [[(0, {"bias": 1.0})]]

    def rounding(
        self, x: Array, before: Values, values: Values, weights: SimpleRnnWeights,
        mask: BoolArray | None, u: float,
    ) -> Array:  # fmt: skip
        h, kernel, recurrent = before["h"], weights.kernel, weights.recurrent_kernel
        error = error_of_sum(
            (product(x, kernel), product(h, recurrent)),
            lambda: product(x**2, kernel**2) + product(h**2, recurrent**2),
            len(kernel) + len(recurrent),
            np.abs(np.asarray(weights.bias)),
            u,
        ) + of_flushing((x, h), (kernel, recurrent), u)
        return activated(self.activation, values["h"], error[..., 0, :], u)

    def largest_sums(self, x: Array, before: Values, weights: SimpleRnnWeights) -> Array:
        sums = product(np.abs(x), np.abs(weights.kernel)) + np.abs(np.asarray(weights.bias))
        recurrent = np.abs(weights.recurrent_kernel)
        return largest_sum(sums + product(np.abs(before["h"]), recurrent))
