"""Backpropagation through time: the loop that all cells share.

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

__all__ = ["Walk", "walk_back"]

#: The local derivatives of so many steps are prepared at once: more would need much memory.
_STRETCH = 128


@dataclass(frozen=True, eq=False)
class Walk:
    """Gradients of `K` targets with respect to everything on the way.

    Attributes:
        states: by letter, `(time, K, batch, size)`: by each step's states.
        inputs: `(time, K, batch, input)`: by each step's input; None if they were not asked for.
    """

    states: Mapping[str, Array]
    inputs: Array | None


def walk_back(
    cell: Cell[Any], run: Run, seeds: Mapping[str, Array], *, inputs: bool = False
) -> Walk:
    """Take gradients back through a sequence.

    A masked step hands the gradients on as they are.

    Args:
        cell: one that has `back`.
        run: the sequence.
        seeds: by letter of the states, `(time, K, batch, size)`, or `(1, K, batch, size)` for the
            last step alone: the targets' gradients by what they read directly.
        inputs: whether the gradients by the inputs are wanted too.
    """
    time, weights = len(run.x), run.weights
    inside = {letter: cell._inside(each, weights) for letter, each in seeds.items()}
    states = {k: np.empty((time, *v.shape[1:]), v.dtype) for k, v in seeds.items()}
    by_inputs = [np.zeros(0)] * time
    change = {letter: np.zeros_like(each[-1]) for letter, each in inside.items()}
    for start in reversed(range(0, time, _STRETCH)):
        part = run.stretch(start, start + _STRETCH)
        back = cell.back(part)
        assert back is not None
        for t in reversed(range(len(part.x))):
            for letter, each in inside.items():
                seed = start + t - time + len(each)  # the last ones are there
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
                states[letter][start + t] = cell._flat(each)
            if inputs:
                by_inputs[start + t] = cell.inputs_back(by_input, weights)
            change = before
    return Walk(states, np.stack(by_inputs) if inputs else None)
