"""What a comparison of units with series found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from lstm_probe.analysis.words.answers import Answer
from lstm_probe.analysis.words.tracking import told
from lstm_probe.core.arrays import Array

__all__ = ["LEAST_SEQUENCES", "Together", "Tracking"]

#: A unit is named for a series if chance gives as much in at most this part of the shuffles, over
#: all units and all series of the family.
SIGNIFICANCE: Final = 0.001
#: And if the series explains at least this part of what differs between sequences.
LEAST_R2: Final = 0.3
#: With fewer sequences there are not as many orders as the significance asks for: 6! = 720.
LEAST_SEQUENCES: Final = 7


@dataclass(frozen=True)
class Together:
    """How well all units together tell a series that no single one follows.

    Attributes:
        r2: the cross-validated R2 of ridge regression on all units; NaN if it has no meaning.
        chance: the largest R2 of the shuffles.
        p: the part of the shuffles, with the true order, that gives as much.
    """

    r2: float
    chance: float
    p: float

    @property
    def named(self) -> bool:
        """Whether it is more than chance, and not little."""
        return self.p <= SIGNIFICANCE and self.r2 >= LEAST_R2


@dataclass(frozen=True, eq=False)
class Tracking:
    """Which unit follows which series.

    Attributes:
        layer: the name of the layer.
        step: the training step.
        word: `unit` or `filter`.
        letter: the array of which units are compared: `c` where there is one, else `h`.
        names: of the series: the user's own, and those made of the layer's input.
        families: `label` or `input` for each series.
        r2: `(units, series)`: how much of what differs between sequences a line through the series
            explains in sequences that it was not fitted to; at most 1, NaN for constants.
        correlation: `(units, series)`: -1..1, over all sequences.
        p: `(units, series)`: how often shuffles of the sequences give as large a correlation for
            any unit and any series of the family; 0..1, NaN if there was no test.
        area: `(units, series)`: the area under the ROC curve, 0..1, of series of two values among
            the user's; NaN for others.
        by_step: `(units,)`: how much of each unit's variance the step alone explains. What all
            sequences do alike cannot be tested by shuffling them.
        together: by the name of each of the user's series that no unit follows, how well all units
            together tell it.
        chance: by family, the largest squared correlation that a shuffle gave.
        untested: by the name of a series, why it has not been tested.
        sequences: the number of sequences.
        steps: the number of steps that count.
        shuffles: the number of shuffles.

    Source:
        Karpathy, Johnson & Fei-Fei 2015, "Visualizing and understanding recurrent networks", arXiv
        1506.02078; Lees et al. 2022, "Hydrological concept formation inside long short-term memory
        networks", HESS 26:3079.

    Example:
        >>> import lstm_probe
        >>> rng = np.random.default_rng(0)
        >>> x = rng.normal(size=(8, 20, 1))
        >>> sums = lstm_probe.weights.from_keras(np.ones((1, 1)), np.ones((1, 1)))
        >>> cell = lstm_probe.SimpleRnnCell("linear")
        >>> seen = lstm_probe.Snapshot(0, "rnn", cell, sums, x=x, output=cell.run(x, sums).h)
        >>> lstm_probe.analysis.track(seen, {"total": x.cumsum(axis=1)[..., 0]}).named
        {'total': (0,), 'the running sum of input 0': (0,)}
    """

    layer: str
    step: int
    word: str
    letter: str
    names: tuple[str, ...]
    families: tuple[str, ...]
    r2: Array
    correlation: Array
    p: Array
    area: Array
    by_step: Array
    together: Mapping[str, Together]
    chance: Mapping[str, float]
    untested: Mapping[str, str]
    sequences: int
    steps: int
    shuffles: int

    @property
    def named(self) -> dict[str, tuple[int, ...]]:
        """By series, the units that follow it beyond chance, the best first."""
        found = {}
        for k, name in enumerate(self.names):
            r2, p = self.r2[:, k], self.p[:, k]
            order = np.argsort(-np.nan_to_num(r2, nan=-np.inf), kind="stable")
            units = [int(u) for u in order if p[u] <= SIGNIFICANCE and r2[u] >= LEAST_R2]
            if units:
                found[name] = tuple(units)
        return found

    def sentences(self) -> list[Answer]:
        """What this says, with the numbers behind it."""
        return told(self.plain())

    def plain(self) -> dict[str, Any]:
        """All fields by name, with what is named, for JSON."""
        together = {
            name: {**vars(each), "named": each.named} for name, each in self.together.items()
        }
        return {
            **vars(self),
            "together": together,
            "named": self.named,
            "least_sequences": LEAST_SEQUENCES,
        }
