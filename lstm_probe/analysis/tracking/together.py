"""How well all units together tell a series, where no single one does."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lstm_probe.analysis.tracking.regression import folds_of
from lstm_probe.core.arrays import Array

__all__ = ["r2_together"]

#: The ridge, as a part of the mean variance of a unit, for each step.
_RIDGE = 1e-6


def r2_together(units: Array, series: Array, shuffled: npt.NDArray[np.intp]) -> tuple[float, Array]:
    """The cross-validated R2 of ridge regression of a series on all units.

    Args:
        units: `(batch, time, units)`, centred, at steps that all sequences have.
        series: `(batch, time)`, the same.
        shuffled: `(shuffles, batch)`: which sequence's series each sequence gets.

    Returns:
        The R2, at most 1, and that of each shuffle, `(shuffles,)`. NaN for a constant.

    Source:
        Hoerl & Kennard 1970, "Ridge regression: biased estimation for nonorthogonal problems".
    """
    batch, time = series.shape
    folds = folds_of(batch)
    targets = np.concatenate([series[None], series[shuffled]]).reshape(-1, batch * time).T
    errors, at = np.zeros(targets.shape[1]), np.repeat(folds, time)
    rows = units.reshape(batch * time, -1)
    for fold in range(folds.max() + 1):
        train, test = rows[at != fold], rows[at == fold]
        square = train.T @ train
        size = np.trace(square) / len(square)
        if not size > 0:
            return float("nan"), np.full(len(shuffled), np.nan)
        ridge = _RIDGE * size * np.eye(len(square))
        weights = np.linalg.solve(square + ridge, train.T @ targets[at != fold])
        errors += np.square(targets[at == fold] - test @ weights).sum(axis=0)
    total = np.square(targets).sum(axis=0)
    found = 1 - errors / np.where(total > 0, total, np.nan)
    return float(found[0]), found[1:]
