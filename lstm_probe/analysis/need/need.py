"""`measure_need`: how far back the target reaches in the data, and the network's memory."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from itertools import chain, repeat
from typing import Any

import numpy as np
import numpy.typing as npt

from lstm_probe.analysis.analysis import Analysis
from lstm_probe.analysis.gradient.gradient import gradient_through_time
from lstm_probe.analysis.health.health import measure_health
from lstm_probe.analysis.need.innovations import folds, innovations, ridge, shifted
from lstm_probe.analysis.need.null import dependence
from lstm_probe.analysis.need.series import Series, series_of
from lstm_probe.analysis.subject import Subject, traced
from lstm_probe.analysis.words.answers import Answer
from lstm_probe.analysis.words.need import need_told
from lstm_probe.core.arrays import Array, BoolArray, as_floats
from lstm_probe.core.blas import on_one_blas_thread
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.core.masks import as_mask

__all__ = ["Need", "measure_need"]

#: Fewer sequences have too few orders to tell chance from need.
_FEWEST = 8
#: With fewer other orders the largest strength by chance is not known.
_FEWEST_ORDERS = 99
#: A lag that explains less than this part of the target's variance is not worth a memory.
_WORTH = 0.01
#: So many lags are looked at unless the caller says how many.
_LAGS = 128


@dataclass(frozen=True, eq=False)
class Need:
    """The lags of the input that the target depends on, and how far the network remembers.

    The target is explained by the input of the same step, then by what the input one step earlier
    says beyond that, and so on. All regressions are tested on sequences that they were not made of,
    and each lag against chance: against the same sequences in other orders. A linear regression
    sees no dependence that is not linear, such as parity.

    Attributes:
        gains: `(lags,)`, float64: by how much each lag raises the part of the target's variance
            that is explained, on sequences that the regression has not seen; at most 1.
        strength: `(lags,)`: the strength of the dependence in standard deviations of chance, above
            the mean of chance.
        by_chance: the largest strength of any lag in any of `orders` orders of the sequences.
        lags: the lags that matter: stronger than chance in all orders, and worth at least 1 % of
            the variance. Empty if there are none.
        horizon: after how many steps the longest memory of the network's gates has faded to 1/e;
            None for a cell without such a gate.
        reach: how many steps back its gradient stays above 1 % of its largest value; None if it is
            not known.
        sequences: of how many sequences this was measured.
        timesteps: how many steps the longest has.
        orders: in how many other orders the sequences were compared.
        missing: what is missing, in words; empty if nothing is. The arrays are then empty.

    Source:
        Tallec & Ollivier 2018, arXiv 1804.11188, and Mahto et al. 2021, arXiv 2009.12727, for the
        comparison of the two; Chernozhukov et al. 2018, "Double/debiased machine learning", for
        regressions on other sequences than those they are applied to; Westfall & Young 1993 for the
        largest strength of any lag as the measure of chance.

    Example:
        >>> none = np.zeros(0)
        >>> Need(none, none, 0.0, (2, 5), 30.0, 12.0, 20, 40, 499).need
        5
    """

    gains: Array
    strength: Array
    by_chance: float
    lags: tuple[int, ...]
    horizon: float | None
    reach: float | None
    sequences: int
    timesteps: int
    orders: int
    missing: str = ""

    @property
    def need(self) -> int | None:
        """The largest lag that matters; None if none does."""
        return max(self.lags, default=None)

    @property
    def explained(self) -> float:
        """The part of the target's variance that the lags that matter explain; 0..1."""
        return float(sum(self.gains[k] for k in self.lags))

    @property
    def forget_bias(self) -> float | None:
        """The bias of a forget gate that keeps as long as is needed, `log(need)`; None if nothing
        or only the last two steps are needed."""
        return None if self.need is None or self.need < 2 else float(np.log(self.need))

    def sentences(self) -> list[Answer]:
        """What is needed and what is remembered in words, each with its number and evidence."""
        return need_told(self.plain())

    def plain(self) -> dict[str, Any]:
        """The attributes by name, for JSON."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        known = {
            name: value.tolist() if isinstance(value, np.ndarray) else value
            for name, value in values.items()
        }
        extra = {"need": self.need, "explained": self.explained, "forget_bias": self.forget_bias}
        horizon = self.horizon
        if horizon is not None and not np.isfinite(horizon):
            known["horizon"] = None if np.isnan(horizon) else "infinity"
        return {**known, **extra}


@on_one_blas_thread
def measure_need(
    subject: Subject,
    targets: npt.ArrayLike,
    *,
    data: npt.ArrayLike | None = None,
    mask: npt.ArrayLike | None = None,
    lags: int | None = None,
    orders: int = 499,
    seed: int = 0,
) -> Need:
    """Measure at which lags the input helps to tell the target, and how far the network remembers.

    What is needed is a fact of data and targets; what is remembered, of the network. With a layer
    that is not the first, its input is the output of the layer below, which remembers too: hand the
    model's own input over as `data`.

    Args:
        subject: an `Analysis`, or a `Snapshot`, of one layer.
        targets: what is to be told: `(batch, time)` or `(batch, time, outputs)` for targets of each
            step, in the order of the input's time; `(batch,)` or `(batch, outputs)` for a target of
            each sequence. Numbers, truth values, or words for classes; whole numbers of few values
            are looked at both as numbers and as classes.
        data: `(batch, time, input)`: the input that belongs to the targets. The default is what the
            layer read of the probe. A probe of few sequences tells little: hand over more data.
        mask: `(batch, time)`, False where a step of `data` does not count.
        lags: the largest lag that is looked at; the default is all of up to 127.
        orders: with how many other orders of the sequences a lag is compared; 99 or more.
        seed: of the orders.

    Returns:
        The lags that matter, and the horizons. Where need cannot be measured, as from one sequence
        or with a target that is the same everywhere, `missing` says why.

    Raises:
        LstmProbeError: the targets do not fit the input, or too few lags or orders are asked for.

    Example:
        >>> from lstm_probe import SimpleRnnCell, Snapshot, weights
        >>> rng = np.random.default_rng(0)
        >>> w = weights.from_keras(rng.normal(size=(1, 4)), rng.normal(size=(4, 4)))
        >>> x = rng.normal(size=(20, 30, 1))
        >>> seen = Snapshot(0, "rnn", SimpleRnnCell(), w, x=x, output=np.zeros((20, 30, 4)))
        >>> measure_need(seen, targets=np.roll(x, 3, axis=1)[..., 0]).lags
        (3,)
    """
    for name, value, least in (("lags", lags, 0), ("orders", orders, _FEWEST_ORDERS)):
        if value is not None and not value >= least:
            raise LstmProbeError(
                f"Too few {name} are asked for. Received: {name}={value}. Expected: {least} or "
                "more."
            )
    horizon, reach = _remembered(subject)
    x, valid, reverse = _data(subject, data, mask)
    series = series_of(x, targets, valid, reverse=reverse)
    timesteps = series.x.shape[1]
    blank = np.zeros(0)
    nothing = Need(blank, blank, 0.0, (), horizon, reach, len(x), timesteps, 0)
    finite = bool(np.isfinite(x if valid is None else x[valid]).all())
    missing = _missing(series, finite=finite)
    if missing:
        return replace(nothing, missing=missing)
    count = min(timesteps, _LAGS if lags is None else lags + 1)
    gains, strength, by_chance = _each_lag(series, count, orders, seed)
    matter = tuple(
        int(k) for k in np.flatnonzero((strength > max(by_chance, 0.0)) & (gains >= _WORTH))
    )
    return replace(
        nothing, gains=gains, strength=strength, by_chance=by_chance, lags=matter, orders=orders
    )


def _remembered(subject: Subject) -> tuple[float | None, float | None]:
    """The horizon of the gates and the reach of the gradient."""
    snapshot, trace = traced(subject)
    if isinstance(subject, Analysis):
        health, gradient = subject.health, subject.gradient
    else:
        health = measure_health(snapshot, trace)
        gradient = gradient_through_time(snapshot, trace)
    horizon = None if health.horizon is None else float(health.horizon.max())
    return horizon, None if gradient is None else float(gradient.reach[gradient.memory])


def _data(
    subject: Subject, data: npt.ArrayLike | None, mask: npt.ArrayLike | None
) -> tuple[Array, BoolArray | None, bool]:
    snapshot, _ = traced(subject)
    if data is None:
        if mask is not None:
            raise LstmProbeError(
                "A mask is given without data. Received: mask alone. Expected: data= with it; the "
                "probe of a layer has its own mask."
            )
        return snapshot.x.astype(np.float64), snapshot.mask, snapshot.reverse
    x = as_floats(data, "The data", "(batch, time, input)").astype(np.float64)
    valid = None if mask is None else as_mask(mask)
    if x.ndim != 3 or (valid is not None and valid.shape != x.shape[:2]):
        raise LstmProbeError(
            f"The data do not fit. Received: data of shape {x.shape}, mask of shape "
            f"{None if valid is None else valid.shape}. Expected: (batch, time, input) and (batch, "
            "time)."
        )
    return x, valid, snapshot.reverse


def _missing(series: Series, *, finite: bool) -> str:
    sequences = int(series.counts.any(axis=1).sum())
    if not series.counts.any():
        return "Every step is masked, so nothing is said of what the target needs."
    if sequences < _FEWEST:
        return (
            f"There {'is' if sequences == 1 else 'are'} {sequences} sequence"
            f"{'s' * (sequences != 1)}: to tell need from chance takes at least {_FEWEST}."
        )
    if not finite:
        return "The input holds NaN or infinity, so nothing is said of what the target needs."
    if series.constant:
        return f"The {series.constant} is the same in all sequences, so there is nothing to tell."
    return ""


def _each_lag(series: Series, count: int, orders: int, seed: int) -> tuple[Array, Array, float]:
    """Gain and strength of each lag, and the largest strength of any lag by chance."""
    fold = folds(len(series.x), seed)
    rng = np.random.default_rng(seed)
    mixed = np.stack([rng.permutation(len(series.x)) for _ in range(orders)])
    new = list(innovations(series.x, series.there, fold))
    rest, total = series.y.copy(), float(np.square(series.y).sum())
    gains, strength, chance = np.zeros(count), np.zeros(count), np.zeros((count, orders))
    for lag, innovation in zip(range(count), chain(new, repeat(new[-1])), strict=False):
        z = shifted(innovation, lag)
        both = series.counts & shifted(series.there, lag)
        if both.any(axis=1).sum() < _FEWEST:
            break
        found, by_chance = dependence(z, rest, both, mixed)
        mean, spread = by_chance.mean(), by_chance.std() or 1.0
        strength[lag], chance[lag] = (found - mean) / spread, (by_chance - mean) / spread
        better = _explained(z, rest, both, fold)
        gains[lag] = (np.square(rest).sum() - np.square(better).sum()) / total
        if gains[lag] > 0:
            rest = better
    return gains, strength, float(chance.max())


def _explained(z: Array, r: Array, both: BoolArray, fold: npt.NDArray[np.intp]) -> Array:
    """What is left of `r` when `z` has explained what it can, by regressions on other sequences."""
    left = r.copy()
    for k in range(fold.max() + 1):
        others, own = both & (fold != k)[:, None], both & (fold == k)[:, None]
        left[own] = r[own] - z[own] @ ridge(z[others], r[others])
    return left
