"""The integral of gradients along the straight line from a baseline to the input.

    a_ti = (x_ti - x'_ti) * integral over alpha in 0..1 of  d f(x' + alpha (x - x')) / d x_ti

The sum of all `a_ti` is `f(x) - f(x')`, exactly. That also holds for each part of the line, and so
tells which part needs more points: a part is halved until its sum is complete.

Source:
    Sundararajan, Taly & Yan 2017, "Axiomatic attribution for deep networks", arXiv 1703.01365,
    section 3; Gauss-Legendre quadrature on each part.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lstm_probe.analysis.attribution.targets import Targets
from lstm_probe.core.arrays import Array

__all__ = ["PathIntegral", "integrate"]

#: Points on each part of the line, and parts to begin with.
_POINTS, _PARTS = 8, 2


@dataclass(frozen=True, eq=False)
class PathIntegral:
    """The integral, and how complete it is.

    Attributes:
        values: `(K, batch, time, input)`.
        at_input: `(K, batch)`: the scalars at the input.
        at_baseline: `(K, batch)`: the scalars at the baseline.
        points: at how many points of the line gradients were taken.
    """

    values: Array
    at_input: Array
    at_baseline: Array
    points: int


def integrate(
    targets: Targets, x: Array, baseline: Array, *, tolerance: float, most: int
) -> PathIntegral:
    """Integrate the gradients of some scalars from a baseline to an input.

    Args:
        targets: the scalars.
        x: `(batch, time, input)`.
        baseline: the same shape.
        tolerance: by how much the sums may miss the differences of the scalars, where these are
            at most 1; above that, relative to them.
        most: at how many points gradients are taken at most. The sums then miss more.

    Returns:
        The integral.
    """
    nodes, weights = np.polynomial.legendre.leggauss(_POINTS)
    nodes, weights = (nodes + 1) / 2, weights / 2
    way = x - baseline

    def on_the_way(alphas: Array) -> Array:
        return baseline + alphas[:, None, None, None] * way

    edges = np.linspace(0, 1, _PARTS + 1)
    known = dict(zip(edges.tolist(), targets.values(on_the_way(edges)).swapaxes(0, 1), strict=True))
    scale = np.maximum(1, np.abs(known[1.0] - known[0.0]))
    parts = list(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True))
    total, points = np.zeros((len(targets.chosen), *x.shape)), 0
    while parts:
        halved = []
        for start, stop in parts:
            gradients = targets.gradients(on_the_way(start + (stop - start) * nodes))
            part = way * np.einsum("n,knbti->kbti", weights * (stop - start), gradients)
            points += _POINTS
            missing = np.abs(part.sum(axis=(2, 3)) - (known[stop] - known[start])) / scale
            share = tolerance * max(stop - start, 0.01) / 2
            if (missing > share).any() and points + 2 * _POINTS <= most:
                halved.append((start, stop))
            else:
                total += part
        middles = [(start + stop) / 2 for start, stop in halved]
        if middles:
            found = targets.values(on_the_way(np.array(middles))).swapaxes(0, 1)
            known.update(zip(middles, found, strict=True))
        parts = [
            half
            for (start, stop), middle in zip(halved, middles, strict=True)
            for half in ((start, middle), (middle, stop))
        ]
    return PathIntegral(total, known[1.0], known[0.0], points)
