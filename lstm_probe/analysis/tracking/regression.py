"""How well units follow series: cross-validated by sequence, against chance by sequence.

What all sequences have in common at a step is taken off first, of units and of series: a trend that
every sequence shares would look like tracking. What is left is compared between sequences.

    c_bt - mean over b of c_bt  =  slope * (s_bt - mean over b of s_bt) + intercept

For chance, whole sequences of the series are given to other sequences. Steps are never shuffled:
slow signals would then look like more than chance. Of each shuffle the largest correlation over all
units and all series of a family counts, so that looking at many of them is paid for.

Source:
    Karpathy, Johnson & Fei-Fei 2015, arXiv 1506.02078; Lees et al. 2022, HESS 26:3079 (units and
    series); Westfall & Young 1993, "Resampling-based multiple testing" (the largest of all).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lstm_probe.core.arrays import Array, BoolArray

__all__ = ["Products", "area", "by_step_alone", "centred", "folds_of", "orders", "r2_by_sequence"]

#: Of the variance of a unit or a series, what is rounding.
_ROUNDING = 1e-18
#: Chance is worked out for about this many numbers at once.
_NUMBERS = 2**22


def centred(values: Array, valid: BoolArray) -> Array:
    """Take off, at each step, the mean over the sequences that have the step.

    Args:
        values: `(batch, time, n)`, 0 where not valid.
        valid: `(batch, time)`.

    Returns:
        The same shape; 0 where not valid, and at steps that a single sequence has.
    """
    counts = valid.sum(axis=0)
    mean = values.sum(axis=0) / np.maximum(counts, 1)[:, None]
    kept = (valid & (counts > 1))[..., None]
    found = np.where(kept, values - mean, 0.0)
    # What a difference of equal numbers leaves is rounding, and no variance.
    floor = _ROUNDING * np.square(values).sum(axis=(0, 1))
    return np.where(np.square(found).sum(axis=(0, 1)) > floor, found, 0.0)


@dataclass(frozen=True, eq=False)
class Products:
    """Sums over the steps of pairs of sequences: of units in one, and of series in the other.

    Attributes:
        units: `(batch, time, units)`, centred.
        series: `(batch, time, series)`, centred.
        valid: `(batch, time)`.
    """

    units: Array
    series: Array
    valid: BoolArray

    def correlations(self) -> Array:
        """`(units, series)`: the correlation of each unit with each series; 0 for constants."""
        product = np.einsum("bth,bts->hs", self.units, self.series, optimize=True)
        squares = np.outer(np.square(self.units).sum((0, 1)), np.square(self.series).sum((0, 1)))
        return np.asarray(product / np.sqrt(np.where(squares > 0, squares, np.inf)))

    def largest_by_chance(self, shuffled: npt.NDArray[np.intp]) -> Array:
        """The largest squared correlation of each shuffle, over all units and series.

        Args:
            shuffled: `(shuffles, batch)`: which sequence's series each sequence gets.

        Returns:
            `(shuffles,)`. Where sequences have different lengths, the steps that both have count.
        """
        count, units = len(shuffled), self.units.shape[2]
        largest = np.zeros(count)
        at_once = max(1, _NUMBERS // (max(count, len(self.units) ** 2) * units))
        of_units = np.einsum("bth,at->bah", np.square(self.units), self.valid.astype(float))
        by_unit = _summed(of_units, shuffled)
        for start in range(0, self.series.shape[2], at_once):
            part = self.series[..., start : start + at_once]
            products = np.einsum("bth,ats->bahs", self.units, part, optimize=True)
            sums = _summed(products.reshape(*products.shape[:2], -1), shuffled)
            of_series = np.einsum("bt,ats->bas", self.valid.astype(float), np.square(part))
            squares = by_unit[:, :, None] * _summed(of_series, shuffled)[:, None]
            found = np.square(sums).reshape(squares.shape) / np.where(squares > 0, squares, np.inf)
            largest = np.maximum(largest, found.max(axis=(1, 2)))
        return largest


def _summed(by_pair: Array, shuffled: npt.NDArray[np.intp]) -> Array:
    """From `(batch, batch, n)` to `(shuffles, n)`: the sum over the pairs of each shuffle."""
    total = np.zeros((len(shuffled), by_pair.shape[2]))
    for b in range(len(by_pair)):
        total += by_pair[b, shuffled[:, b]]
    return total


def orders(batch: int, count: int, seed: int) -> npt.NDArray[np.intp]:
    """Different orders of some sequences, without the one that they have.

    Args:
        batch: the number of sequences.
        count: how many orders; all where there are no more.
        seed: of the random ones.

    Returns:
        `(orders, batch)`.
    """
    rng, own = np.random.default_rng(seed), tuple(range(batch))
    wanted = min(count, math.factorial(min(batch, 20)) - 1)
    found: dict[tuple[int, ...], None] = {}
    while len(found) < wanted:
        order = tuple(rng.permutation(batch).tolist())
        if order != own:
            found[order] = None
    return np.array(list(found), np.intp).reshape(len(found), batch)


def folds_of(batch: int) -> npt.NDArray[np.intp]:
    """`(batch,)`: the fold of each sequence; up to 8 folds."""
    return np.arange(batch) % min(batch, 8)


def r2_by_sequence(units: Array, series: Array, valid: BoolArray) -> Array:
    """How much of each unit's variance a line through each series explains, in other sequences.

    Args:
        units: `(batch, time, units)`, centred.
        series: `(batch, time, series)`, centred.
        valid: `(batch, time)`.

    Returns:
        `(units, series)`, at most 1, and below 0 where the line is worse than none. NaN for a unit
        or a series that is constant.
    """
    folds = folds_of(len(units))
    sums = [
        np.stack([part[folds == k].sum(axis=0) for k in range(folds.max() + 1)])
        for part in (
            np.broadcast_to(valid.sum(axis=1)[:, None, None].astype(float), (len(units), 1, 1)),
            units.sum(axis=1)[:, :, None],
            series.sum(axis=1)[:, None, :],
            np.square(units).sum(axis=1)[:, :, None],
            np.square(series).sum(axis=1)[:, None, :],
            np.einsum("bth,bts->bhs", units, series, optimize=True),
        )
    ]
    n, c, s, cc, ss, cs = ([own, own.sum(axis=0) - own] for own in sums)  # test, train
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = ss[1] - np.square(s[1]) / n[1]
        spread = np.where(spread > _ROUNDING * ss[1], spread, np.nan)
        slope = (cs[1] - c[1] * s[1] / n[1]) / spread
        shift = (c[1] - slope * s[1]) / n[1]
        errors = (
            cc[0] - 2 * slope * cs[0] - 2 * shift * c[0] + 2 * slope * shift * s[0]
            + np.square(slope) * ss[0] + np.square(shift) * n[0]
        )  # fmt: skip
        total = cc[0].sum(axis=0)
        found = 1 - errors.sum(axis=0) / np.where(total > 0, total, np.nan)
    return np.asarray(np.minimum(found, 1.0))


def by_step_alone(units: Array, valid: BoolArray) -> Array:
    """How much of each unit's variance the mean of the other sequences at the same step explains.

    Args:
        units: `(batch, time, units)`, not centred.
        valid: `(batch, time)`.

    Returns:
        `(units,)`, at most 1; NaN for a unit that is constant, and for a single sequence.
    """
    counts = valid.sum(axis=0)
    others = (valid & (counts > 1))[..., None]
    mean = (units.sum(axis=0) - units) / np.maximum(counts - 1, 1)[:, None]
    errors = np.where(others, np.square(units - mean), 0).sum(axis=(0, 1))
    used = np.where(others, units, np.nan)
    total = np.nansum(np.square(used - np.nanmean(used, axis=(0, 1))), axis=(0, 1))
    floor = _ROUNDING * np.square(units).sum(axis=(0, 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(total > floor, 1 - errors / total, np.nan)


def area(units: Array, classes: BoolArray) -> Array:
    """The area under the ROC curve of each unit, for telling two classes apart.

    Args:
        units: `(n, units)`.
        classes: `(n,)`, bool.

    Returns:
        `(units,)`, 0..1: the probability that a step of the class has the larger value.

    Source:
        Hanley & McNeil 1982, "The meaning and use of the area under a ROC curve".
    """
    positive, found = int(classes.sum()), np.empty(units.shape[1])
    for k, values in enumerate(units.T):
        _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
        ranks = (counts.cumsum() - (counts - 1) / 2)[places]
        above = ranks[classes].sum() - positive * (positive + 1) / 2
        found[k] = above / (positive * (len(values) - positive))
    return found
