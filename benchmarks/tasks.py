"""What the bench of trainings learns from: real digits and text, and the test tasks of the field.

Each task has data to train on, and as many again, held out, that tell how well it was learned.
"""

from __future__ import annotations

import inspect
import json
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Task:
    """Sequences and what is to be told of them.

    Attributes:
        x: `(sequences, time, features)`, or `(sequences, time)` of tokens.
        y: classes `(sequences,)`, values `(sequences,)`, or at each step `(sequences, time)`.
        kind: a class or a value for each sequence, or a token for each step.
        sizes: how many classes or tokens there are; 1 for values.
    """

    x: npt.NDArray[Any]
    y: npt.NDArray[Any]
    kind: Literal["class", "value", "token", "frames"]
    sizes: int = 1

    @property
    def half(self) -> int:
        """The data before this index are trained on, those from it on are held out."""
        return len(self.x) // 2


@cache
def digits(steps: int = 8, *, scale: float = 1.0) -> Task:
    """Scikit-learn's digits, read in so many pieces from top to bottom."""
    from sklearn.datasets import load_digits

    images, classes = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(images))
    x = (scale * images[order] / 16).reshape(len(images), steps, -1).astype(np.float32)
    return Task(x, classes[order], "class", 10)


@cache
def last_step(steps: int, *, sequences: int = 1024) -> Task:
    """The sign of the last value of a noise: needs no memory at all."""
    x = np.random.default_rng(1).normal(size=(sequences, steps, 2)).astype(np.float32)
    return Task(x, (x[:, -1, 0] > 0).astype(np.int64), "class", 2)


@cache
def latch(steps: int, *, sequences: int = 1024) -> Task:
    """The class that the first step shows (the latching problem of Bengio et al. 1994)."""
    rng = np.random.default_rng(2)
    x = rng.normal(0, 0.2, (sequences, steps, 2)).astype(np.float32)
    y = rng.integers(0, 2, sequences)
    x[:, 0, 0] = 2.0 * y - 1
    return Task(x, y, "class", 2)


@cache
def adding(steps: int, *, sequences: int = 2048) -> Task:
    """The sum of two marked values (the adding problem of Hochreiter & Schmidhuber 1997)."""
    rng = np.random.default_rng(3)
    values, marks = rng.random((sequences, steps)), np.zeros((sequences, steps))
    for row in marks:
        row[rng.choice(steps, 2, replace=False)] = 1
    x = np.stack([values, marks], axis=-1).astype(np.float32)
    return Task(x, (values * marks).sum(1).astype(np.float32), "value")


@cache
def mean_sign(steps: int, *, sequences: int = 1024) -> Task:
    """The sign of the mean of a noise: needs all steps alike."""
    x = np.random.default_rng(4).normal(size=(sequences, steps, 1)).astype(np.float32)
    return Task(x, (x.mean((1, 2)) > 0).astype(np.int64), "class", 2)


@cache
def sine(steps: int, *, sequences: int = 1024) -> Task:
    """The next value of a sine of any frequency, with noise: forecasting."""
    rng = np.random.default_rng(5)
    time = np.arange(steps + 1) * rng.uniform(0.1, 0.5, (sequences, 1))
    wave = np.sin(time + rng.uniform(0, 6, (sequences, 1)))
    x = wave[:, :-1, None] + rng.normal(0, 0.05, (sequences, steps, 1))
    return Task(x.astype(np.float32), wave[:, -1].astype(np.float32), "value")


@cache
def text(steps: int, *, sequences: int = 512) -> Task:
    """The next character of a text that comes with Python, of which the last half is held out."""
    import argparse

    raw = inspect.getsource(argparse) + inspect.getsource(json)
    data = np.frombuffer(raw.encode("ascii", "replace"), np.uint8).astype(np.int64)
    middle = len(data) // 2
    starts = np.random.default_rng(6).integers(0, middle - steps - 1, sequences)
    starts[sequences // 2 :] += middle
    rows = data[starts[:, None] + np.arange(steps + 1)]
    return Task(rows[:, :-1], rows[:, 1:], "token", 128)


@cache
def padded(steps: int, *, sequences: int = 1024, where: str = "post") -> Task:
    """Which of two tokens is the more frequent, in sentences of 3 to `steps` tokens of 20.

    Token 0 pads them at the end or at the beginning.
    """
    rng = np.random.default_rng(7)
    x = rng.integers(1, 20, (sequences, steps))
    lengths = rng.integers(3, steps + 1, sequences)[:, None]
    time = np.arange(steps) if where == "post" else np.arange(steps)[::-1]
    x = np.where(time < lengths, x, 0)
    return Task(x, ((x == 1) | (x == 2) | (x == 3)).any(1).astype(np.int64), "class", 2)


@cache
def moving_square() -> Task:
    """The next frame of a square that moves over a black ground (after Moving MNIST).

    No two sequences begin alike: a square of other places and other ways is held out.
    """
    begins = np.array(np.meshgrid(*[range(1, 7)] * 2, *[(-1, 0, 1)] * 2)).reshape(4, -1).T
    x = np.zeros((len(begins), 7, 12, 12, 1), np.float32)
    for row, (top, left, *way) in zip(x, np.random.default_rng(8).permutation(begins), strict=True):
        place = np.array([top, left])
        for frame in row:
            frame[place[0] : place[0] + 3, place[1] : place[1] + 3] = 1
            place = np.clip(place + way, 0, 9)
    return Task(x[:, :-1], x[:, 1:], "frames")
