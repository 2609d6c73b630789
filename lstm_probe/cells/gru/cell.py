"""The GRU (Cho et al. 2014), with the reset gate before or after the recurrent product."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from lstm_probe.cells.base import Cell
from lstm_probe.cells.shared.in_place import activation_into, doubled
from lstm_probe.cells.shared.sums import Weighted, multiplied_inputs, product_with_state
from lstm_probe.core.activations import ActivationLike, get_activation, value_range
from lstm_probe.core.arrays import Array, BoolArray
from lstm_probe.core.trace import GateTrace, Interval
from lstm_probe.weights.gates import GateWeights
from lstm_probe.weights.kinds import GruWeights

__all__ = ["GruCell", "gru"]


@dataclass(frozen=True)
class GruCell(Cell[GruWeights]):
    """The options of a GRU cell, and its recurrence.

        z = sigma(x W_z + b_z + h U_z + d_z)            update gate
        r = sigma(x W_r + b_r + h U_r + d_r)            reset gate
        g = phi(x W_g + b_g + r * (h U_g + d_g))        candidate, reset after the product
        g = phi(x W_g + b_g + (r * h) U_g + d_g)        candidate, reset before the product
        h' = z * h + (1 - z) * g                        hidden state

    The update gate keeps the old state. `b` is the bias, `d` the recurrent bias.

    Attributes:
        activation: phi, by its Keras name or as a function.
        recurrent_activation: sigma.
        reset_after: where the reset gate acts: True for Keras's default, cuDNN, torch and ONNX's
            `linear_before_reset=1`; False for TF1's `GRUCell` and the paper. None says what the
            weights say: before the product if there is one bias, else after.

    Raises:
        LstmProbeError: an activation is not known.

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
    states: ClassVar[tuple[str, ...]] = ("h",)
    weights_type: ClassVar[type[GateWeights]] = GruWeights

    def __post_init__(self) -> None:
        get_activation(self.activation)
        get_activation(self.recurrent_activation)

    def ranges(self, weights: GruWeights | None = None) -> dict[str, Interval]:
        gate = value_range(self.recurrent_activation)
        candidate = value_range(self.activation)
        hidden = candidate if gate == (0.0, 1.0) else None
        return {"z": gate, "r": gate, "g": candidate, "h": hidden}

    def _resets_after(self, weights: GruWeights) -> bool:
        if self.reset_after is None:
            return weights.bias is None or weights.recurrent_bias is not None
        return self.reset_after

    def _recur(
        self, x: Array, weights: GruWeights, state: list[Array], mask: BoolArray | None
    ) -> dict[str, Array]:
        time, batch, units = *x.shape[:2], weights.units
        size = batch * units
        sigma = doubled(self.recurrent_activation, batch, units)
        phi = activation_into(self.activation, batch, units)
        bias, recurrent_bias = self._biases(weights)
        weighted = Weighted(
            weights.kernel,
            weights.recurrent_kernel,
            bias,
            slopes=(sigma.slope, sigma.slope, 1.0),
            offsets=(sigma.offset, sigma.offset, 0.0),
        )
        gates = np.empty((time, 3, size), x.dtype)
        inputs = multiplied_inputs(x, weighted, gates)
        # What the product with h can serve: all three, or all but the candidate.
        reset_after = self._resets_after(weights)
        multiply_state, product = product_with_state(weighted, batch, 3 if reset_after else 2)
        to_z_r, to_g = product[: 2 * size], product[2 * size :]
        candidate_kernel = np.ascontiguousarray(weights.recurrent_kernel[:, 2])
        inner_bias = np.tile(recurrent_bias[2], batch)
        hidden = np.empty((time + 1, batch, units), x.dtype)
        (hidden[0],) = state
        skipped = None if mask is None else np.repeat(~mask, units, axis=1)

        flat = gates.reshape(time, 3 * size)
        states = hidden.reshape(time + 1, size)
        inner, written = np.empty((2, size), x.dtype)
        half, one = np.array([0.5, 1], x.dtype).reshape(2, 1)  # read faster than numbers
        add, multiply = np.add, np.multiply
        steps = zip(
            chain.from_iterable(hidden[block] for block in inputs),
            flat[:, : 2 * size],
            *np.moveaxis(gates, 1, 0),
            states,
            states[1:],
            strict=False,
        )
        for t, (operand, z_r, z, r, g, h, h_next) in enumerate(steps):
            multiply_state(operand)
            add(z_r, to_z_r, z_r)
            sigma.apply(z_r)
            multiply(z_r, half, z_r)
            if reset_after:
                add(to_g, inner_bias, inner)
                multiply(r, inner, inner)
            else:
                multiply(r, h, written)
                np.dot(written.reshape(batch, units), candidate_kernel, inner.reshape(batch, units))
                add(inner, inner_bias, inner)
            add(g, inner, g)
            phi(g, g)
            np.subtract(one, z, written)  # h' = z * h + (1 - z) * g
            multiply(written, g, written)
            multiply(z, h, h_next)
            add(h_next, written, h_next)
            if skipped is not None:
                np.copyto(h_next, h, where=skipped[t])
        z, r, g = np.moveaxis(gates.reshape(time, 3, batch, units), 1, 0)
        return {"z": z, "r": r, "g": g, "h": hidden[1:]}

    def _biases(self, weights: GruWeights) -> tuple[Array, Array]:
        """What is added to the inputs, and what to the product with `h`: `(3, units)`. To z and r
        it is all the same."""
        zeros = np.zeros((3, weights.units), weights.dtype)
        recurrent_bias = zeros if weights.recurrent_bias is None else weights.recurrent_bias
        bias = zeros if weights.bias is None else weights.bias
        return bias + recurrent_bias * np.array([[1], [1], [0]], weights.dtype), recurrent_bias


def gru(
    x: npt.ArrayLike,
    weights: GateWeights,
    *,
    cell: GruCell | None = None,
    initial_state: Sequence[npt.ArrayLike] | None = None,
    mask: npt.ArrayLike | None = None,
    dtype: npt.DTypeLike | None = None,
) -> GateTrace:
    """Run a GRU over a batch of sequences and keep every gate; no framework is needed.

    Args:
        x: `(batch, time, input)`.
        weights: as `lstm_probe.weights` makes them from a framework's layout.
        cell: the cell's options; by default those of a Keras GRU.
        initial_state: `(h,)`, a sequence of one array `(batch, units)`; zeros by default.
        mask: `(batch, time)`, False where a step is skipped.
        dtype: float32 or float64; by default that of the weights.

    Returns:
        A trace with `z r g h`, each `(batch, time, units)`.

    Raises:
        LstmProbeError: the shapes do not fit, or the weights are those of another cell.

    Example:
        >>> from lstm_probe import weights
        >>> rng = np.random.default_rng(0)
        >>> cell = weights.from_keras(rng.normal(size=(3, 6)), rng.normal(size=(2, 6)))
        >>> trace = gru(rng.normal(size=(1, 5, 3)), cell)
        >>> trace.z.shape, trace.letters
        ((1, 5, 2), ('z', 'r', 'g', 'h'))
    """
    return (cell or GruCell()).run(x, weights, initial_state=initial_state, mask=mask, dtype=dtype)
