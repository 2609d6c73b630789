"""The series that units are compared with: inputs, what can be made of them, and the user's own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from lstm_probe.core.arrays import Array, BoolArray
from lstm_probe.core.errors import LstmProbeError

__all__ = ["Packed", "Series", "input_series", "label_series", "packed"]

Family = Literal["label", "input"]
#: At most this many features of the input are compared, those that vary most.
_FEATURES = 8
#: Labels in words may have up to this many classes.
_CLASSES = 24


@dataclass(frozen=True, eq=False)
class Series:
    """One series, at the steps that count, in the order of reading.

    Attributes:
        name: what it is, in words.
        family: `label` for the user's own, `input` for what is made of the input.
        values: `(batch, time)`, float64, 0 beyond the end of a sequence.
        binary: whether it has two values, so that it has an area under the curve.
    """

    name: str
    family: Family
    values: Array
    binary: bool = False


@dataclass(frozen=True, eq=False)
class Packed:
    """How steps that count are moved to the front, in the order of reading.

    Attributes:
        order: `(batch, time)`, int: the step of the input's time that stands at each place.
        valid: `(batch, time)`: the places that hold a step; the first ones of each sequence.
    """

    order: npt.NDArray[np.intp]
    valid: BoolArray

    def of(self, array: Array) -> Array:
        """An array `(batch, time, ...)` of the input's time, packed, and 0 at other places."""
        rows = np.arange(len(array))[:, None]
        found = array[rows, self.order].astype(np.float64)
        found[~self.valid] = 0
        return found


def packed(counts: BoolArray, *, reverse: bool) -> Packed:
    """The steps of a layer's probe that count, in the order of reading.

    Args:
        counts: `(batch, time)`, in the order of the input's time.
        reverse: whether the layer reads from the last timestep to the first.
    """
    flip = reverse
    reading = counts[:, ::-1] if flip else counts
    order = np.argsort(~reading, axis=1, kind="stable")
    valid = np.take_along_axis(reading, order, axis=1)
    longest = int(valid.sum(axis=1).max())
    order = (counts.shape[1] - 1 - order) if flip else order
    return Packed(order[:, :longest], valid[:, :longest])


def input_series(x: Array, places: Packed, lags: int, *, images: bool) -> Iterator[Series]:
    """The features of the input that vary most, what they were some steps ago, and their sums.

    Args:
        x: `(batch, time, input)`, in the order of the input's time.
        places: the steps that count.
        lags: how many steps back the last lag is.
        images: whether the features are pixels, of which the mean is taken.
    """
    x = places.of(np.asarray(x, np.float64))
    if images:
        x, chosen, name = x.mean(axis=2, keepdims=True), [0], "the mean of the input"
    else:
        spread = x[places.valid].std(axis=0)
        chosen = sorted(np.argsort(-spread, kind="stable")[:_FEATURES].tolist())
        name = "input {}"
    for feature in chosen:
        own, values = name.format(feature), x[..., feature]
        for lag in range(min(lags, x.shape[1] - 1) + 1):
            back = np.zeros_like(values)
            back[:, lag:] = values[:, : values.shape[1] - lag] * places.valid[:, lag:]
            when = "" if lag == 0 else f", {lag} step{'s' * (lag > 1)} back"
            yield Series(f"{own}{when}", "input", back)
        yield Series(f"the running sum of {own}", "input", values.cumsum(axis=1) * places.valid)


def label_series(labels: Mapping[str, Any], places: Packed, shape: tuple[int, int]) -> list[Series]:
    """The user's own series.

    Args:
        labels: by name, an array `(batch, time)` in the order of the input's time, or `(batch,)`
            for what holds for a whole sequence. Numbers are compared as they are; truth values are
            0 and 1; words are classes, each of which is a series.
        places: the steps that count.
        shape: `(batch, time)` of the probe.

    Raises:
        LstmProbeError: an array has another shape, or holds neither numbers nor words.
    """
    if not isinstance(labels, Mapping):
        raise LstmProbeError(
            f"The labels have no names. Received: {type(labels).__name__}. Expected: a dict such "
            'as {"depth": array}, with an array (batch, time) for each name.'
        )
    return [
        each for name, given in labels.items() for each in _of_label(name, given, places, shape)
    ]


def _of_label(name: str, given: Any, places: Packed, shape: tuple[int, int]) -> list[Series]:
    array = np.asarray(given)
    if array.shape == shape[:1]:
        array = np.repeat(array[:, None], shape[1], axis=1)
    if array.shape != shape:
        raise LstmProbeError(
            f"The labels {name!r} do not fit the probe. Received: shape {np.shape(given)}. "
            f"Expected: {shape}, a value for each timestep of each sequence, or {shape[:1]}, one "
            "for each sequence."
        )
    rows = np.arange(len(array))[:, None]
    values = array[rows, places.order]
    if array.dtype.kind in "biuf":
        used = values[places.valid].astype(np.float64)
        wrong = int((~np.isfinite(used)).sum())
        if wrong:
            raise LstmProbeError(
                f"The labels {name!r} are not all numbers. Received: {wrong} that are NaN or "
                "infinite at steps that count. Expected: finite numbers."
            )
        numbers = np.where(places.valid, np.nan_to_num(values.astype(np.float64)), 0.0)
        return [Series(str(name), "label", numbers, binary=len(np.unique(used)) == 2)]
    text = values.astype(str)
    words = np.unique(text[places.valid]).tolist() if array.dtype.kind in "USO" else []
    if not 1 <= len(words) <= _CLASSES:
        raise LstmProbeError(
            f"The labels {name!r} are neither numbers nor a few words. Received: {array.dtype}"
            f"{f' with {len(words)} different words' if len(words) else ''}. Expected: numbers, "
            f"truth values, or up to {_CLASSES} different words."
        )
    if len(words) == 1:
        return [Series(f"{name}={words[0]}", "label", places.valid.astype(float))]
    if len(words) == 2:  # one class tells the other
        words = words[1:]
    return [
        Series(
            f"{name}={word}", "label", ((text == word) & places.valid).astype(float), binary=True
        )
        for word in words
    ]
