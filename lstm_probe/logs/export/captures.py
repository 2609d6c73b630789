"""The stored captures of a run as arrays with their labels, read one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from lstm_probe.core.arrays import Array
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.logs.stored.labels import stored_labels
from lstm_probe.logs.stored.precision import best_gate, precision_of
from lstm_probe.logs.stored.reader import RunReader

__all__ = ["Capture", "Series", "series_of"]

TextArray: TypeAlias = "npt.NDArray[np.str_]"


@dataclass(frozen=True, eq=False)
class Capture:
    """One layer at one step.

    Attributes:
        step: the training step.
        epoch: NaN where it is not known.
        gates: by letter, `(sequence, time, unit)` in float32 where the log has that, else in
            float16; a projected `h` has fewer units.
        mask: `(sequence, time)`, 1 where a step counts; None if all do.
        labels: for each axis (`sequence`, `time`, `unit`) the original indices of what is kept.
        precision: how exactly the gates were stored, `float16` or `float32`.
        words: `(sequence, time)`, the name of each timestep; None if they have no names.
        names: `(sequence,)`, the name of each sequence; None if they have no names.
    """

    step: int
    epoch: float
    gates: dict[str, Array]
    mask: Array | None
    labels: dict[str, Array]
    precision: str = "float16"
    words: TextArray | None = None
    names: TextArray | None = None

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shapes of the gates, by letter."""
        return {letter: array.shape for letter, array in self.gates.items()}


@dataclass(frozen=True, eq=False)
class Series:
    """A layer's captures. One at a time is in memory.

    Attributes:
        layer: its name.
        steps: the steps at which there are captures.
        epochs: the epochs at these steps; NaN where they are not known.
        first: the first capture; the others should have its shapes.
        cell: the cell's name.
        ranges: by letter, the interval of its values, or None.
        read: reads the capture of a step.
    """

    layer: str
    steps: Sequence[int]
    epochs: Array
    first: Capture
    cell: str
    ranges: dict[str, Any]
    read: Callable[[int], Capture]

    def __iter__(self) -> Iterator[Capture]:
        return (self.read(step) for step in self.steps)


def series_of(
    run: RunReader, *, layers: Sequence[str] | None = None, gates: Sequence[str] | None = None
) -> list[Series]:
    """A series for each layer of a run.

    Args:
        run: as `find_runs` returns it.
        layers: which layers; all by default.
        gates: which gates, by letter; all by default.

    Raises:
        LstmProbeError: the run has no such layer or gate, or no stored gates at all.
    """
    if not run.layers:
        raise LstmProbeError(
            f"{run.directory} holds no gates. Received: a log of numbers alone. Expected: a "
            "training whose callback logs detail='gates' or 'full'."
        )
    for layer in layers or ():
        if layer not in run.layers:
            raise LstmProbeError(
                f"{run.directory} has no such layer. Received: {layer!r}. Expected one of "
                f"{', '.join(map(repr, run.layers))}."
            )
    chosen = [layer for layer in run.layers if layers is None or layer in layers]
    found = [_series(run, layer, gates) for layer in chosen]
    letters = {letter for series in found for letter in series.first.gates}
    missing = sorted(set(gates or ()) - letters)
    if missing or not letters:
        known = sorted({k for layer in chosen for k in _letters(run, layer)})
        raise LstmProbeError(
            f"{run.directory} has no such gate. Received: {', '.join(missing) or 'none'}. "
            f"Expected some of {', '.join(known)}."
        )
    return [series for series in found if series.first.gates]


def _letters(run: RunReader, layer: str) -> list[str]:
    return list(run.capture(layer, run.steps(layer)[0]).meta["letters"])


def _series(run: RunReader, layer: str, gates: Sequence[str] | None) -> Series:
    def read(step: int) -> Capture:
        return _capture(run, layer, step, gates)

    steps = run.steps(layer)
    known = {point.step: point.epoch for point in run.course}
    epochs = np.array([known.get(step) for step in steps], np.float64)
    meta = run.capture(layer, steps[0]).meta
    return Series(layer, steps, epochs, read(steps[0]), meta["cell"], dict(meta["ranges"]), read)


def _capture(run: RunReader, layer: str, step: int, gates: Sequence[str] | None) -> Capture:
    stored = run.capture(layer, step)
    letters = [k for k in stored.meta["letters"] if gates is None or k in gates]
    labels = {"sequence": "sequences", "time": "timesteps", "unit": "units"}
    epoch = stored.meta.get("epoch")
    words, names = stored_labels(stored)
    return Capture(
        step=step,
        epoch=np.nan if epoch is None else float(epoch),
        gates={letter: best_gate(stored, letter) for letter in letters},
        mask=stored.arrays.get("mask"),
        labels={axis: stored.arrays[name] for axis, name in labels.items()},
        precision=precision_of(stored),
        words=None if words is None else np.array(words, np.str_),
        names=None if names is None else np.array(names, np.str_),
    )
