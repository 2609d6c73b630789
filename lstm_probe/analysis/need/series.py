"""Inputs and targets of many sequences, as a regression on lags needs them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lstm_probe.core.arrays import Array, BoolArray, as_floats
from lstm_probe.core.errors import LstmProbeError

__all__ = ["Series", "series_of"]

#: So many features and outputs are looked at; of more, so many principal components.
_FEATURES, _OUTPUTS = 64, 4
#: A component whose variance is less than this part of the largest is rounding.
_RANK = 1e-9
#: Whole numbers with at most so many values are looked at as classes too.
_CLASSES = 20


@dataclass(frozen=True, eq=False)
class Series:
    """Sequences without their masked steps, all of variance 1, without what they have in common.

    What all sequences do at the same step, such as a common drift, is subtracted: it says nothing
    of how one depends on the other.

    Attributes:
        x: `(batch, time, features)`, 0 where there is no step.
        there: `(batch, time)`, whether there is a step.
        y: `(batch, time, outputs)`, 0 where there is no target.
        counts: `(batch, time)`, whether there is a target.
        constant: the name of what is the same everywhere: `input`, `target` or empty.
    """

    x: Array
    there: BoolArray
    y: Array
    counts: BoolArray
    constant: str = ""


def series_of(x: Array, targets: npt.ArrayLike, mask: BoolArray | None, *, reverse: bool) -> Series:
    """Bring inputs and targets into the order of reading, without masked steps.

    Args:
        x: `(batch, time, input)`.
        targets: `(batch, time)` or `(batch, time, outputs)` for targets of every step, `(batch,)`
            or `(batch, outputs)` for a target of each sequence, which belongs to its last step.
        mask: `(batch, time)`, or None.
        reverse: whether the layer reads from the last timestep to the first.

    Raises:
        LstmProbeError: the targets do not fit the input, or are not finite.
    """
    y, by_step = _targets(targets, x)
    there = np.ones(x.shape[:2], np.bool_) if mask is None else mask
    if reverse:
        x, there, y = x[:, ::-1], there[:, ::-1], y[:, ::-1] if by_step else y
    time = max(1, int(there.sum(axis=1).max(initial=0)))
    inputs = np.zeros((len(x), time, x.shape[2]))
    outputs = np.zeros((len(x), time, y.shape[-1]))
    exists, counts = np.zeros((len(x), time), np.bool_), np.zeros((len(x), time), np.bool_)
    for b, valid in enumerate(there):
        steps = int(valid.sum())
        # Targets of sequences belong to their last steps: these are aligned.
        place = slice(0, steps) if by_step else slice(time - steps, time)
        inputs[b, place], exists[b, place] = x[b, valid], True
        if by_step:
            outputs[b, place], counts[b, place] = y[b, valid], True
        elif steps:
            outputs[b, -1], counts[b, -1] = y[b], True
    inputs, outputs = (
        _standard(_without_common(array, where), where, most)
        for array, where, most in (
            (inputs, exists, _FEATURES),
            (outputs, counts, _OUTPUTS),
        )
    )
    constant = "" if outputs.shape[2] else "target"
    return Series(inputs, exists, outputs, counts, constant if inputs.shape[2] else "input")


def _targets(targets: npt.ArrayLike, x: Array) -> tuple[Array, bool]:
    """As numbers, `(batch, time, outputs)` or `(batch, outputs)`, and which of the two it is."""
    raw = np.asarray(targets)
    batch, time = x.shape[:2]
    by_step = raw.ndim in (2, 3) and raw.shape[1:2] == (time,)
    if raw.ndim not in (1, 2, 3) or len(raw) != batch or (raw.ndim == 3 and not by_step):
        raise LstmProbeError(
            f"The targets do not fit the input. Received: targets of shape {raw.shape} for an "
            f"input of shape {x.shape}. Expected: ({batch},) or ({batch}, outputs) for a target of "
            f"each sequence, ({batch}, {time}) or ({batch}, {time}, outputs) for one of each step."
        )
    lead = raw.shape[:2] if by_step else raw.shape[:1]
    columns = []
    if raw.dtype.kind in "OSU":
        _, raw = np.unique(raw, return_inverse=True)
        raw = raw.reshape(*lead, -1)
    else:
        values = as_floats(raw, "The targets", "numbers or words").astype(np.float64)
        if not np.isfinite(values).all():
            raise LstmProbeError(
                "The targets hold NaN or infinity. Received: "
                f"{int((~np.isfinite(values)).sum())} such values. Expected: finite numbers; leave "
                "steps without a target out with the mask."
            )
        columns.append(values.reshape(*lead, -1))
    if raw.dtype.kind in "biu" and len(known := np.unique(raw)) <= _CLASSES and len(known) > 2:
        columns.append((raw.reshape(*lead, -1, 1) == known).reshape(*lead, -1).astype(np.float64))
    elif raw.dtype.kind == "i" and not columns:
        columns.append(raw.astype(np.float64))
    return np.concatenate(columns, axis=-1), by_step


def _without_common(array: Array, where: BoolArray) -> Array:
    """Subtract at each step the mean over the sequences that have it."""
    count = where.sum(axis=0)[:, None]
    mean = np.where(where[..., None], array, 0.0).sum(axis=0) / np.maximum(count, 1)
    return np.where(where[..., None], array - mean, 0.0)


def _standard(array: Array, where: BoolArray, most: int) -> Array:
    """Give each feature variance 1, drop what is constant, and keep the largest components."""
    values = array[where]
    scale = np.sqrt(np.square(values).mean(axis=0)) if len(values) else np.zeros(array.shape[2])
    size = np.abs(values).max(initial=0.0)
    moves = scale > 1e-12 * max(1.0, float(size))
    array = array[..., moves] / scale[moves]
    if array.shape[2] <= most:
        return array
    flat = array[where]
    sizes, axes = np.linalg.eigh(flat.T @ flat / len(flat))
    kept = np.flatnonzero(sizes > _RANK * sizes[-1])[-most:]
    return np.asarray(array @ axes[:, kept] / np.sqrt(sizes[kept]))
