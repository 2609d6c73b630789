"""Short film reviews that are decided by one word at their beginning."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lstm_probe.core.arrays import Array

__all__ = ["LENGTH", "Reviews", "write_reviews"]

#: The number of words of each review.
LENGTH = 60
_VERDICTS = (("hated", "disliked", "loathed", "panned"), ("loved", "enjoyed", "adored", "praised"))
_STORY = """
the story begins in a small town by the sea , where a teacher finds an old map . her brother comes
home for the summer , and they drive north along the coast . nobody knows what the map is for . on
their way they meet a man with a dog , a boat without sails and a very long letter . most of it was
filmed at night , and the music is by somebody from the north .
"""
_STORY_WORDS = tuple(_STORY.split())
_QUESTION = ("would", "i", "see", "it", "again", "?")
_FEATURES = 12


@dataclass(frozen=True)
class Reviews:
    """Some reviews.

    Attributes:
        words: those of each review.
        x: `(count, LENGTH, 12)`, a vector for each word.
        y: `(count,)`, 1 for praise and 0 for blame.
    """

    words: Sequence[Sequence[str]]
    x: Array
    y: Array

    @property
    def names(self) -> list[str]:
        """A short name for each review: whether it praises, and how it begins."""
        kinds = ("blame", "praise")
        return [
            f"{kinds[int(y)]}: {' '.join(words[:4])} …"
            for words, y in zip(self.words, self.y, strict=True)
        ]


def write_reviews(count: int, rng: np.random.Generator) -> Reviews:
    """Write reviews: a verdict, a stretch of the story from anywhere in it, and a question.

    Args:
        count: how many; every other one praises.
        rng: chooses the words.
    """
    y = np.arange(count) % 2
    words = [_review(_VERDICTS[praise][rng.integers(4)], rng) for praise in y]
    vectors = _vectors()
    x = np.array([[vectors[word] for word in review] for review in words], np.float32)
    return Reviews(words, x, y)


def _review(verdict: str, rng: np.random.Generator) -> list[str]:
    opening = ["i", verdict, "this", "film", ":"]
    start, count = rng.integers(len(_STORY_WORDS)), LENGTH - len(opening) - len(_QUESTION)
    story = [_STORY_WORDS[(start + k) % len(_STORY_WORDS)] for k in range(count)]
    return [*opening, *story, *_QUESTION]


def _vectors() -> dict[str, Array]:
    """A vector for each word, the same in every run."""
    words = sorted(
        {*_VERDICTS[0], *_VERDICTS[1], *_STORY_WORDS, *_QUESTION, "i", "this", "film", ":"}
    )
    rng = np.random.default_rng(7)
    return dict(zip(words, rng.normal(size=(len(words), _FEATURES)), strict=True))
