"""A model that has been opened: it makes probes, and analyses what its layers do with one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np

from lstm_probe.analysis.analysis import Analysis
from lstm_probe.analysis.gradient.gradient import gradient_through_time
from lstm_probe.analysis.health.health import measure_health
from lstm_probe.analysis.snapshot import Snapshot
from lstm_probe.core.arrays import Array
from lstm_probe.core.blas import on_one_blas_thread
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.models.files.stored_cells import StoredCell

__all__ = ["Opened", "StoredCells", "with_options"]


class Opened(ABC):
    """A model from a file or from the program itself.

    Attributes:
        kind: what the model is, in words, such as `a Keras model`.
        step: the training step of its weights; 0 where the file does not hold it.
        notes: sentences that the reader of the results should know.
    """

    kind: str
    step: int
    notes: list[str]

    @abstractmethod
    def analyses(self, probe: Any) -> dict[str, Analysis]:
        """Analyse what the model's layers do with a probe.

        Args:
            probe: an input of the model.

        Returns:
            The analysis of each layer, by its name.

        Raises:
            LstmProbeError: the model does not take the probe.
        """

    @abstractmethod
    def random_probe(self, shape: Sequence[int], rng: np.random.Generator) -> Any:
        """A probe of random numbers that the model takes.

        Args:
            shape: the shape of the probe, such as `(batch, time, features)`.
            rng: the generator of the numbers.
        """


@dataclass
class StoredCells(Opened):
    """Cells from a file of weights, which no framework runs: there is no output to compare with.

    Attributes:
        kind: what the file is, in words.
        cells: the cells with their weights.
        step: the training step of the weights; 0 where the file does not hold it.
        notes: sentences that the reader of the results should know.
        chosen: the names of the layers that the user asked for; None for all.
    """

    kind: str
    cells: list[StoredCell]
    step: int = 0
    notes: list[str] = field(default_factory=list)
    chosen: frozenset[str] | None = None

    def random_probe(self, shape: Sequence[int], rng: np.random.Generator) -> Array:
        return rng.normal(size=tuple(shape)).astype(np.float32)

    def analyses(self, probe: Any) -> dict[str, Analysis]:
        self.notes = [note for note in self.notes if "is not run" not in note]
        inputs: dict[str, Array] = dict(probe) if isinstance(probe, Mapping) else {}
        shared = None if inputs else np.asarray(probe)
        self._check_names(inputs)
        outputs: dict[str, Array] = {}
        found: dict[str, Analysis] = {}
        for stored in self._in_order():
            x = self._input(stored, inputs, shared, outputs)
            if x is None:
                continue
            analysis = _alone(stored, x, self.step)
            outputs[stored.name], found[stored.name] = analysis.trace.h, analysis
        if not found:
            sizes = [f"{each.name!r} takes {each.weights.input_size}" for each in self.cells]
            received = "none" if shared is None else f"shape {shared.shape}"
            raise LstmProbeError(
                f"The probe fits no layer. Received: {received}. Expected: (batch, time, "
                f"features): {', '.join(sizes)} features; or an .npz with an input by layer name."
            )
        return {k: v for k, v in found.items() if self.chosen is None or k in self.chosen}

    def _in_order(self) -> list[StoredCell]:
        """The cells in an order in which each comes after those whose outputs it reads."""
        waiting, ordered = list(self.cells), list[StoredCell]()
        while waiting:
            blocked = {each.name for each in waiting}
            ready = [each for each in waiting if not blocked.intersection(each.feeds)]
            if not ready:  # cells that read each other, which no file of a real model has
                break
            ordered += ready
            waiting = [each for each in waiting if each not in ready]
        return ordered

    def _check_names(self, inputs: Mapping[str, Array]) -> None:
        known = [each.name for each in self.cells]
        unknown = sorted(set(inputs) - set(known))
        if unknown:
            raise LstmProbeError(
                f"The probe names no layer of the model. Received: {', '.join(unknown)}. Expected "
                f"some of {', '.join(known)}."
            )

    def _input(
        self,
        stored: StoredCell,
        inputs: Mapping[str, Array],
        shared: Array | None,
        outputs: Mapping[str, Array],
    ) -> Array | None:
        if stored.name in inputs:
            return inputs[stored.name]
        if stored.feeds:
            known = all(name in outputs for name in stored.feeds)
            return np.concatenate([outputs[n] for n in stored.feeds], axis=-1) if known else None
        if shared is None:
            return None
        if shared.ndim == 3 and shared.shape[-1] == stored.weights.input_size:
            return shared
        features = stored.weights.input_size
        self.notes.append(
            f"{stored.name} is not run: it takes {features} features, and what comes before it is "
            "not in the file"
        )
        return None


@on_one_blas_thread
def _alone(stored: StoredCell, x: Array, step: int) -> Analysis:
    """Analyse a cell whose framework has given no output to compare with."""
    dtype = str(stored.weights.dtype)
    precise = stored.weights.astype(np.float64)
    trace = stored.cell.run(x, precise, dtype=np.float64, reverse=stored.reverse)
    snapshot = Snapshot(
        step,
        stored.name,
        stored.cell,
        stored.weights,
        x=x,
        output=trace.h,
        reverse=stored.reverse,
        dtype=dtype if dtype in ("float16", "float64") else "float32",
    )
    trace = replace(trace, layer=stored.name, step=step)
    gradient = gradient_through_time(replace(snapshot, weights=precise), trace)
    return Analysis(snapshot, trace, None, measure_health(snapshot, trace), gradient)


def with_options(cells: Sequence[StoredCell], options: Mapping[str, str]) -> list[StoredCell]:
    """Give the cells options that their file does not hold, such as `forget_bias=0`.

    Args:
        cells: the cells as the file holds them.
        options: the values of the options, as text, by name.

    Raises:
        LstmProbeError: no cell has such an option, or the option does not take the value.
    """
    for name in options:
        if not any(name in _options_of(each) for each in cells):
            known = sorted({option for each in cells for option in _options_of(each)})
            raise LstmProbeError(
                f"No cell has such an option. Received: {name!r}. Expected one of "
                f"{', '.join(known)}."
            )
    return [
        replace(
            each,
            cell=replace(
                each.cell,  # type: ignore[type-var]
                **{k: _value(v) for k, v in options.items() if k in _options_of(each)},
            ),
        )
        for each in cells
    ]


def _options_of(stored: StoredCell) -> list[str]:
    return [each.name for each in fields(stored.cell)]  # type: ignore[arg-type]


def _value(text: str) -> str | float | bool | None:
    words: dict[str, bool | None] = {"true": True, "false": False, "none": None}
    if text.lower() in words:
        return words[text.lower()]
    try:
        return float(text)
    except ValueError:
        return text
