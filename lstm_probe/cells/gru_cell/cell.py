"""The GRU (Cho et al. 2014). Its reset gate acts before or after the recurrent product."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from lstm_probe.cells.backward import Back, Run
from lstm_probe.cells.base import Cell, Clamp, Reading, UnknownBiases, Values
from lstm_probe.cells.gru_cell.backward import gru_back
from lstm_probe.cells.recurrence import unclamped
from lstm_probe.cells.shared.products import largest_sum, product, product_back
from lstm_probe.cells.shared.rounding import error_of_sum, of_flushing
from lstm_probe.cells.shared.rounding_of_functions import activated
from lstm_probe.cells.shared.slopes import has_slopes
from lstm_probe.core.activations import (
    SIGMOIDS,
    ActivationLike,
    applied,
    get_activation,
    of_gates,
    value_range,
)
from lstm_probe.core.arrays import Array, BoolArray
from lstm_probe.core.trace import Interval
from lstm_probe.weights.gates import GateWeights
from lstm_probe.weights.kinds import GruWeights
from lstm_probe.weights.named import CellWeights

__all__ = ["GruCell"]


@dataclass(frozen=True)
class GruCell(Cell[GruWeights]):
    """The options of a GRU cell, and its equations.

        z = sigma(x W_z + b_z + h U_z + d_z)            update gate
        r = sigma(x W_r + b_r + h U_r + d_r)            reset gate
        g = phi(x W_g + b_g + r * (h U_g + d_g))        candidate, reset after the product
        g = phi(x W_g + b_g + (r * h) U_g + d_g)        candidate, reset before the product
        h' = z * h + (1 - z) * g                        hidden state

    An update gate of 1 keeps the old state. `b` is the bias and `d` is the recurrent bias.

    Attributes:
        activation: phi, by its Keras name or as a function.
        recurrent_activation: sigma, by its Keras name or as a function.
        reset_after: Whether the reset gate acts after the recurrent product. It is True in Keras by
            default, in cuDNN, in torch, and in ONNX with `linear_before_reset=1`. It is False in
            TF1's `GRUCell` and in the paper. None takes it from the weights: before the product if
            they have one bias, after it if they have two biases or none.

    Raises:
        LstmProbeError: An activation is not known.

    Source:
        keras/src/layers/rnn/gru.py, `GRUCell.call`; tf_keras legacy_cells.py, `GRUCell.call`.

    Example:
        >>> GruCell().ranges()["z"]
        (0.0, 1.0)
    """

    activation: ActivationLike = "tanh"
    recurrent_activation: ActivationLike = "sigmoid"
    reset_after: bool | None = None

    name: ClassVar[str] = "gru"
    weights_type: ClassVar[type[GateWeights]] = GruWeights
    states = ("h",)
    keeper = "z"

    def __post_init__(self) -> None:
        get_activation(self.activation)
        get_activation(self.recurrent_activation)

    def ranges(self, weights: GruWeights | None = None) -> dict[str, Interval]:
        gate = value_range(self.recurrent_activation)
        candidate = value_range(self.activation)
        hidden = candidate if gate == (0.0, 1.0) else None
        return {"z": gate, "r": gate, "g": candidate, "h": hidden}

    def resets_after(self, weights: GruWeights) -> bool:
        """Whether the reset gate acts after the recurrent product."""
        if self.reset_after is None:
            return weights.bias is None or weights.recurrent_bias is not None
        return self.reset_after

    def prepared(self, weights: CellWeights, dtype: npt.DTypeLike) -> GruWeights:
        own = super().prepared(weights, dtype)
        nothing = np.zeros((3, own.units), dtype)
        second = nothing if self.resets_after(own) else None
        return replace(
            own,
            bias=nothing if own.bias is None else own.bias,
            recurrent_bias=second if own.recurrent_bias is None else own.recurrent_bias,
        )

    def inputs(self, x: Array, weights: GruWeights) -> Array:
        return product(x, weights.kernel) + weights.bias

    def step(self, inputs: Array, before: Values, weights: GruWeights) -> dict[str, Array]:
        return self.clamped_step(inputs, before, weights, unclamped)

    def clamped_step(
        self, inputs: Array, before: Values, weights: GruWeights, clamp: Clamp
    ) -> dict[str, Array]:
        sigma, phi = self.recurrent_activation, self.activation
        h = before["h"]
        products = self._recurrent(h, weights)
        gates = of_gates(sigma, inputs[..., :2, :] + products[..., :2, :])
        z, r = clamp("z", gates[..., 0, :]), clamp("r", gates[..., 1, :])
        g = applied(phi, inputs[..., 2, :] + self._reset(products, r, h, weights))
        g = clamp("g", g)
        return {"z": z, "r": r, "g": g, "h": clamp("h", z * h + (1 - z) * g)}

    def _recurrent(self, h: Array, weights: GruWeights) -> Array:
        """`h U + d`, `(..., gates, units)`."""
        products = product(h, weights.recurrent_kernel)
        second = weights.recurrent_bias
        return products if second is None else products + second

    def _reset(self, recurrent: Array, r: Array, h: Array, weights: GruWeights) -> Array:
        """The part of the candidate that comes from the hidden state, `(..., units)`."""
        if self.resets_after(weights):
            return r * recurrent[..., 2, :]
        inner = (r * h) @ weights.recurrent_kernel[:, 2]
        return inner if weights.recurrent_bias is None else inner + weights.recurrent_bias[2]

    def back(self, run: Run) -> Back | None:
        if not has_slopes(self.activation, self.recurrent_activation):
            return None
        return gru_back(self, run)

    def arguments(self, run: Run) -> Array:
        """The pre-activations of each step, `(time, batch, gates, units)`."""
        h = run.before("h")
        second = self._recurrent(h, run.weights)
        second[..., 2, :] = self._reset(second, run.arrays["r"], h, run.weights)
        return self.inputs(run.x, run.weights) + second

    def inputs_back(self, changes: Array, weights: GruWeights) -> Array:
        return product_back(changes, weights.kernel)

    def rounding(
        self, x: Array, before: Values, values: Values, weights: GruWeights,
        mask: BoolArray | None, u: float,
    ) -> Array:  # fmt: skip
        h, (z, r, g) = before["h"], (values[letter] for letter in "zrg")
        kernel, recurrent = weights.kernel, weights.recurrent_kernel
        inputs, products = product(x, kernel), product(h, recurrent)
        if not self.resets_after(weights):
            products[..., 2, :] = (r * h) @ recurrent[:, 2]
        first = np.abs(np.asarray(weights.bias))
        second = np.zeros_like(first)
        if weights.recurrent_bias is not None:
            second = np.abs(weights.recurrent_bias)
        a = error_of_sum(
            (inputs, products),
            lambda: product(x**2, kernel**2) + product(h**2, recurrent**2),
            len(kernel) + len(recurrent),
            first + second,
            u,
        ) + of_flushing((x, h), (kernel, recurrent), u)
        z_error = activated(self.recurrent_activation, z, a[..., 0, :], u)
        r_error = activated(self.recurrent_activation, r, a[..., 1, :], u)
        if self.resets_after(weights):
            inner = r_error * (np.abs(products[..., 2, :]) + second[2])
        else:
            # The errors of the units are nearly independent, so that their squares add up.
            reset = np.square(h * (r_error + u * np.abs(r)))
            inner = 2 * np.sqrt(reset @ np.square(recurrent[:, 2], dtype=np.float64))
        g_error = activated(self.activation, g, a[..., 2, :] + inner, u)
        mixed = np.abs(h - g) * z_error + (np.abs(1 - z) + z_error) * g_error
        return mixed + 3 * u * (np.abs(z * h) + np.abs((1 - z) * g)) + u * np.abs(g)

    def largest_sums(self, x: Array, before: Values, weights: GruWeights) -> Array:
        sums = product(np.abs(x), np.abs(weights.kernel)) + np.abs(np.asarray(weights.bias))
        sums += product(np.abs(before["h"]), np.abs(weights.recurrent_kernel))
        second = weights.recurrent_bias
        return largest_sum(sums if second is None else sums + np.abs(second))

    def explaining(
        self, before: Values, values: Values, shown: Array, weights: GruWeights, unit: int
    ) -> dict[str, Array]:
        if self.activation != "tanh":
            return {}
        z, r, g, ours = (values[letter][..., unit] for letter in "zrgh")
        inner = self._recurrent(before["h"], weights)[..., 2, unit]
        h = before["h"][..., unit]
        candidate = (shown - ours) / (1 - z) / (1 - np.square(g))
        return {
            "z": (shown - ours) / (h - g) / (z * (1 - z)),
            "r": candidate / inner / (r * (1 - r)),
            "g": candidate,
        }

    def readings(self, weights: GruWeights) -> Iterator[Reading]:
        after = self.resets_after(weights)
        place = "before" if after else "after"
        does = f"applies the reset gate {place} the recurrent product"
        yield Reading("reset_after", does, replace(self, reset_after=not after), weights)
        if self.recurrent_activation in SIGMOIDS:  # 1 - s(a) = s(-a)
            sign = np.array([[-1.0], [1.0], [1.0]])
            arrays = {
                field.name: sign * array
                for field in fields(weights)
                if (array := getattr(weights, field.name)) is not None
            }
            does = "lets the update gate take the new state, where ours keeps the old"
            yield Reading("update_gate", does, self, replace(weights, **arrays))
        if weights.recurrent_bias is not None:
            first = 0 if weights.bias is None else weights.bias
            merged = np.add(weights.recurrent_bias, first, dtype=np.float64)
            outside = replace(weights, bias=merged, recurrent_bias=np.zeros_like(merged))
            yield Reading("bias", "adds both biases outside of the reset gate", self, outside)

    def unknown_biases(self, weights: GruWeights) -> list[UnknownBiases]:
        gates: UnknownBiases = [(k, {"bias": 1.0}) for k in range(3)]
        if not self.resets_after(weights):
            return [gates]
        merged: UnknownBiases = [(2, {"recurrent_bias": 1.0, "bias": -1.0})]
        return [merged, gates, [*gates, (2, {"recurrent_bias": 1.0})]]
