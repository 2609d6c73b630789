"""`ProbeTexts`: the words of a probe of texts, for the time axis of the layers that read them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from lstm_probe.core.arrays import BoolArray

__all__ = ["ProbeTexts", "texts_of"]

#: Every capture holds the words: longer texts are left out of a log.
_MOST_BYTES: Final = 2**14
#: So much of a text names its sequence.
_LONGEST_NAME: Final = 80


@dataclass(frozen=True)
class ProbeTexts:
    """The texts of a probe.

    Attributes:
        words: those of each sequence: of a whole text those between its spaces, of tokens that were
            given one by one these, with an empty one where the sequence is filled up.
        names: the beginning of each whole text, which names its sequence; none for tokens.

    Example:
        >>> texts = ProbeTexts((("a", "good", "film"), ("bad",)), ("a good film", "bad"))
        >>> texts.labels(3, np.array([[True, True, True], [True, False, False]]))
        (('a', 'good', 'film'), ('bad', '', ''))
    """

    words: tuple[tuple[str, ...], ...]
    names: tuple[str, ...] = ()

    def labels(self, time: int, mask: BoolArray | None) -> tuple[tuple[str, ...], ...] | None:
        """The word at each timestep of a layer.

        A layer of the model has cut a whole text into words, and may have cut it in another way or
        short. So its words have labels where there are as many of them as steps that count; words
        without a letter or digit, which are often left out, may be left out for that.

        Args:
            time: how many timesteps the layer reads.
            mask: `(batch, time)`, whether a step counts; None if all do.

        Returns:
            For each sequence a word for each timestep, none of a sequence where they do not fit;
            None where they fit nowhere.
        """
        rows = [
            self._row(words, np.ones(time, bool) if mask is None else mask[number])
            for number, words in enumerate(self.words)
        ]
        if not any(rows):
            return None
        return tuple(tuple(row) if row else ("",) * time for row in rows)

    def _row(self, words: Sequence[str], counts: BoolArray) -> list[str]:
        if not self.names:  # tokens: each has a step
            return list(words) if len(words) == len(counts) else []
        plain = [word for word in words if any(map(str.isalnum, word))]
        for chosen in (words, plain):
            if chosen and len(chosen) == np.count_nonzero(counts):
                left = iter(chosen)
                return [next(left) if each else "" for each in counts.tolist()]
        return []


def texts_of(leaves: Sequence[Any]) -> ProbeTexts | None:
    """The texts of a probe.

    Args:
        leaves: its arrays, with the batch first.

    Returns:
        None where no array, or more than one, holds texts; or where these are too long.

    Example:
        >>> texts_of([np.array([["a good film"], ["bad"]])]).names
        ('a good film', 'bad')
        >>> texts_of([np.ones((2, 3))]) is None
        True
    """
    found = [leaf for leaf in leaves if leaf.dtype.kind in "SU" and leaf.ndim in (1, 2)]
    if len(found) != 1:
        return None
    rows = [list(map(_text, np.ravel(row).tolist())) for row in found[0]]
    if sum(len(word.encode()) for row in rows for word in row) > _MOST_BYTES:
        return None
    if found[0].size > len(rows):
        return ProbeTexts(tuple(map(tuple, rows)))
    texts = [row[0] for row in rows]
    return ProbeTexts(tuple(tuple(text.split()) for text in texts), tuple(map(_beginning, texts)))


def _text(value: str | bytes) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def _beginning(text: str) -> str:
    one_line = " ".join(text.split())
    return one_line if len(one_line) <= _LONGEST_NAME else f"{one_line[: _LONGEST_NAME - 1]}…"
