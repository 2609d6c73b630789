"""What a model holds, told without a probe: its layers, their shapes, and what a probe must be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lstm_probe.weights.named import CellWeights

__all__ = ["Contents", "LayerContents", "of_weights", "shown_shape"]


@dataclass(frozen=True)
class LayerContents:
    """One recurrent layer of a model.

    Attributes:
        name: its name in logs.
        cell: what kind of cell it has, in a word.
        reverse: whether it reads from the last timestep to the first.
        features: how many features it reads; None if the file does not tell.
        units: how many values its output has; None if the file does not tell.
        shapes: those of its arrays, by name.
        reads: what it reads, in words; empty where the framework knows.
    """

    name: str
    cell: str
    reverse: bool = False
    features: int | None = None
    units: int | None = None
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    reads: str = ""


@dataclass(frozen=True)
class Contents:
    """What a model holds.

    Attributes:
        layers: its recurrent layers.
        probe: sentences that say what a probe must be like.
    """

    layers: Sequence[LayerContents]
    probe: Sequence[str]


def of_weights(
    name: str, cell: str, weights: CellWeights, *, reverse: bool = False, reads: str = ""
) -> LayerContents:
    """The contents of a layer whose weights are known.

    Args:
        name: its name in logs.
        cell: what kind of cell it has.
        weights: its weights.
        reverse: whether it reads backward.
        reads: what it reads, in words.
    """
    held: Mapping[str, Any] = getattr(weights, "arrays", vars(weights))
    shapes = {
        key: array.shape for key, array in held.items() if getattr(array, "shape", None) is not None
    }
    return LayerContents(
        name, cell, reverse, weights.input_size, weights.output_size, shapes, reads
    )


def shown_shape(sizes: Sequence[int | None]) -> str:
    """A shape with sizes that may be any.

    Example:
        >>> shown_shape([None, 5, 3])
        '(any, 5, 3)'
    """
    return f"({', '.join('any' if size is None else str(size) for size in sizes)})"
