"""The LSTM (Hochreiter & Schmidhuber 1997; forget gate: Gers, Schmidhuber & Cummins 2000)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from lstm_probe.activations import Activation, ActivationLike, get_activation, value_range
from lstm_probe.arrays import Array, BoolArray
from lstm_probe.cells import lstm_variants
from lstm_probe.cells.base import Cell
from lstm_probe.errors import LstmProbeError
from lstm_probe.trace import GateTrace, Interval
from lstm_probe.weights.gates import GateWeights
from lstm_probe.weights.kinds import LstmWeights

__all__ = ["LstmCell", "lstm"]

# The three sigmoid gates lie together while they are computed: one call serves all three.
_WORKING_ORDER = ("i", "f", "o", "g")
_HALF = np.array(0.5, np.float32)  # an array is read faster than a number


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
        keras/src/layers/rnn/lstm.py, `LSTMCell.call`; variants: see `lstm_variants`.

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

    def _recur(
        self, x: Array, weights: LstmWeights, state: list[Array], mask: BoolArray | None
    ) -> dict[str, Array]:
        if lstm_variants.is_variant(self, weights):
            return lstm_variants.recur(self, x, weights, state, mask)
        time, batch, units = *x.shape[:2], weights.units
        phi, activate, scale = self._activations()
        scale = scale.astype(x.dtype)
        order = [weights.gates.index(gate) for gate in _WORKING_ORDER]
        recurrent_kernel = _rearranged(weights.recurrent_kernel, order, scale)
        recurrent_kernel = recurrent_kernel.reshape(units, 4 * units)
        bias = np.array([[0], [self.forget_bias], [0], [0]], x.dtype)
        bias = scale * (bias if weights.bias is None else bias + weights.bias[order])

        inputs = x.reshape(time * batch, -1) @ weights.kernel.reshape(-1, 4 * units)
        gates = _rearranged(inputs.reshape(time, batch, 4, units), order, scale)
        gates += bias
        fused = gates.reshape(time, batch, 4 * units)
        cells = np.empty((time, batch, units), x.dtype)
        hidden = np.empty((time, batch, units), x.dtype)
        product = np.empty((batch, 4 * units), x.dtype)
        i, f, o, g = (gates[:, :, k] for k in range(4))
        h, c = state
        for t in range(time):
            fused[t] += np.matmul(h, recurrent_kernel, out=product)
            activate(gates[t])
            c_next = np.multiply(f[t], c, out=cells[t])
            c_next += i[t] * g[t]
            h_next = np.multiply(o[t], phi(c_next), out=hidden[t])
            if mask is not None:
                np.copyto(c_next, c, where=~mask[t][:, None])
                np.copyto(h_next, h, where=~mask[t][:, None])
            h, c = h_next, c_next
        return {"i": i, "f": f, "g": g, "o": o, "c": cells, "h": hidden}

    def _activations(self) -> tuple[Activation, Callable[[Array], None], Array]:
        """phi; what turns the pre-activations `(batch, 4, units)` into gates, in place; and by
        how much it wants each gate's pre-activation scaled, `(4, 1)`."""
        sigma, phi = get_activation(self.recurrent_activation), get_activation(self.activation)
        if (self.recurrent_activation, self.activation) == ("sigmoid", "tanh"):
            # sigmoid(a) = tanh(a / 2) / 2 + 1 / 2: one tanh serves all gates.
            return phi, _sigmoids_and_tanh, np.array([[0.5], [0.5], [0.5], [1.0]])

        def activate(gates: Array) -> None:
            gates[:, :3] = sigma(gates[:, :3])
            gates[:, 3] = phi(gates[:, 3])

        return phi, activate, np.ones((4, 1))


def _rearranged(array: Array, order: Sequence[int], scale: Array) -> Array:
    """An array `(..., 4, units)` with its gates in another order, and scaled, in one pass."""
    result = np.empty_like(array, order="C")
    for place, gate in enumerate(order):
        np.multiply(array[..., gate, :], scale[place], out=result[..., place, :])
    return result


def _sigmoids_and_tanh(gates: Array) -> None:
    np.tanh(gates, out=gates)
    sigmoids = gates[:, :3]
    sigmoids *= _HALF
    sigmoids += _HALF


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
