"""Back through the equations in `cells/gru/cell.py`."""

from __future__ import annotations

from functools import partial

import numpy as np

from lstm_probe.cells import GruCell
from lstm_probe.cells.shared.run import Run, Walk, along, by_kernel, transposed
from lstm_probe.cells.shared.slopes import Slopes
from lstm_probe.core.arrays import Array
from lstm_probe.weights import GruWeights

__all__ = ["walk_gru"]


def walk_gru(run: Run, cell: GruCell, seeds: Array) -> Walk:
    """Take gradients back through a GRU.

    Args:
        run: the sequence.
        cell: the cell of the run.
        seeds: those of `h`, as for `walk_back`.
    """
    weights, slopes = run.weights, Slopes(run)
    assert isinstance(weights, GruWeights)
    z, r, g = (run.arrays[letter] for letter in "zrg")
    before, sigma = run.before("h"), cell.recurrent_activation
    factors = np.empty((*z.shape[:2], 4, z.shape[2]))
    np.multiply(before - g, slopes("z", sigma), out=factors[:, :, 0])
    np.multiply(1 - z, slopes("g", cell.activation), out=factors[:, :, 2])
    factors[:, :, 3] = z
    after = cell._resets_after(weights)
    if after:
        product = before @ weights.recurrent_kernel[:, 2]
        if weights.recurrent_bias is not None:
            product += weights.recurrent_bias[2]
        np.multiply(factors[:, :, 2] * product, slopes("r", sigma), out=factors[:, :, 1])
    else:
        np.multiply(before, slopes("r", sigma), out=factors[:, :, 1])
    if run.mask is not None:
        factors[~run.mask] = np.array([0.0, 0, 0, 1])[:, None]
    hidden = along(seeds, len(z))
    walk = _reset_after if after else _reset_before
    changes = walk(hidden, factors, r, weights)
    return Walk({"h": hidden}, partial(by_kernel, changes, weights))


def _reset_after(hidden: Array, factors: Array, r: Array, weights: GruWeights) -> Array:
    """In place: from seeds to gradients; returns the changes."""
    time, targets, batch, units = hidden.shape
    from_g = factors[:, :, 2].copy()
    factors[:, :, 2] *= r
    products = np.empty((time, targets, batch, 4, units))
    changes = products.reshape(time, targets * batch, 4 * units)[:, :, : 3 * units]
    back = transposed(weights)
    flat = hidden.reshape(time, targets * batch, units)
    for t in reversed(range(time)):
        if t + 1 < time:
            flat[t] += changes[t + 1] @ back
            hidden[t] += products[t + 1, :, :, 3]
        np.multiply(hidden[t, :, :, None], factors[t], out=products[t])
    # What the recurrent kernel gives passes the reset gate; what the kernel gives does not.
    np.multiply(hidden, from_g[:, None], out=products[..., 2, :])
    return products[..., :3, :]


def _reset_before(hidden: Array, factors: Array, r: Array, weights: GruWeights) -> Array:
    """In place: from seeds to gradients; returns the changes."""
    time, targets, batch, units = hidden.shape
    changes = np.empty((time, targets, batch, 3, units))
    gates = weights.recurrent_kernel[:, :2].reshape(units, -1).T
    candidate = weights.recurrent_kernel[:, 2].T
    h: Array = np.zeros((targets, batch, units))
    for t in reversed(range(time)):
        h = np.add(hidden[t], h, out=hidden[t])
        change, (from_z, from_r, from_g, kept) = changes[t], factors[t].swapaxes(0, 1)
        np.multiply(h, from_z, out=change[:, :, 0])
        np.multiply(h, from_g, out=change[:, :, 2])
        reset = change[:, :, 2] @ candidate
        np.multiply(reset, from_r, out=change[:, :, 1])
        through = (change[:, :, :2].reshape(-1, 2 * units) @ gates).reshape(h.shape)
        h = through + reset * r[t] + h * kept
    return changes
