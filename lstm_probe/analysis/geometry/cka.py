"""Two measures of how states lie: the similarity of two captures, and the number of dimensions."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lstm_probe.core.arrays import Array, BoolArray, as_floats
from lstm_probe.core.errors import LstmProbeError

__all__ = ["linear_cka", "participation_ratio", "similarity"]

#: In so many orders of the sequences two captures are compared by chance.
_ORDERS = 99
#: What chance gives takes this many sequences.
_FEWEST = 3


def linear_cka(first: npt.ArrayLike, second: npt.ArrayLike) -> float:
    """The similarity of two representations of the same samples, by linear kernels.

        CKA(X, Y) = |Y^T X|^2 / (|X^T X| |Y^T Y|),    X and Y without their means

    It is 1 where one is the other turned, mirrored or scaled, and does not change with that. With
    few samples and many units it is above 0 for representations that have nothing in common:
    compare with what shuffled samples give.

    Args:
        first: `(samples, units)`, such as the states of all steps at one capture.
        second: `(samples, other units)`, the same samples at another capture.

    Returns:
        0..1; NaN if one of the two is constant.

    Raises:
        LstmProbeError: the two are not tables of the same samples.

    Source:
        Kornblith, Norouzi, Lee & Hinton 2019, "Similarity of neural network representations
        revisited", arXiv 1905.00414, equation 5 and section 4.

    Example:
        >>> x = np.random.default_rng(0).normal(size=(50, 3))
        >>> turned = 2 * x @ np.array([[0.0, 1, 0], [-1, 0, 0], [0, 0, 1]])
        >>> round(linear_cka(x, turned), 12)
        1.0
    """
    a, b = _table(first), _table(second)
    if len(a) != len(b):
        raise LstmProbeError(
            f"These are not the same samples. Received: {len(a)} and {len(b)} rows. Expected: two "
            "captures of one probe."
        )
    return cka_of_centred(a - a.mean(axis=0), b - b.mean(axis=0))


def cka_of_centred(a: Array, b: Array) -> float:
    """As `linear_cka`, of tables without their means."""
    own = np.linalg.norm(a.T @ a) * np.linalg.norm(b.T @ b)
    return float(np.square(b.T @ a).sum() / own) if own > 0 else float("nan")


def similarity(
    h: Array, other: Array, valid: BoolArray, *, orders: int = _ORDERS
) -> tuple[float | None, float | None]:
    """The CKA of the states of two captures, and the largest that exchanged sequences give.

    States that merely follow the clock look alike in any order of the sequences.

    Args:
        h: `(batch, time, units)`, float64.
        other: the same of the other capture, which may have other units.
        valid: `(batch, time)`: which steps count.
        orders: in how many orders of the sequences the two are compared by chance.

    Returns:
        0..1, or None where one of the two is constant; and None with fewer than three sequences.

    Example:
        >>> h = np.random.default_rng(0).normal(size=(8, 20, 2))
        >>> found, by_chance = similarity(h, -h, np.ones((8, 20), bool))
        >>> round(found, 12), by_chance < 0.5
        (1.0, True)
    """
    a, b = (np.where(valid[..., None], each - each[valid].mean(axis=0), 0.0) for each in (h, other))
    found = cka_of_centred(a[valid], b[valid])
    present = np.flatnonzero(valid.any(axis=1))
    if not np.isfinite(found):
        return None, None
    if len(present) < _FEWEST:
        return found, None
    rng = np.random.default_rng(0)
    own = np.linalg.norm(a[valid].T @ a[valid]) * np.linalg.norm(b[valid].T @ b[valid])
    largest = 0.0
    for _ in range(orders):
        exchanged = b[rng.permutation(present)]
        cross = np.tensordot(exchanged, a[present], axes=([0, 1], [0, 1]))
        largest = max(largest, float(np.square(cross).sum() / own))
    return found, largest


def participation_ratio(values: npt.ArrayLike) -> float:
    """In how many dimensions states lie, counted by their variances.

        PR = (sum of l_k)^2 / (sum of l_k^2),    l_k the eigenvalues of the covariance

    Args:
        values: `(samples, units)`.

    Returns:
        1 for states on a line, the number of units for states that spread alike in all directions;
        NaN if they are constant.

    Raises:
        LstmProbeError: this is no table of numbers.

    Source:
        Gao et al. 2017, "A theory of multineuronal dimensionality, dynamics and measurement",
        bioRxiv 214262; Engelken, Wolf & Abbott 2020, arXiv 2006.02427, use it for networks.

    Example:
        >>> corners = np.array([[1.0, 1, 0], [1, -1, 0], [-1, 1, 0], [-1, -1, 0]])
        >>> participation_ratio(corners), participation_ratio(corners[:2])
        (2.0, 1.0)
    """
    table = _table(values)
    centred = table - table.mean(axis=0)
    covariance = centred.T @ centred
    squares = float(np.square(covariance).sum())
    return float(np.trace(covariance)) ** 2 / squares if squares > 0 else float("nan")


def _table(values: npt.ArrayLike) -> Array:
    table = as_floats(values, "A representation", "(samples, units)").astype(np.float64)
    if table.ndim != 2 or 0 in table.shape:
        raise LstmProbeError(
            f"This is no table of states. Received: shape {table.shape}. Expected: (samples, "
            "units), with at least one of each."
        )
    return table
