"""The derivatives of the GRU's equations."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Protocol

import numpy as np

from lstm_probe.cells.backward import Back, Run, StepBack
from lstm_probe.cells.shared.products import product, product_back
from lstm_probe.cells.shared.slopes import slopes
from lstm_probe.core.activations import ActivationLike
from lstm_probe.core.arrays import Array
from lstm_probe.weights.kinds import GruWeights

__all__ = ["gru_back"]


class _Gru(Protocol):
    """What `gru_back` needs of the cell."""

    @property
    def activation(self) -> ActivationLike: ...
    @property
    def recurrent_activation(self) -> ActivationLike: ...
    def resets_after(self, weights: GruWeights) -> bool: ...
    def arguments(self, run: Run) -> Array: ...


def gru_back(cell: _Gru, run: Run) -> Back:
    """Prepare the way back through the steps of a GRU.

    These are the derivatives of its equations, the last equation first:

        h' = z * h + (1 - z) * g            dz = (h - g) dh', dg = (1 - z) dh', dh = z dh'
        g = phi(x W + r * (h U + d))        dr = (h U + d) phi' dg, dh += (r phi' dg) U^T
        g = phi(x W + (r * h) U)            dr = h (phi' dg U^T), dh += r (phi' dg U^T)

    Args:
        cell: The cell that computed the run.
        run: The steps as they were computed.

    Returns:
        A function that takes gradients back through one of the steps.
    """
    weights: GruWeights = run.weights
    kernel, after = weights.recurrent_kernel, cell.resets_after(weights)
    h, (z, r, g) = run.before("h"), (run.arrays[letter] for letter in "zrg")

    @cache
    def arguments() -> Array:
        return cell.arguments(run)

    def slope(activation: ActivationLike, values: Array, gate: int) -> Array:
        return slopes(activation, values, lambda: arguments()[..., gate, :])

    slope_z = slope(cell.recurrent_activation, z, 0)
    slope_r = slope(cell.recurrent_activation, r, 1)
    slope_g = slope(cell.activation, g, 2)
    let_through = h
    if after:
        let_through = product(h, kernel)[..., 2, :]
        if weights.recurrent_bias is not None:
            let_through = let_through + weights.recurrent_bias[2]
    to_z, to_g, to_r, keeps, resets = (
        array.astype(kernel.dtype)
        for array in ((h - g) * slope_z, (1 - z) * slope_g, let_through * slope_r, z, r)
    )
    candidate = kernel[:, 2].T

    def back(t: int, change: Mapping[str, Array]) -> StepBack:
        dh = change["h"]
        dz, dg = dh * to_z[t], dh * to_g[t]
        if after:
            dr = dg * to_r[t]
            by_products = np.stack([dz, dr, dg * resets[t]], axis=-2)
            before = dh * keeps[t]
        else:
            reset = dg @ candidate
            dr = reset * to_r[t]
            by_products = np.stack([dz, dr, np.zeros_like(dg)], axis=-2)
            before = dh * keeps[t] + reset * resets[t]
        before = before + product_back(by_products, kernel)
        return StepBack(np.stack([dz, dr, dg], axis=-2), {"h": before}, change)

    return back
