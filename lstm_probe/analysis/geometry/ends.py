"""`ends_by_class`: whether the sequences of a probe end apart by their classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from lstm_probe.core.arrays import Array, BoolArray

__all__ = ["Ends", "ends_by_class"]

#: So often the classes are exchanged between the sequences.
_SHUFFLES: Final = 499
#: More kinds of targets than this are no classes. A class needs as many sequences.
_MOST_CLASSES, _FEWEST = 20, 2


@dataclass(frozen=True, eq=False)
class Ends:
    """Whether the last states of the sequences lie apart by class, on the first two axes.

    Each sequence is given the class whose other sequences end nearest on average. The axes know
    nothing of the classes.

    Attributes:
        classes: `(batch,)`: the class of each sequence.
        right: how many sequences are given their own class.
        of: how many sequences have a step that counts.
        most_by_chance: the most that are right when classes are exchanged between sequences.
        exchanges: how often they are exchanged.
        beyond_chance: whether no exchange gives as many.

    Example:
        >>> Ends(np.array([0, 0, 1, 1]), 4, 4, 4, 499, False).plain()["classes"]
        [0, 0, 1, 1]
    """

    classes: npt.NDArray[Any]
    right: int
    of: int
    most_by_chance: int
    exchanges: int
    beyond_chance: bool

    def plain(self) -> dict[str, Any]:
        """The attributes by name, for JSON."""
        return {**vars(self), "classes": self.classes.tolist()}


def ends_by_class(
    path: Array, valid: BoolArray, target: npt.ArrayLike | None, *, reverse: bool = False
) -> Ends | None:
    """Tell whether the sequences end apart by class.

    Args:
        path: `(batch, time, axes)`: the states, in the order of the input's time.
        valid: `(batch, time)`: which steps count.
        target: `(batch,)` or `(batch, 1)`: whole numbers, truth values or words.
        reverse: whether the layer reads from the last timestep to the first.

    Returns:
        None where the target is no class of each sequence, or a class has but one sequence.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> classes = np.arange(20) % 2
        >>> path = rng.normal(size=(20, 5, 2)) + 9 * classes[:, None, None]
        >>> found = ends_by_class(path, np.ones((20, 5), bool), classes)
        >>> found.right, found.beyond_chance
        (20, True)
    """
    there: BoolArray = np.asarray(valid.any(axis=1))
    classes = _classes(target, there)
    if classes is None:
        return None
    _, numbers = np.unique(classes[there], return_inverse=True)
    last = valid.argmax(axis=1) if reverse else valid.shape[1] - 1 - valid[:, ::-1].argmax(axis=1)
    ends = path[np.arange(len(path)), last][there]
    rng = np.random.default_rng(0)
    right = _right(ends, numbers)
    most = max(_right(ends, rng.permutation(numbers)) for _ in range(_SHUFFLES))
    return Ends(classes, right, len(ends), most, _SHUFFLES, right > most)


def _classes(target: npt.ArrayLike | None, there: BoolArray) -> npt.NDArray[Any] | None:
    """The class of each sequence; None if there are none."""
    if target is None:
        return None
    given = np.asarray(target)
    if given.size != len(there) or given.shape[:1] != there.shape:
        return None
    given = given.reshape(-1)
    if given.dtype.kind == "f" and np.isfinite(given).all() and (given == np.round(given)).all():
        given = given.astype(np.int64)
    if given.dtype.kind not in "biuUO":
        return None
    kinds, counts = np.unique(given[there].astype(str), return_counts=True)
    fits = 2 <= len(kinds) <= _MOST_CLASSES and counts.min() >= _FEWEST
    return given if fits else None


def _right(ends: Array, numbers: npt.NDArray[np.intp]) -> int:
    """How many ends are nearest to the mean of the other ends of their own class."""
    member = np.eye(numbers.max() + 1)[numbers]  # (sequences, classes)
    counts, sums = member.sum(axis=0), member.T @ ends
    without = counts - member  # of each class, without the sequence itself
    means = (sums - member[..., None] * ends[:, None]) / without[..., None]
    away = np.square(means - ends[:, None]).sum(axis=-1)
    return int((away.argmin(axis=1) == numbers).sum())
