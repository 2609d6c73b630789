"""The equations of the LSTM: those of the plain cell, and what each variant adds to them.

    a = x W + h U                           products, for each of the gates i f g o
    i = sigma(a_i + p_i c + b_i)            input gate; 1 - f if the gates are coupled
    f = sigma(a_f + p_f c + b_f)            forget gate
    g = phi(a_g + b_g)                      candidate
    c' = f c + i g                          cell state, which may be normalised and then clipped
    o = sigma(a_o + p_o c' + b_o)           output gate
    h' = o psi(c')                          hidden state, which may be projected and then clipped

What goes into the activations may be clipped, and `h'` may show `c'` through an activation `psi` of
its own instead of `phi`. Some cells have peepholes `p`. Layer normalisation acts before the bias:
it brings the sum to mean 0 and variance 1 over the units and multiplies it by a scale. A
convolutional LSTM has the same equations, with convolutions in place of the products.

Source:
    Hochreiter & Schmidhuber 1997; Gers, Schmidhuber & Cummins 2000 (forget gate), 2002 (peepholes);
    Sak, Senior & Beaufays 2014 (projection); Greff et al. 2015 (coupled gates).
    keras/src/layers/rnn/lstm.py, `LSTMCell.call`; tf_keras/src/layers/rnn/legacy_cells.py,
    `LSTMCell.call`; TensorFlow Lite, kernels/lstm_eval.cc, `LstmStepFloat`; tf.contrib.rnn,
    `LayerNormBasicLSTMCell.call` (TensorFlow 1.15).
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, TypeVar

import numpy as np

from lstm_probe.cells.base import Cell, Clamp, Values
from lstm_probe.cells.recurrence import unclamped
from lstm_probe.cells.shared.products import largest_sum
from lstm_probe.core.activations import ActivationLike, applied, of_gates
from lstm_probe.core.arrays import Array, BoolArray
from lstm_probe.weights.gates import GateWeights

__all__ = ["LstmEquations", "normalised"]

WeightsT = TypeVar("WeightsT", bound=GateWeights)


def normalised(a: Array, epsilon: float) -> tuple[Array, Array]:
    """Bring an array to mean 0 and variance 1 over its last axis.

    Args:
        a: `(..., units)`.
        epsilon: What is added to the variance.

    Returns:
        The normalised array, and the standard deviations by which it was divided, `(..., 1)`.

    Example:
        >>> y, spread = normalised(np.array([[1.0, 3.0]]), 0.0)
        >>> y.tolist(), spread.tolist()
        ([[-1.0, 1.0]], [[1.0]])
    """
    centred = a - a.mean(axis=-1, keepdims=True)
    variance = np.square(centred).mean(axis=-1, keepdims=True)
    spread = np.sqrt(variance + a.dtype.type(epsilon))
    return centred / spread, spread


class LstmEquations(Cell[WeightsT]):
    """An LSTM without its products: a subclass multiplies with the kernels or convolves with them.

    In the shapes below only a convolutional cell has the axes `*space`.
    """

    #: phi and sigma, by name or as functions.
    activation: ActivationLike
    recurrent_activation: ActivationLike
    #: The bounds of `|c'|` and of a projected `|h'|`, or None.
    cell_clip: float | None = None
    proj_clip: float | None = None
    #: The bounds of what goes into the activations of the gates, and of `c'` as `h'` shows it.
    gate_clip: float | None = None
    state_clip: float | None = None
    #: psi, by name or as a function; None for phi.
    state_activation: ActivationLike | None = None
    #: What layer normalisation adds to the variance.
    norm_epsilon: float = 1e-8

    states = ("h", "c")
    keeper = "f"

    @abstractmethod
    def input_products(self, x: Array, kernel: Array) -> Array:
        """`x W`.

        Args:
            x: The input, `(..., input)`.
            kernel: The kernel of the weights, or an array of its shape.

        Returns:
            `(..., *space, gates, units)`.
        """

    @abstractmethod
    def state_products(self, h: Array, kernel: Array) -> Array:
        """`h U`.

        Args:
            h: Hidden states, `(..., *space, output)`.
            kernel: The recurrent kernel of the weights, or an array of its shape.

        Returns:
            `(..., *space, gates, units)`.
        """

    def sums_in_half_precision(self, weights: Any) -> bool:
        """Whether a framework sums the products of half precisions in that type, not in float32."""
        return False

    @abstractmethod
    def states_back(self, changes: Array, kernel: Array) -> Array:
        """Take gradients back through `state_products`, to `(..., *space, output)`."""

    def inputs(self, x: Array, weights: WeightsT) -> Array:
        products = self.input_products(x, weights.kernel)
        return products if self._normalises(weights) else products + weights.bias

    def step(self, inputs: Array, before: Values, weights: WeightsT) -> dict[str, Array]:
        a = inputs + self.state_products(before["h"], weights.recurrent_kernel)
        return self.gates(a, before["c"], weights)

    def clamped_step(
        self, inputs: Array, before: Values, weights: WeightsT, clamp: Clamp
    ) -> dict[str, Array]:
        a = inputs + self.state_products(before["h"], weights.recurrent_kernel)
        return self.gates(a, before["c"], weights, clamp)

    def gates(self, a: Array, c: Array, weights: Any, clamp: Clamp = unclamped) -> dict[str, Array]:
        """The gates and the new states.

        Args:
            a: `x W + h U`, `(..., *space, gates, units)`, which is changed. It includes the bias
                unless the cell normalises.
            c: The cell state before, `(..., *space, units)`.
            weights: The weights. Peepholes, normalisation and projection are None if the cell has
                none.
            clamp: Changes an array as soon as it has been computed. The default changes none.

        Returns:
            By letter, `(..., *space, units)`.
        """
        sigma, phi = self.recurrent_activation, self.activation
        if weights.peepholes is not None:
            a[..., :-2, :] += weights.peepholes[:-1] * c[..., None, :]
        b = self.clipped_sums(self._scaled(a, weights))
        gates = of_gates(sigma, b)
        f, g = clamp("f", gates[..., -3, :]), clamp("g", applied(phi, b[..., -2, :]))
        i, o = clamp("i", gates[..., 0, :] if "i" in weights.gates else 1 - f), gates[..., -1, :]
        c = clamp("c", self._normalised_and_clipped(f * c + i * g, weights))
        if weights.peepholes is not None:  # the output gate reads the new cell state
            a[..., -1, :] += weights.peepholes[-1] * c
            last = self.clipped_sums(self._scaled(a[..., -1:, :], weights, -1))
            o = applied(sigma, last[..., 0, :])
        o = clamp("o", o)
        h = clamp("h", self._projected_and_clipped(o * self.shown(c), weights))
        return {"i": i, "f": f, "g": g, "o": o, "c": c, "h": h}

    def sums(self, x: Array, before: Values, c: Array, weights: Any) -> Array:
        """`x W + h U + p c` of steps whose states are known: what the cell normalises.

        Args:
            x: The input, `(..., input)`.
            before: The states before, by letter, `(..., *space, units)`.
            c: The cell state after, `(..., *space, units)`.
            weights: The weights.

        Returns:
            `(..., *space, gates, units)`. It includes the bias unless the cell normalises.
        """
        a = self.inputs(x, weights) + self.state_products(before["h"], weights.recurrent_kernel)
        if weights.peepholes is not None:
            a[..., :-2, :] += weights.peepholes[:-1] * before["c"][..., None, :]
            a[..., -1, :] += weights.peepholes[-1] * c
        return a

    def clipped_sums(self, a: Array) -> Array:
        """What goes into the activations of the gates."""
        return a if self.gate_clip is None else np.clip(a, -self.gate_clip, self.gate_clip)

    @property
    def state_function(self) -> ActivationLike:
        """psi, through which `h'` shows the cell state."""
        return self.activation if self.state_activation is None else self.state_activation

    def clipped_state(self, c: Array) -> Array:
        """What goes into psi."""
        return c if self.state_clip is None else np.clip(c, -self.state_clip, self.state_clip)

    def shown(self, c: Array) -> Array:
        """`psi(c')`, the cell state as the hidden state shows it."""
        return applied(self.state_function, self.clipped_state(c))

    def projected(self, h: Array, weights: Any) -> Array:
        """`o psi(c')`, `(..., units)`, multiplied by the projection, `(..., output)`."""
        h = h @ weights.projection
        return h if weights.projection_bias is None else h + weights.projection_bias

    def _normalises(self, weights: Any) -> bool:
        """Whether layer normalisation acts on the gates."""
        return weights.norm_scale is not None

    def _scaled(self, a: Array, weights: Any, first: int = 0) -> Array:
        """Layer normalisation of the gates from the first one on. The bias comes after it."""
        if not self._normalises(weights):
            return a
        y, _ = normalised(a, self.norm_epsilon)
        return weights.norm_scale[first:] * y + weights.bias[first:]

    def _normalised_and_clipped(self, c: Array, weights: Any) -> Array:
        """The cell state, from `f c + i g`."""
        if weights.state_norm is not None:
            scale, shift = weights.state_norm
            c = scale * normalised(c, self.norm_epsilon)[0] + shift
        return c if self.cell_clip is None else np.clip(c, -self.cell_clip, self.cell_clip)

    def _projected_and_clipped(self, h: Array, weights: Any) -> Array:
        """The hidden state, from `o psi(c')`."""
        if weights.projection is None:
            return h
        h = self.projected(h, weights)
        return h if self.proj_clip is None else np.clip(h, -self.proj_clip, self.proj_clip)

    def largest_sums(self, x: Array, before: Values, weights: Any) -> Array:
        kernel, recurrent = np.abs(weights.kernel), np.abs(weights.recurrent_kernel)
        h, c = (np.abs(self.unflattened(before[letter], weights)) for letter in self.states)
        sums = self.input_products(np.abs(x), kernel) + self.state_products(h, recurrent)
        largest = largest_sum(sums + np.abs(weights.bias))
        if weights.peepholes is not None:
            largest = largest + np.abs(weights.peepholes).max() * largest_sum(c)
        return largest

    def steps(
        self, x: Array, h: Array, initial: Values, weights: WeightsT, mask: BoolArray | None = None
    ) -> tuple[dict[str, Array], dict[str, Array]]:
        """Only `c` is carried from step to step, so the products of all steps are made at once."""
        h = self.unflattened(h, weights)
        a = self.inputs(x, weights) + self.state_products(h, weights.recurrent_kernel)
        before: list[Array] = []

        def step(t: int, carried: Values) -> dict[str, Array]:
            before.append(carried["c"])
            return self.gates(a[t], carried["c"], weights)

        carried = {k: self.unflattened(initial[k], weights) for k in self.states}
        values = self._walk(step, len(x), carried, mask)
        return self._all_flattened(values), self._all_flattened({"h": h, "c": np.stack(before)})
