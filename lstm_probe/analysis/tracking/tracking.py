"""`track`: which unit follows which series."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from lstm_probe.analysis.tracking.followed import Trackable, followed
from lstm_probe.analysis.tracking.regression import (
    Products,
    area,
    by_step_alone,
    centred,
    orders,
    r2_by_sequence,
)
from lstm_probe.analysis.tracking.result import LEAST_SEQUENCES, Together, Tracking
from lstm_probe.analysis.tracking.series import (
    Packed,
    Series,
    input_series,
    label_series,
    packed,
)
from lstm_probe.analysis.tracking.together import r2_together
from lstm_probe.core.arrays import Array
from lstm_probe.core.blas import on_one_blas_thread

__all__ = ["track"]


@on_one_blas_thread
def track(
    seen: Trackable,
    labels: Mapping[str, Any] | None = None,
    *,
    array: str | None = None,
    inputs: bool = True,
    lags: int = 8,
    shuffles: int = 999,
    seed: int = 0,
) -> Tracking:
    """Compare each unit of a layer with series, and say which it follows beyond chance.

    Args:
        seen: the layer on the probe; or its trace alone, as `GateTrace.load` reads it, of which the
            layer's input is not known. A test against chance takes at least 7 sequences.
        labels: the user's own series, by name: each `(batch, time)` in the order of the input's
            time, or `(batch,)`. Words are classes.
        array: the letter of the array of which units are compared. By default it is `c` where
            there is one, else `h`.
        inputs: whether units are also compared with the layer's input, lags of it, and its sums.
        lags: up to how many steps back.
        shuffles: how many shuffles of the sequences make up chance.
        seed: of the shuffles.

    Returns:
        The comparison. Where something is missing, as sequences to compare, it says so in its
        sentences, and names nothing.

    Raises:
        LstmProbeError: labels do not fit the probe, or there is no such array.

    Example:
        >>> import lstm_probe
        >>> w = lstm_probe.weights.from_keras(np.ones((1, 8)), np.ones((2, 8)))
        >>> x = np.ones((1, 5, 1))
        >>> h = lstm_probe.lstm(x, w).h
        >>> seen = lstm_probe.Snapshot(0, "lstm", lstm_probe.LstmCell(), w, x=x, output=h)
        >>> print(track(seen).sentences()[0].text)
        There is one sequence: whether a unit follows a series cannot be checked on others. Probe \
at least 7.
    """
    found = followed(seen, array)
    places = packed(found.counts, reverse=found.reverse)
    batch, time = found.counts.shape
    series = label_series({} if labels is None else labels, places, (batch, time))
    if inputs and found.x is not None:
        series += input_series(found.x, places, lags, images=found.word == "filter")
    raw = places.of(found.values)
    units = centred(raw, places.valid)
    values = np.stack([each.values for each in series] or [np.zeros(places.valid.shape)], axis=-1)
    own = centred(values, places.valid)[..., : len(series)]
    tested = _shuffled(batch, shuffles, seed)
    p, chance = _against_chance(units, own, places, series, tested)
    tracking = Tracking(
        layer=found.layer,
        step=found.step,
        word=found.word,
        letter=found.letter,
        names=tuple(each.name for each in series),
        families=tuple(each.family for each in series),
        r2=_r2(units, own, places),
        correlation=Products(units, own, places.valid).correlations(),
        p=p,
        area=_areas(raw, series, places),
        by_step=by_step_alone(raw, places.valid) if batch > 1 else np.full(raw.shape[-1], np.nan),
        together={},
        chance=chance,
        untested=_untested(series, values, own, places),
        sequences=batch,
        steps=int(places.valid.sum()),
        shuffles=len(tested),
    )
    together = _together(tracking, units, own, places, tested)
    return Tracking(**{**vars(tracking), "together": together})


def _shuffled(batch: int, count: int, seed: int) -> npt.NDArray[np.intp]:
    """The shuffles; none where there are too few sequences for them to tell anything."""
    return orders(batch, count if batch >= LEAST_SEQUENCES else 0, seed)


def _r2(units: Array, own: Array, places: Packed) -> Array:
    if len(units) < 2:
        return np.full((units.shape[-1], own.shape[-1]), np.nan)
    return r2_by_sequence(units, own, places.valid)


def _against_chance(
    units: Array,
    own: Array,
    places: Packed,
    series: Sequence[Series],
    shuffled: npt.NDArray[np.intp],
) -> tuple[Array, dict[str, float]]:
    p, chance = np.full((units.shape[-1], own.shape[-1]), np.nan), dict[str, float]()
    for family in dict.fromkeys(each.family for each in series):
        which = [k for k, each in enumerate(series) if each.family == family]
        products = Products(units, own[..., which], places.valid)
        if not len(shuffled):
            continue
        by_chance = products.largest_by_chance(shuffled)
        observed = np.square(products.correlations())
        more = (by_chance[:, None, None] >= observed * (1 - 1e-12)).sum(axis=0)
        p[:, which] = (1 + more) / (1 + len(shuffled))
        chance[family] = float(by_chance.max())
    return p, chance


def _areas(raw: Array, series: Sequence[Series], places: Packed) -> Array:
    found = np.full((raw.shape[-1], len(series)), np.nan)
    for k, each in enumerate(series):
        values = each.values[places.valid]
        if each.family == "label" and each.binary:
            found[:, k] = area(raw[places.valid], values == values.max())
    return found


def _untested(
    series: Sequence[Series], values: Array, own: Array, places: Packed
) -> dict[str, str]:
    found = {}
    for k, each in enumerate(series):
        used = values[..., k][places.valid]
        if each.family == "label" and not own[..., k].any():
            same = (used == used[0]).all()
            found[each.name] = (
                "it is constant" if same else "it is the same in all sequences, as the step is"
            )
    return found


def _together(
    tracking: Tracking,
    units: Array,
    own: Array,
    places: Packed,
    shuffled: npt.NDArray[np.intp],
) -> dict[str, Together]:
    """How well all units tell the user's series that no single one follows."""
    common = places.valid.all(axis=0)
    single = [
        k
        for k, name in enumerate(tracking.names)
        if tracking.families[k] == "label"
        and name not in tracking.named
        and name not in tracking.untested
    ]
    if not single or not len(shuffled) or units.shape[-1] < 2 or common.sum() < 2:
        return {}
    results = {k: r2_together(units[:, common], own[:, common, k], shuffled) for k in single}
    largest = np.max([chance for _, chance in results.values()], axis=0)
    if not np.isfinite(largest).all():
        return {}
    return {
        tracking.names[k]: Together(
            r2, float(largest.max()), float((1 + (largest >= r2).sum()) / (1 + len(largest)))
        )
        for k, (r2, _) in results.items()
    }
