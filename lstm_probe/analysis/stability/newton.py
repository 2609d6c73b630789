"""Where a map hardly moves a state: the least squares of Levenberg and Marquardt, for many starts.

Newton's method alone fails where the Jacobian has an eigenvalue of 1, as on a line of fixed points.
The damping holds a state still along such a direction, and solves for all others.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np

from lstm_probe.core.arrays import Array

__all__ = ["Map", "Stills", "still_states"]

#: The state after one step and the Jacobian there: from `(starts, whole)`.
Map: TypeAlias = Callable[[Array], tuple[Array, Array]]

#: A state counts as fixed where a step moves it by less than this part of its norm, or of 1.
TOLERANCE = 1e-10
_ROUNDS = 100
#: The damping at the start, its bounds, and by how much it changes with a success or a failure.
_FIRST, _LEAST, _MOST, _FACTOR = 1e-3, 1e-14, 1e8, 10.0
#: A start is given up when it does not come closer by this part in so many rounds.
_PROGRESS, _PATIENCE = 1e-3, 8


class Stills(NamedTuple):
    """Where the starts came to rest.

    Attributes:
        states: `(starts, whole)`.
        speeds: `(starts,)`, the Euclidean norm `|F(s) - s|` there.
    """

    states: Array
    speeds: Array


def still_states(step: Map, starts: Array) -> Stills:
    """Minimise the speed `|F(s) - s|` of a map from many starts.

        (A^T A + m I) d = -A^T (F(s) - s),    A = J - I

    Args:
        step: the map `F` with its Jacobian `J`.
        starts: `(starts, whole)`, float64.

    Source:
        Sussillo & Barak 2013, "Opening the black box", Neural Computation 25:626, who minimise the
        same speed; Levenberg 1944 and Marquardt 1963 for the damping.

    Example:
        >>> half = lambda s: (0.5 * s + 1, np.full((len(s), 1, 1), 0.5))
        >>> still_states(half, np.array([[0.0], [9.0]])).states.round(8).tolist()
        [[2.0], [2.0]]
    """
    states, (after, jacobians) = starts.copy(), step(starts)
    moves, eye = after - states, np.eye(starts.shape[1])
    speeds = np.linalg.norm(moves, axis=1)
    damping = np.full(len(starts), _FIRST)
    best, waited = speeds.copy(), np.zeros(len(starts), int)
    for _ in range(_ROUNDS):
        size = np.maximum(1.0, np.linalg.norm(states, axis=1))
        active = np.flatnonzero((speeds > TOLERANCE / 10 * size) & (waited < _PATIENCE))
        if not active.size:
            break
        a = jacobians[active] - eye
        transposed = a.swapaxes(1, 2)
        normal = transposed @ a + damping[active, None, None] * eye
        right = transposed @ moves[active, :, None]
        tried = states[active] - np.linalg.solve(normal, right)[..., 0]
        after, found = step(tried)
        new = after - tried
        speed = np.linalg.norm(new, axis=1)
        better = np.isfinite(speed) & (speed < speeds[active])
        taken = active[better]
        states[taken], moves[taken], speeds[taken] = tried[better], new[better], speed[better]
        jacobians[taken] = found[better]
        change = np.where(better, 1 / _FACTOR, _FACTOR)
        damping[active] = np.clip(damping[active] * change, _LEAST, _MOST)
        progress = speeds[active] < (1 - _PROGRESS) * best[active]
        best[active[progress]] = speeds[active[progress]]
        waited[active] = np.where(progress, 0, waited[active] + 1)
    return Stills(states, speeds)
