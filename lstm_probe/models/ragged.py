"""`Ragged`: sequences of different lengths in one probe."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lstm_probe.core.arrays import Array

__all__ = ["Ragged"]


@dataclass(frozen=True)
class Ragged:
    """Sequences of different lengths, kept end to end, as a `tf.RaggedTensor` keeps them.

    Attributes:
        values: the timesteps of all sequences, one sequence after the other.
        splits: where the rows begin and end: row `i` is from `splits[i]` to `splits[i + 1]`. There
            is one array for each ragged axis, the outermost first.
        is_tensor: whether the user gave a `tf.RaggedTensor`, and not lists.

    Example:
        >>> ragged = Ragged.of([np.ones((2, 3)), np.ones((4, 3))])
        >>> ragged.shape, ragged.padded(0.0).shape, ragged.mask().sum()
        ((2, 4, 3), (2, 4, 3), np.int64(6))
    """

    values: Array
    splits: tuple[Array, ...]
    is_tensor: bool = False

    @classmethod
    def of(cls, rows: Sequence[Any]) -> Ragged:
        """Sequences in the order given.

        Args:
            rows: `(time, ...)` each, alike but for the number of timesteps.

        Raises:
            ValueError: they differ in more than that.
        """
        arrays = [np.asarray(row) for row in rows]
        width = max((each.shape[1:] for each in arrays if len(each)), key=len, default=())
        arrays = [each if len(each) else each.reshape(0, *width) for each in arrays]
        lengths = [len(each) for each in arrays]
        return cls(np.concatenate(arrays), (np.cumsum([0, *lengths], dtype=np.int64),))

    @property
    def dtype(self) -> np.dtype[Any]:
        """That of the values."""
        return self.values.dtype

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape that the sequences have when they are padded to the longest."""
        longest = [int(np.diff(each).max(initial=0)) for each in self.splits]
        return (len(self), *longest, *self.values.shape[1:])

    def __len__(self) -> int:
        return len(self.splits[0]) - 1

    def padded(self, value: Any) -> Array:
        """All sequences in one array, filled up at their ends with `value`."""
        array = self.values
        for splits in reversed(self.splits):
            lengths = np.diff(splits)
            shape = (len(lengths), int(lengths.max(initial=0)), *array.shape[1:])
            padded = np.full(shape, value, array.dtype)
            for row, (begin, end) in enumerate(itertools.pairwise(splits)):
                padded[row, : end - begin] = array[begin:end]
            array = padded
        return array

    def tolist(self) -> list[Any]:
        """The sequences as nested lists.

        Example:
            >>> Ragged.of([[1, 2], [3]]).tolist()
            [[1, 2], [3]]
        """
        rows: list[Any] = self.values.tolist()
        for splits in reversed(self.splits):
            rows = [rows[begin:end] for begin, end in itertools.pairwise(splits)]
        return rows

    def mask(self) -> Array:
        """`(batch, time)`: whether a timestep of the padded sequences is one of theirs."""
        lengths = np.diff(self.splits[0])
        return np.arange(self.shape[1]) < lengths[:, None]
