"""The LSTM (Hochreiter & Schmidhuber 1997; forget gate: Gers, Schmidhuber & Cummins 2000)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from lstm_probe.activations import ActivationLike, get_activation, value_range
from lstm_probe.arrays import Array, BoolArray
from lstm_probe.cells.base import Cell
from lstm_probe.trace import GateTrace, Interval
from lstm_probe.weights.gates import LstmWeights

__all__ = ["LstmCell", "lstm"]

# The three sigmoid gates lie together while they are computed: one call serves all three.
_WORKING_ORDER = ("i", "f", "o", "g")


@dataclass(frozen=True)
class LstmCell(Cell[LstmWeights]):
    """The options of an LSTM cell, and its recurrence.

        i = sigma(x W_i + h U_i + b_i)          input gate
        f = sigma(x W_f + h U_f + b_f + forget_bias)    forget gate
        g = phi(x W_g + h U_g + b_g)            candidate
        o = sigma(x W_o + h U_o + b_o)          output gate
        c' = f * c + i * g                      cell state
        h' = o * phi(c')                        hidden state

    Attributes:
        activation: phi, by its Keras name or as a function.
        recurrent_activation: sigma.
        forget_bias: added to the forget gate at run time, as TF1's cells do (1.0 by default
            there); Keras keeps it in the bias, so it is 0 here.

    Source:
        keras/src/layers/rnn/lstm.py, `LSTMCell.call`.

    Example:
        >>> LstmCell(recurrent_activation="hard_sigmoid").ranges()["f"]
        (0.0, 1.0)
    """

    activation: ActivationLike = "tanh"
    recurrent_activation: ActivationLike = "sigmoid"
    forget_bias: float = 0.0

    name: ClassVar[str] = "lstm"
    states: ClassVar[tuple[str, ...]] = ("h", "c")

    def __post_init__(self) -> None:
        get_activation(self.activation)
        get_activation(self.recurrent_activation)

    def ranges(self) -> dict[str, Interval]:
        gate = value_range(self.recurrent_activation)
        candidate = value_range(self.activation)
        hidden = candidate if gate == (0.0, 1.0) else None
        return {"i": gate, "f": gate, "g": candidate, "o": gate, "c": None, "h": hidden}

    def _recur(
        self, x: Array, weights: LstmWeights, state: list[Array], mask: BoolArray | None
    ) -> dict[str, Array]:
        sigma, phi = get_activation(self.recurrent_activation), get_activation(self.activation)
        time, batch, units = *x.shape[:2], weights.units
        order = [weights.gates.index(gate) for gate in _WORKING_ORDER]
        kernel, recurrent_kernel = (
            np.take(k, order, axis=1).reshape(-1, 4 * units)
            for k in (weights.kernel, weights.recurrent_kernel)
        )
        bias = np.zeros((4, units), x.dtype) if weights.bias is None else weights.bias[order]
        bias = bias + np.array([[0], [self.forget_bias], [0], [0]], x.dtype)

        gates = (x.reshape(time * batch, -1) @ kernel).reshape(time, batch, 4, units)
        gates += bias
        cells = np.empty((time, batch, units), x.dtype)
        hidden = np.empty((time, batch, units), x.dtype)
        h, c = state
        for t, gate in enumerate(gates):
            gate += (h @ recurrent_kernel).reshape(batch, 4, units)
            gate[:, :3] = sigma(gate[:, :3])
            gate[:, 3] = phi(gate[:, 3])
            i, f, o, g = gate[:, 0], gate[:, 1], gate[:, 2], gate[:, 3]
            np.add(f * c, i * g, out=cells[t])
            np.multiply(o, phi(cells[t]), out=hidden[t])
            if mask is not None:
                np.copyto(cells[t], c, where=~mask[t][:, None])
                np.copyto(hidden[t], h, where=~mask[t][:, None])
            h, c = hidden[t], cells[t]
        i, f, o, g = (gates[:, :, k] for k in range(4))
        return {"i": i, "f": f, "g": g, "o": o, "c": cells, "h": hidden}


def lstm(
    x: npt.ArrayLike,
    weights: LstmWeights,
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
        initial_state: `(h, c)`, each `(batch, units)`; zeros by default.
        mask: `(batch, time)`, False where a step is skipped.
        dtype: float32 or float64; by default that of the weights.

    Returns:
        A trace with `i f g o c h`, each `(batch, time, units)`.

    Raises:
        LstmProbeError: the shapes do not fit.

    Example:
        >>> from lstm_probe import weights
        >>> rng = np.random.default_rng(0)
        >>> cell = weights.from_keras(rng.normal(size=(3, 8)), rng.normal(size=(2, 8)))
        >>> trace = lstm(rng.normal(size=(1, 5, 3)), cell)
        >>> trace.f.shape, bool(((trace.f > 0) & (trace.f < 1)).all())
        ((1, 5, 2), True)
    """
    return (cell or LstmCell()).run(x, weights, initial_state=initial_state, mask=mask, dtype=dtype)
