"""How strongly two series depend on each other, and how strongly they would by chance."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lstm_probe.core.arrays import Array, BoolArray

__all__ = ["dependence"]

#: The least variance of a direction, as a part of the mean, that is made 1.
_LEAST = 1e-3


def dependence(
    z: Array, r: Array, both: BoolArray, orders: npt.NDArray[np.intp]
) -> tuple[float, Array]:
    """The strength of the linear dependence, as it is and with the sequences of one exchanged.

    It is the squared norm of the cross-covariance of the two, each of variance 1 in all directions.

    Args:
        z: `(batch, time, features)`.
        r: `(batch, time, outputs)`.
        both: `(batch, time)`, where both are there.
        orders: `(permutations, batch)`, orders of the sequences.

    Returns:
        The strength as it is, and that of each order, `(permutations,)`.
    """
    # Only sequences that have both are exchanged: others would add nothing, and lessen chance.
    present = np.asarray(both.any(axis=1))
    orders = (np.cumsum(present) - 1)[orders[present[orders]].reshape(len(orders), -1)]
    z, r, both = z[present], r[present], both[present]
    z, r = (_white(np.where(both[..., None], array, 0.0), both) for array in (z, r))
    batch, time, features = z.shape
    outputs = r.shape[2]
    by_pair = z.swapaxes(1, 2).reshape(-1, time) @ r.swapaxes(0, 1).reshape(time, -1)
    pairs = by_pair.reshape(batch, features, batch, outputs).swapaxes(1, 2)
    overlap = both.astype(np.float64) @ both.T.astype(np.float64)
    own = np.diagonal(overlap)[:, None]
    # Where sequences of different lengths are exchanged, fewer steps are summed.
    scale = np.sqrt(np.divide(own, overlap, out=np.zeros_like(overlap), where=overlap > 0))
    pairs = pairs * scale[..., None, None]
    rows = np.arange(batch)
    strength = float(np.square(pairs[rows, rows].sum(axis=0)).sum())
    by_chance = [np.square(pairs[rows, order].sum(axis=0)).sum() for order in orders]
    return strength, np.array(by_chance)


def _white(array: Array, where: BoolArray) -> Array:
    """Turn and stretch the features so that all directions have variance 1."""
    values = array[where]
    covariance = values.T @ values / max(1, len(values))
    sizes, axes = np.linalg.eigh(covariance)
    least = _LEAST * max(float(sizes.mean()), np.finfo(np.float64).tiny)
    return np.asarray(array @ (axes / np.sqrt(np.maximum(sizes, least))))
