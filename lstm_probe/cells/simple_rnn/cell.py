"""The plain recurrent cell (Elman 1990): no gates, one activation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from lstm_probe.cells.base import Cell
from lstm_probe.cells.shared.in_place import activation_into
from lstm_probe.cells.shared.sums import Weighted, weighted_sums
from lstm_probe.core.activations import ActivationLike, get_activation, value_range
from lstm_probe.core.arrays import Array, BoolArray
from lstm_probe.core.trace import GateTrace, Interval
from lstm_probe.weights.gates import GateWeights
from lstm_probe.weights.kinds import SimpleRnnWeights

__all__ = ["SimpleRnnCell", "simple_rnn"]


@dataclass(frozen=True)
class SimpleRnnCell(Cell[SimpleRnnWeights]):
    """The option of a plain recurrent cell, and its recurrence.

        h' = phi(x W + h U + b)                 hidden state

    Attributes:
        activation: phi, by its Keras name or as a function.

    Raises:
        LstmProbeError: the activation is not known.

    Source:
        keras/src/layers/rnn/simple_rnn.py, `SimpleRNNCell.call`.

    Example:
        >>> SimpleRnnCell(activation="relu").ranges()
        {'h': None}
    """

    activation: ActivationLike = "tanh"

    name: ClassVar[str] = "simple_rnn"
    states: ClassVar[tuple[str, ...]] = ("h",)
    weights_type: ClassVar[type[GateWeights]] = SimpleRnnWeights

    def __post_init__(self) -> None:
        get_activation(self.activation)

    def ranges(self, weights: SimpleRnnWeights | None = None) -> dict[str, Interval]:
        return {"h": value_range(self.activation)}

    def _recur(
        self, x: Array, weights: SimpleRnnWeights, state: list[Array], mask: BoolArray | None
    ) -> dict[str, Array]:
        time, batch, units = *x.shape[:2], weights.units
        phi = activation_into(self.activation, batch, units)
        bias = np.zeros((1, units), x.dtype) if weights.bias is None else weights.bias
        weighted = Weighted(
            weights.kernel,
            weights.recurrent_kernel,
            bias,
            slopes=(1.0,),
            offsets=(0.0,),
        )
        out = np.empty((time, 1, batch * units), x.dtype)
        sums = weighted_sums(x, weighted, state[0], out)
        hidden = sums.hidden
        skipped = None if mask is None else np.repeat(~mask, units, axis=1)
        steps = zip(sums.operands, out[:, 0], hidden, hidden[1:], strict=False)
        for t, (operand, a, h, h_next) in enumerate(steps):
            sums.at_step(operand, a)
            phi(a, h_next)
            if skipped is not None:
                np.copyto(h_next, h, where=skipped[t])
        return {"h": hidden[1:].reshape(time, batch, units)}


def simple_rnn(
    x: npt.ArrayLike,
    weights: GateWeights,
    *,
    cell: SimpleRnnCell | None = None,
    initial_state: Sequence[npt.ArrayLike] | None = None,
    mask: npt.ArrayLike | None = None,
    dtype: npt.DTypeLike | None = None,
) -> GateTrace:
    """Run a plain recurrent cell over a batch of sequences; no framework is needed.

    Args:
        x: `(batch, time, input)`.
        weights: as `lstm_probe.weights` makes them from a framework's layout.
        cell: the cell's option; by default that of a Keras SimpleRNN.
        initial_state: `(h,)`, a sequence of one array `(batch, units)`; zeros by default.
        mask: `(batch, time)`, False where a step is skipped.
        dtype: float32 or float64; by default that of the weights.

    Returns:
        A trace with `h`, `(batch, time, units)`.

    Raises:
        LstmProbeError: the shapes do not fit, or the weights are those of another cell.

    Example:
        >>> from lstm_probe import weights
        >>> rng = np.random.default_rng(0)
        >>> cell = weights.from_keras(rng.normal(size=(3, 2)), rng.normal(size=(2, 2)))
        >>> simple_rnn(rng.normal(size=(1, 5, 3)), cell).h.shape
        (1, 5, 2)
    """
    cell = cell or SimpleRnnCell()
    return cell.run(x, weights, initial_state=initial_state, mask=mask, dtype=dtype)
