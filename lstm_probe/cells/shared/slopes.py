"""The slopes of the gates' activations, at the values that a sequence took."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from lstm_probe.cells import ConvLstmCell, GruCell, LstmCell
from lstm_probe.cells.shared.run import Run
from lstm_probe.cells.single_steps import sums
from lstm_probe.core.activations import ActivationLike
from lstm_probe.core.arrays import Array
from lstm_probe.core.derivatives import derivative_of_argument, derivative_of_value

__all__ = ["Slopes"]


class Slopes:
    """Slopes by gate and activation; pre-activations are computed only if one needs them."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def __call__(self, letter: str, activation: ActivationLike) -> Array:
        """`(time, batch, units)`."""
        of_value: Callable[[Array], Array] | None = derivative_of_value(activation)
        if of_value is not None:
            return of_value(self._run.arrays[letter])
        return derivative_of_argument(activation)(self._argument(letter))

    def _argument(self, letter: str) -> Array:
        run, weights = self._run, self._run.weights
        cell: Any = run.cell
        index = weights.gates.index(letter)
        h = run.before("h")
        inputs, hidden = (a[:, :, index] for a in sums(cell, weights, run.x, h))
        if weights.bias is not None:
            inputs = inputs + weights.bias[index]
        if isinstance(cell, ConvLstmCell):
            return cell._flat(inputs + hidden)
        if isinstance(cell, LstmCell) and letter == "f":
            inputs = inputs + cell.forget_bias
        second = getattr(weights, "recurrent_bias", None)
        second = 0.0 if second is None else second[index]
        if not isinstance(cell, GruCell) or letter != "g":
            return np.asarray(inputs + hidden + second)
        r = run.arrays["r"]
        if cell._resets_after(weights):  # type: ignore[arg-type]
            return np.asarray(inputs + r * (hidden + second))
        return np.asarray(inputs + (r * h) @ weights.recurrent_kernel[:, index] + second)
