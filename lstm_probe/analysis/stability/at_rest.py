"""The map of a network whose input does not change, and where it takes states in the long run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from lstm_probe.analysis.stability.driven import Driven
from lstm_probe.cells.jacobian import joined, one_step, parted
from lstm_probe.core.arrays import Array

__all__ = ["AtRest", "resting_input", "turning_period"]

#: A path that goes round fewer times has no period.
_FEWEST_TURNS = 3.0
#: At no step may the path turn back or jump by more than this part of a full turn.
_LARGEST_ADVANCE = 0.45


@dataclass(frozen=True, eq=False)
class AtRest:
    """The map `s -> F(s; x)` of one step with a fixed input `x`.

    Attributes:
        ready: the layer.
        x: `(input,)`, float64.
    """

    ready: Driven
    x: Array

    def __call__(self, states: Array) -> tuple[Array, Array]:
        """The states after one step, `(count, whole)`, and the Jacobian at each."""
        after, jacobian = self._step(states, jacobian=True)
        return after, np.asarray(jacobian)

    def after(self, states: Array, steps: int) -> Array:
        """The path of each state, `(steps + 1, count, whole)`."""
        path = [states]
        for _ in range(steps):
            path.append(self._step(path[-1], jacobian=False)[0])
        return np.stack(path)

    def _step(self, states: Array, *, jacobian: bool) -> tuple[Array, Any]:
        cell, run = self.ready.cell, self.ready.run
        x = np.broadcast_to(self.x, (len(states), len(self.x)))
        before = parted(states, run.initial, cell)
        with np.errstate(all="ignore"):  # a step too far may overflow: it is not taken
            after, found = one_step(cell, run.weights, x, before, jacobian=jacobian)
        return joined(after, cell), found


def resting_input(ready: Driven) -> Array:
    """The median of each feature over the steps that count: what the input is most of the time.

    For pulses and for one-hot words that is 0, for a signal the middle of it.
    """
    return np.asarray(np.median(ready.run.x[ready.valid], axis=0))


def turning_period(path: Array) -> float | None:
    """How many steps a path takes to go round once, seen on its first two principal axes.

    Args:
        path: `(steps, whole)`.

    Returns:
        The steps of one turn, 2 or more; None for a path that does not go round.

    Example:
        >>> angle = 0.1 * np.arange(200)
        >>> round(turning_period(np.stack([np.cos(angle), np.sin(angle)], 1)))
        63
        >>> turning_period(np.ones((200, 2))) is None
        True
    """
    centred = path - path.mean(axis=0)
    _, sizes, axes = np.linalg.svd(centred, full_matrices=False)
    if len(sizes) < 2 or sizes[1] <= 1e-6 * max(1.0, sizes[0]):
        return None
    across = centred @ axes[:2].T / sizes[:2]
    turns = np.diff(np.unwrap(np.arctan2(across[:, 1], across[:, 0]))) / (2 * np.pi)
    whole = abs(float(turns.sum()))
    if whole < _FEWEST_TURNS or np.abs(turns).max() > _LARGEST_ADVANCE:
        return None
    steady = (turns * np.sign(turns.sum()) > 0).mean() > 0.95
    return len(turns) / whole if steady else None
