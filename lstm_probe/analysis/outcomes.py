"""How well a model does on each of several named probes: what is right, or how far off it is.

The page in `explorer/static/outcomes.js` says the same of single sequences, by the same rules.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from lstm_probe.core.arrays import Array
from lstm_probe.core.groups import Groups, slices, total

__all__ = ["OutputRanges", "ProbeOutcome", "outcomes_of"]

#: By name, the smallest and the largest number that an output has ever been.
Ranges = Mapping[str, tuple[float, float]]
#: A class that is not known is below 0. Shorter sequences are filled up with it, or with NaN.
_UNKNOWN: Final = -1


@dataclass(frozen=True)
class ProbeOutcome:
    """How one output of a model does on one named probe.

    Attributes:
        output: the name of the output; empty if there is one alone.
        probe: the name of the probe.
        right: how many of its classes are right; None where the targets are numbers.
        of: how many there are, of sequences or of steps.
        error: the mean absolute difference from the targets; None where these are classes.
        by_step: whether each timestep has a class, and not each sequence.

    Example:
        >>> ProbeOutcome("", "train", right=7, of=8).plain()["right"]
        7
    """

    output: str
    probe: str
    right: int | None = None
    of: int = 0
    error: float | None = None
    by_step: bool = False

    def plain(self) -> dict[str, Any]:
        """The attributes by name, for JSON."""
        return dict(vars(self))


class OutputRanges:
    """The smallest and the largest number of each output, over all captures so far.

    A single output that has ever been below 0 or above 1 is a logit, and else a probability.

    Example:
        >>> seen = OutputRanges()
        >>> seen.add({"": np.array([[0.2], [0.9]])}), seen.add({"": np.array([[1.5], [0.3]])})
        ({'': (0.2, 0.9)}, {'': (0.2, 1.5)})
    """

    def __init__(self) -> None:
        self._ranges: dict[str, tuple[float, float]] = {}

    def add(self, outputs: Mapping[str, Array]) -> dict[str, tuple[float, float]]:
        """Go on by one capture.

        Args:
            outputs: by name, of any shape. What is not finite does not count.

        Returns:
            The ranges by name. An output without a finite number has none.
        """
        for name, values in outputs.items():
            finite = values[np.isfinite(values)]
            if finite.size:
                low, high = self._ranges.get(name, (np.inf, -np.inf))
                self._ranges[name] = min(low, float(finite.min())), max(high, float(finite.max()))
        return dict(self._ranges)


def outcomes_of(
    outputs: Mapping[str, Array],
    targets: Mapping[str, npt.NDArray[Any]],
    groups: Groups,
    ranges: Ranges,
) -> list[ProbeOutcome]:
    """How each output that has a target does on each named probe.

    A target is that of an output's name, or of its place. Classes are whole numbers, with an output
    that has a number for each class; or ones and zeros, with one output, which is a probability and
    compared with 0.5, or a logit and compared with 0. Everything else is a number.

    Args:
        outputs: what the model gave, `(batch, ...)` by name.
        targets: what it was to give, likewise.
        groups: the named probes.
        ranges: of the outputs, as `OutputRanges` tells them.

    Returns:
        None for outputs whose targets have another shape, or of other sequences.

    Example:
        >>> given, wanted = np.array([[0.9], [0.2], [0.7]]), np.array([1, 0, 0])
        >>> for each in outcomes_of({"": given}, {"": wanted}, (("a", 2), ("b", 1)), {}):
        ...     print(each.probe, each.right, each.of)
        a 2 2
        b 0 1
    """
    found: list[ProbeOutcome] = []
    for name, given, target in _pairs(outputs, targets):
        if len(given) != total(groups) or len(target) != len(given):
            continue
        found += _judged(name, given, target, groups, ranges.get(name))
    return found


def _pairs(
    outputs: Mapping[str, Array], targets: Mapping[str, npt.NDArray[Any]]
) -> Iterator[tuple[str, Array, npt.NDArray[Any]]]:
    places = list(targets.values())
    for index, (name, given) in enumerate(outputs.items()):
        if len(outputs) == 1 and len(targets) == 1:
            yield name, given, places[0]
        elif name in targets:
            yield name, given, targets[name]
        elif index < len(places):
            yield name, given, places[index]


def _judged(
    name: str,
    given: Array,
    target: npt.NDArray[Any],
    groups: Groups,
    seen: tuple[float, float] | None,
) -> Iterator[ProbeOutcome]:
    steps = given.shape[1] if given.ndim > 2 else 1
    width = prod(given.shape[1:]) // max(1, steps)
    rows, wanted = given.reshape(len(given), -1), target.reshape(len(target), -1)
    if wanted.shape[1] not in (steps, steps * width):
        return
    classes = _classes(rows.reshape(len(rows), steps, width), wanted, seen)
    for probe, part in slices(groups).items():
        if classes is not None:
            right, known = classes[0][part], classes[1][part]
            yield ProbeOutcome(name, probe, int(right.sum()), int(known.sum()), by_step=steps > 1)
        elif wanted.shape == rows.shape:
            error = np.abs(rows[part].astype(np.float64) - wanted[part])
            known = np.isfinite(error)
            if known.any():
                yield ProbeOutcome(
                    name, probe, of=int(known.sum()), error=float(error[known].mean())
                )


def _classes(
    scores: Array, target: npt.NDArray[Any], seen: tuple[float, float] | None
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]] | None:
    """Which classes `(batch, steps)` are right, and which are known; None where these are numbers.

    Where a model gives NaN, nothing is right.

    Args:
        scores: `(batch, steps, classes)`.
        target: `(batch, steps)` or `(batch, steps * classes)`.
        seen: the range of the output so far.
    """
    batch, steps, width = scores.shape
    rows = target.reshape(batch, steps, -1)
    known = ~_filled_up(rows)
    numbers = rows[known]  # (known steps, 1 or classes)
    if not (np.isfinite(numbers).all() and (numbers == np.round(numbers)).all()):
        return None
    wanted = rows[:, :, 0]
    chosen: npt.NDArray[Any]
    if width == 1:
        if not np.isin(numbers, (0, 1)).all():
            return None
        low, high = seen or (0.0, 1.0)
        chosen = scores[:, :, 0] > (0.5 if low >= 0 and high <= 1 else 0.0)
    else:
        if rows.shape[2] > 1:
            if not (np.isin(numbers, (0, 1)).all() and (numbers.sum(axis=1) == 1).all()):
                return None
            wanted = rows.argmax(axis=2)
        elif (numbers >= width).any():
            return None
        known = known & (wanted > _UNKNOWN)
        chosen = _largest(scores)
    return (chosen == wanted) & known & ~np.isnan(scores).all(axis=2), known


def _filled_up(rows: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """`(batch, steps)`: the last steps, with which sequences shorter than others were filled up."""
    if rows.shape[1] == 1:
        return np.zeros(rows.shape[:2], np.bool_)
    blank = (np.isnan(rows) | (rows == _UNKNOWN)).all(axis=2)
    return np.logical_and.accumulate(blank[:, ::-1], axis=1)[:, ::-1]


def _largest(scores: Array) -> npt.NDArray[np.intp]:
    """The class with the largest score; NaN is never the largest."""
    return np.where(np.isnan(scores), -np.inf, scores).argmax(axis=2)
