"""What an input says that the inputs after it do not say, and ridge regression."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from lstm_probe.core.arrays import Array, BoolArray

__all__ = ["folds", "innovations", "ridge", "shifted"]

#: Sequences are divided into so many folds.
_FOLDS = 5
#: Of how many later inputs an input is told apart, and how many features these may have.
_LATER, _MOST = 6, 64
#: The penalties that are tried, as parts of the number of samples; inputs have variance 1.
_PENALTIES = (1e-3, 1e-2, 1e-1, 1.0)


def folds(sequences: int, seed: int) -> npt.NDArray[np.intp]:
    """The fold of each sequence, `(sequences,)`."""
    order = np.random.default_rng(seed).permutation(sequences)
    return np.asarray(order % min(_FOLDS, sequences), np.intp)


def ridge(z: Array, r: Array) -> Array:
    """Ridge regression, whose penalty is chosen by generalised cross-validation.

    Args:
        z: `(samples, features)`.
        r: `(samples, outputs)`.

    Returns:
        `(features, outputs)`.

    Source:
        Golub, Heath & Wahba 1979, "Generalized cross-validation as a method for choosing a good
        ridge parameter", Technometrics 21:215.

    Example:
        >>> z = np.random.default_rng(0).normal(size=(500, 2))
        >>> ridge(z, z @ np.array([[2.0], [0.0]])).round(1).tolist()
        [[2.0], [0.0]]
    """
    n = max(1, len(z))
    values, axes = np.linalg.eigh(z.T @ z)
    values, turned = np.maximum(values, 0.0), axes.T @ (z.T @ r)
    total, best = float(np.square(r).sum()), (np.inf, np.zeros_like(turned))
    for part in _PENALTIES:
        shrunk = turned / (values + part * n)[:, None]
        rest = total - 2 * (shrunk * turned).sum() + (values[:, None] * shrunk**2).sum()
        freedom = float((values / (values + part * n)).sum())
        score = rest / max(1e-3, 1 - freedom / n) ** 2
        if score < best[0]:
            best = score, shrunk
    return np.asarray(axes @ best[1])


def shifted(array: Array, lag: int) -> Array:
    """`x[t - lag]` in the place of `x[t]`; 0 or False where there is none. Time is axis 1."""
    moved = np.zeros_like(array)
    if lag < array.shape[1]:
        moved[:, lag:] = array[:, : array.shape[1] - lag]
    return moved


def innovations(x: Array, there: BoolArray, fold: npt.NDArray[np.intp]) -> Iterator[Array]:
    """What is new in an input, given 0, 1, 2, ... of the inputs that follow it.

        e_c[u] = x[u] - sum over i from 1 to c of A_i x[u + i]

    The regression is made on other sequences than those that it is applied to.

    Args:
        x: `(batch, time, features)`.
        there: `(batch, time)`.
        fold: `(batch,)`.

    Yields:
        `(batch, time, features)` for each number of later inputs, up to a few.

    Example:
        >>> x = np.cumsum(np.random.default_rng(0).normal(size=(20, 50, 1)), axis=1)
        >>> there = np.ones((20, 50), bool)
        >>> none, one = [*innovations(x, there, folds(20, 0))][:2]
        >>> bool(none[:, :-1].var() > 5 * one[:, :-1].var())
        True
    """
    yield x
    for count in range(1, max(1, min(_LATER, _MOST // x.shape[2])) + 1):
        if count >= x.shape[1]:
            return
        later = [np.roll(x, -i, axis=1) for i in range(1, count + 1)]
        controls = np.concatenate(later, axis=2)
        whole = there & shifted(there[:, ::-1], count)[:, ::-1]
        result = np.zeros_like(x)
        for k in range(fold.max() + 1):
            others, own = whole & (fold != k)[:, None], whole & (fold == k)[:, None]
            result[own] = x[own] - controls[own] @ ridge(controls[others], x[others])
        yield result
