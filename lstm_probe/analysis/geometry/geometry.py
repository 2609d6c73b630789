"""`measure_geometry`: dimensions, axes and paths of a layer's states, and how they change."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from lstm_probe.analysis.geometry.cka import participation_ratio, similarity
from lstm_probe.analysis.geometry.ends import Ends, ends_by_class
from lstm_probe.analysis.student import student_975
from lstm_probe.analysis.subject import Subject, traced
from lstm_probe.analysis.words.answers import Answer
from lstm_probe.analysis.words.geometry import geometry_told
from lstm_probe.core.arrays import Array, BoolArray
from lstm_probe.core.blas import on_one_blas_thread
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.core.trace import GateTrace

__all__ = ["Geometry", "geometry_of", "measure_geometry"]

#: A band by leaving one sequence out needs this many.
_FEWEST = 3
#: On so many axes the path is shown.
_AXES = 2


@dataclass(frozen=True, eq=False)
class Geometry:
    """How the hidden states of a layer lie on the probe, and how much that has changed.

    Attributes:
        dimensions: the participation ratio of `h` over all steps that count: from 1 to the number
            of units.
        band: the 95 % band of that, by leaving out one sequence after the other; None for fewer
            than three sequences.
        units: the number of units.
        variances: `(2,)`, float64: the parts of the variance along the first two principal axes;
            0..1. The second is 0 for one unit.
        axes: `(2, units)`: the unit vectors of these axes.
        path: `(batch, time, 2)`: `h` on these axes, in the order of the input's time, its mean at
            the origin; NaN at masked steps.
        similarity: the linear CKA of `h` with that of an earlier capture, 0..1; None without one.
        by_chance: the largest CKA of the two captures in 99 orders of the sequences; None without
            an earlier capture, or with fewer than three sequences.
        earlier: the training step of the earlier capture; None without one.
        step: the training step.
        missing: what is missing, in words; empty if nothing is.
        ends: whether the sequences end apart by their classes; None without classes.

    Source:
        Gao et al. 2017, bioRxiv 214262 (participation ratio); Kornblith et al. 2019, arXiv
        1905.00414 (linear CKA); Tukey 1958 (leaving one out).

    Example:
        >>> import lstm_probe
        >>> rng = np.random.default_rng(0)
        >>> w = lstm_probe.weights.from_keras(rng.normal(size=(3, 8)), rng.normal(size=(2, 8)))
        >>> x = rng.normal(size=(4, 5, 3))
        >>> trace = lstm_probe.lstm(x, w)
        >>> seen = lstm_probe.Snapshot(0, "lstm", lstm_probe.LstmCell(), w, x=x, output=trace.h)
        >>> found = measure_geometry(seen, earlier=seen)
        >>> found.path.shape, round(found.similarity, 12)
        ((4, 5, 2), 1.0)
    """

    dimensions: float
    band: tuple[float, float] | None
    units: int
    variances: Array
    axes: Array
    path: Array
    similarity: float | None
    by_chance: float | None
    earlier: int | None
    step: int
    missing: str = ""
    ends: Ends | None = None

    def sentences(self) -> list[Answer]:
        """How the states lie in words, each with its number and its evidence."""
        return geometry_told(self.plain())

    def plain(self) -> dict[str, Any]:
        """The attributes by name, for JSON; None for NaN."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        ends = None if self.ends is None else self.ends.plain()
        return {**{name: _plain(value) for name, value in values.items()}, "ends": ends}


@on_one_blas_thread
def measure_geometry(
    subject: Subject, *, earlier: Subject | None = None, target: npt.ArrayLike | None = None
) -> Geometry:
    """Measure how the hidden states of a layer lie on the probe.

    Args:
        subject: an `Analysis`, or a `Snapshot`, of one layer.
        earlier: the same layer on the same probe at another capture, if there is one.
        target: `(batch,)`, the class of each sequence, if it has one: whether the sequences end
            apart by their classes. What is no class of each sequence is not looked at.

    Returns:
        Dimensions, axes and paths, and the similarity with the earlier capture. Where they cannot
        be measured, `missing` says why.

    Raises:
        LstmProbeError: one of the two is no layer, or they are of different probes.

    Example:
        >>> import lstm_probe
        >>> w = lstm_probe.weights.from_keras(np.ones((1, 1)), np.zeros((1, 1)))
        >>> cell, x = lstm_probe.SimpleRnnCell(), np.array([[[1.0], [2.0], [3.0]]])
        >>> seen = lstm_probe.Snapshot(0, "rnn", cell, w, x=x, output=np.tanh(x))
        >>> measure_geometry(seen).dimensions
        1.0
    """
    snapshot, trace = traced(subject)
    found = geometry_of(trace, step=snapshot.step, mask=snapshot.mask, target=target)
    if earlier is None:
        return found
    before, then = traced(earlier)
    h, valid = trace["h"].astype(np.float64), _valid(snapshot.mask, trace["h"])
    _check(h, valid, then["h"], _valid(before.mask, then["h"]))
    if found.missing:
        return found
    alike, by_chance = similarity(h, then["h"].astype(np.float64), valid)
    return replace(found, similarity=alike, by_chance=by_chance, earlier=before.step)


def geometry_of(
    trace: GateTrace,
    *,
    step: int,
    mask: BoolArray | None = None,
    target: npt.ArrayLike | None = None,
) -> Geometry:
    """As `measure_geometry`, of gates alone, as a log holds them.

    Args:
        trace: the gates.
        step: the training step.
        mask: `(batch, time)`, or None.
        target: as for `measure_geometry`.
    """
    h, valid = trace["h"].astype(np.float64), _valid(mask, trace["h"])
    values, units = h[valid], h.shape[2]
    nothing = np.full((*h.shape[:2], _AXES), np.nan)
    if why := _missing(values):
        none = np.zeros(0)
        return Geometry(np.nan, None, units, none, none, nothing, None, None, None, step, why)
    mean = values.mean(axis=0)
    _, sizes, turned = np.linalg.svd(values - mean, full_matrices=False)
    axes = np.zeros((_AXES, units))
    axes[: len(turned[:_AXES])] = turned[:_AXES]
    variances = np.square(np.concatenate([sizes, np.zeros(_AXES)])[:_AXES]) / np.square(sizes).sum()
    path = np.where(valid[..., None], (h - mean) @ axes.T, np.nan)
    return Geometry(
        participation_ratio(values),
        _band(h, valid),
        units,
        variances,
        axes,
        path,
        None,
        None,
        None,
        step,
        ends=ends_by_class(path, valid, target, reverse=trace.reverse),
    )


def _valid(mask: BoolArray | None, h: Array) -> BoolArray:
    return np.ones(h.shape[:2], np.bool_) if mask is None else mask


def _check(h: Array, valid: BoolArray, other: Array, other_valid: BoolArray) -> None:
    if h.shape[:2] != other.shape[:2] or not np.array_equal(valid, other_valid):
        raise LstmProbeError(
            "The two captures are of different probes. Received: "
            f"{h.shape[:2]} steps, {int(valid.sum())} of them valid, and {other.shape[:2]} steps, "
            f"{int(other_valid.sum())} of them valid. Expected: the same probe with the same mask."
        )


def _missing(values: Array) -> str:
    if not len(values):
        return "Every step of the probe is masked, so nothing is said of how the states lie."
    if not np.isfinite(values).all():
        return "The states hold NaN or infinity, so nothing is said of how they lie."
    if not values.std(axis=0).any():
        return "The hidden states are the same at all steps, so they have no dimensions."
    return ""


def _band(h: Array, valid: BoolArray) -> tuple[float, float] | None:
    """The band of the participation ratio, by leaving out each sequence in turn."""
    present = np.flatnonzero(valid.any(axis=1))
    if len(present) < _FEWEST:
        return None
    values = h[valid]
    whole, count = participation_ratio(values), len(present)
    total, moment = values.sum(axis=0), values.T @ values
    without = []
    for b in present:
        own = h[b, valid[b]]
        left, rest = len(values) - len(own), total - own.sum(axis=0)
        covariance = moment - own.T @ own - np.outer(rest, rest) / left
        squares = np.square(covariance).sum()
        without.append(np.trace(covariance) ** 2 / squares if squares > 0 else whole)
    spread = np.sqrt((count - 1) * np.var(without))
    half = student_975(count - 1) * float(spread)
    return max(1.0, whole - half), min(float(h.shape[2]), whole + half)


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return np.where(np.isnan(value), None, value).tolist()  # type: ignore[call-overload]
    return None if isinstance(value, float) and np.isnan(value) else value
