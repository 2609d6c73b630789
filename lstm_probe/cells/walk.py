"""Backpropagation through time: the loop that every cell shares.

Source: Werbos 1990, "Backpropagation through time: what it does and how to do it".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from lstm_probe.cells.backward import Run
from lstm_probe.cells.base import Cell
from lstm_probe.core.arrays import Array
from lstm_probe.core.errors import LstmProbeError

__all__ = ["Walk", "walk_back"]

#: The local derivatives of this many steps are prepared at once. More would need more memory.
_STRETCH = 128


@dataclass(frozen=True, eq=False)
class Walk:
    """The gradients of `K` targets with respect to every step of a sequence.

    Attributes:
        states: The gradients with respect to the states after each step, by letter,
            `(time, K, batch, size)`.
        inputs: The gradients with respect to the input of each step, `(time, K, batch, input)`.
            None if they were not asked for.
    """

    states: Mapping[str, Array]
    inputs: Array | None


def walk_back(
    cell: Cell[Any], run: Run, seeds: Mapping[str, Array], *, inputs: bool = False
) -> Walk:
    """Take gradients back through a whole sequence.

    A step that the mask leaves out passes the gradients on unchanged.

    Args:
        cell: The cell that computed the sequence. It must have `back`.
        run: The sequence.
        seeds: By letter of the states, the gradients of the targets with respect to the states
            that the targets read directly: `(time, K, batch, size)`, or `(1, K, batch, size)` if
            they read the last step alone.
        inputs: Whether to compute the gradients with respect to the inputs.

    Returns:
        The gradients, of the dtype of the seeds.

    Raises:
        LstmProbeError: The derivatives of the cell are not known.
    """
    time, weights = len(run.x), run.weights
    unflattened = {letter: cell.unflattened(each, weights) for letter, each in seeds.items()}
    states = {k: np.empty((time, *v.shape[1:]), v.dtype) for k, v in seeds.items()}
    by_inputs = [np.zeros(0)] * time
    change = {letter: np.zeros_like(each[-1]) for letter, each in unflattened.items()}
    for start in reversed(range(0, time, _STRETCH)):
        part = run.stretch(start, start + _STRETCH)
        back = cell.back(part)
        if back is None:
            raise LstmProbeError(
                f"There is no gradient through this cell. Received: {cell!r}. Expected: a cell "
                "whose `back` gives the derivatives of its equations."
            )
        for t in reversed(range(len(part.x))):
            for letter, each in unflattened.items():
                seed = start + t - time + len(each)  # seeds of one step belong to the last step
                if seed >= 0:
                    change[letter] = change[letter] + each[seed]
            by_input, before, here = back(t, change)
            if part.mask is not None:
                valid = part.mask[t].reshape(-1, *[1] * (by_input.ndim - 2))
                by_input = np.where(valid, by_input, 0)
                valid = valid[..., 0]
                before = {k: np.where(valid, v, change[k]) for k, v in before.items()}
                here = {k: np.where(valid, v, change[k]) for k, v in here.items()}
            for letter, each in here.items():
                states[letter][start + t] = cell.flattened(each)
            if inputs:
                by_inputs[start + t] = cell.inputs_back(by_input, weights)
            change = before
    return Walk(states, np.stack(by_inputs) if inputs else None)
