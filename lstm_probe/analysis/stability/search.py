"""Where the search for fixed points begins, and which of the states that it finds count."""

from __future__ import annotations

import numpy as np

from lstm_probe.analysis.stability.at_rest import AtRest
from lstm_probe.analysis.stability.newton import TOLERANCE
from lstm_probe.core.arrays import Array, BoolArray

__all__ = [
    "LEFT_ALONE",
    "chosen",
    "distances",
    "distinct",
    "eigenvalues_at",
    "end",
    "kinds_of",
    "spread",
    "starts_around",
]

#: A state is slow where a step moves it by less than this part of the size of the trajectory.
_SLOW = 0.01
#: States closer than this part of the size of the trajectory are the same point.
_SAME = 1e-4
#: A path ends at a stable point that it has come this near to, as a part of that size.
_NEAR = 0.2
#: An eigenvalue this close to the unit circle is on it, as far as float64 tells.
_ON_CIRCLE = 1e-6
#: From so many states of the trajectory Newton's method starts, and so many are left to themselves.
_STARTS, LEFT_ALONE = 40, 16
#: The memory of a Newton step: so many values of Jacobians at once.
_VALUES = 2**23
#: A point is the network's own where a state that was visited, or to which the network goes if left
#: to itself, is closer than this many times the size of the trajectory.
_FAR = 2.0


def spread(states: Array, count: int) -> Array:
    """So many of the states, spread evenly over all."""
    places = np.linspace(0, len(states) - 1, min(count, len(states))).round().astype(int)
    return states[places]


def starts_around(visited: Array, size: float, whole: int) -> Array:
    """States of the trajectory, and as many around them."""
    count = int(np.clip(_VALUES // (3 * whole**2), 4, _STARTS))
    on_path = spread(visited, count)
    rng = np.random.default_rng(0)
    noise = rng.normal(size=on_path.shape) * size / np.sqrt(whole)
    return np.concatenate([on_path, on_path + noise])


def distinct(states: Array, size: float) -> Array:
    """The states without those that are the same as an earlier one."""
    keep: list[int] = []
    for k, state in enumerate(states):
        if (np.linalg.norm(states[keep] - state, axis=1) > _SAME * size).all():
            keep.append(k)
    return states[keep]


def end(path: Array, points: Array, kinds: tuple[str, ...], size: float) -> int | None:
    """The point at which a path ends: it is there, or on its way to a stable one and near."""
    if not len(points):
        return None
    gaps = np.linalg.norm(points - path[-1], axis=1)
    nearest = int(gaps.argmin())
    if gaps[nearest] <= _SAME * size:
        return nearest
    if kinds[nearest] == "unstable":
        return None
    half = float(np.linalg.norm(points[nearest] - path[len(path) // 2]))
    on_its_way = gaps[nearest] <= _NEAR * size and gaps[nearest] <= 0.9 * half
    rests = np.linalg.norm(path[-1] - path[-2]) <= _SAME * size
    return nearest if on_its_way or (rests and gaps[nearest] <= size) else None


def distances(points: Array, visited: Array) -> Array:
    """How far each point is from the nearest state that was visited."""
    nearest = [np.linalg.norm(visited - point, axis=1).min() for point in points]
    return np.array(nearest, np.float64)


def chosen(states: Array, speeds: Array, known: Array, size: float) -> tuple[Array, Array]:
    """The still states without those that are fast, far away or the same, the stillest first."""
    keep: list[int] = []
    enough = np.isfinite(speeds) & (speeds <= _SLOW * size)
    near = distances(states, known) <= _FAR * size
    still = np.where(_are_fixed(states, speeds), 0.0, speeds)
    order = np.lexsort((np.linalg.norm(states, axis=1), still))
    for k in order:
        if not (enough[k] and near[k]):
            continue
        if all(np.linalg.norm(states[k] - states[other]) > _SAME * size for other in keep):
            keep.append(int(k))
    return states[keep], speeds[keep]


def eigenvalues_at(step: AtRest, points: Array) -> Array:
    if not len(points):
        return np.zeros(points.shape, np.complex128)
    jacobians = step(points)[1]
    finite = np.isfinite(jacobians).all(axis=(1, 2))
    values = np.full(points.shape, np.nan, np.complex128)
    values[finite] = np.linalg.eigvals(jacobians[finite])
    order = np.argsort(-np.abs(values), axis=1, kind="stable")
    return np.asarray(np.take_along_axis(values, order, axis=1))


def _are_fixed(states: Array, speeds: Array) -> BoolArray:
    return speeds <= TOLERANCE * np.maximum(1.0, np.linalg.norm(states, axis=1))


def kinds_of(points: Array, speeds: Array, eigenvalues: Array) -> tuple[str, ...]:
    found = []
    for fixed, values in zip(_are_fixed(points, speeds), eigenvalues, strict=True):
        beyond = float(np.abs(values[0])) - 1
        if not fixed:
            found.append("slow")
        elif abs(beyond) <= _ON_CIRCLE:
            found.append("marginal")
        else:
            found.append("unstable" if beyond > 0 else "stable")
    return tuple(found)
