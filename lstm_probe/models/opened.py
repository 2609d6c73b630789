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
from lstm_probe.analysis.rest import Rest
from lstm_probe.analysis.snapshot import Snapshot
from lstm_probe.analysis.stacked import rests_through_layers
from lstm_probe.core.arrays import Array
from lstm_probe.core.blas import on_one_blas_thread
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.models.described import Contents, of_weights
from lstm_probe.models.files.scoped_cells import without_given
from lstm_probe.models.files.sources import Source, sources_of
from lstm_probe.models.files.wiring import Other, StoredCell

__all__ = ["Opened", "StoredCells", "analysed_alone", "with_options"]


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

    def rests(self, found: Mapping[str, Analysis]) -> tuple[Mapping[str, Rest], str]:
        """The part of the model after each layer, where it can be run: here that of layers which
        others read, through these.

        Args:
            found: what `analyses` has returned last.

        Returns:
            By the names of the layers; and why others have none, in a sentence, or nothing.
        """
        return rests_through_layers(found), ""

    @abstractmethod
    def contents(self) -> Contents:
        """The model's recurrent layers, and what a probe must be like, without one."""

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
        others: the layers of the file that are not recurrent.
    """

    kind: str
    cells: list[StoredCell]
    step: int = 0
    notes: list[str] = field(default_factory=list)
    chosen: frozenset[str] | None = None
    others: Sequence[Other] = ()
    _said: list[str] = field(default_factory=list, repr=False)

    def contents(self) -> Contents:
        roots = [each for each in self.cells if not each.feeds and not each.unfed]
        first = [each for each in roots if not each.candidates] or roots
        features = first[0].weights.input_size if first else None
        sources = sources_of(self.cells, features, chosen=self.chosen, others=self.others)
        shown = [each for each in self.cells if self.chosen is None or each.name in self.chosen]
        layers = [
            of_weights(
                each.name,
                each.cell.name,
                each.weights,
                reverse=each.reverse,
                reads=sources[each.name].told,
            )
            for each in shown
        ]
        for each in shown:
            source = sources[each.name]
            guessed = [*each.guessed, *filter(None, [source.guessed])]
            self.notes += [f"{each.name}: {sentence}" for sentence in guessed]
            self.notes += [f"{each.name} is not run: {source.unknown}"] if source.unknown else []
        axes = "(time, batch, {})" if first and first[0].time_first else "(batch, time, {})"
        expected = [f"{axes.format(features)}: numbers"] if features is not None else []
        expected.append("or an .npz with an input by layer name, each (batch, time, features)")
        return Contents(layers, expected)

    def random_probe(self, shape: Sequence[int], rng: np.random.Generator) -> Array:
        return rng.normal(size=tuple(shape)).astype(np.float32)

    def analyses(self, probe: Any) -> dict[str, Analysis]:
        inputs: dict[str, Array] = dict(probe) if isinstance(probe, Mapping) else {}
        shared = None if inputs else np.asarray(probe)
        self._check_names(inputs)
        is_sequence = shared is not None and shared.ndim == 3
        sources = sources_of(
            self.cells,
            shared.shape[-1] if shared is not None and is_sequence else None,
            given=inputs,
            chosen=self.chosen,
            others=self.others,
        )
        outputs: dict[str, Array] = {}
        found: dict[str, Analysis] = {}
        for stored in self._in_order(sources):
            source = sources[stored.name]
            if source.feeds:
                x = np.concatenate([outputs[name] for name in source.feeds], axis=-1)
            else:
                x = inputs[stored.name] if shared is None else shared
                x = x.swapaxes(0, 1) if stored.time_first and x.ndim == 3 else x
            analysis = _alone(stored, x, self.step, source)
            outputs[stored.name], found[stored.name] = analysis.trace.h, analysis
        shown = {k: v for k, v in found.items() if self.chosen is None or k in self.chosen}
        self._say(sources, shown)
        if not found:
            raise self._fits_nothing(shared)
        return shown

    def _in_order(self, sources: Mapping[str, Source]) -> list[StoredCell]:
        """The cells that can be run, each after those whose outputs it reads."""
        waiting = [each for each in self.cells if not sources[each.name].unknown]
        ordered: list[StoredCell] = []
        while waiting:
            blocked = {each.name for each in waiting}
            ready = [each for each in waiting if not blocked.intersection(sources[each.name].feeds)]
            ordered += ready
            waiting = [each for each in waiting if each not in ready]
        return ordered

    def _say(self, sources: Mapping[str, Source], shown: Mapping[str, Analysis]) -> None:
        """Note which layers are not run, and what was guessed of the others."""
        said = [
            f"{name} is not run: {source.unknown}"
            for name, source in sources.items()
            if source.unknown and (self.chosen is None or name in self.chosen)
        ]
        for name, analysis in shown.items():
            said += [f"{name}: {sentence}" for sentence in analysis.snapshot.guessed]
        self.notes = [note for note in self.notes if note not in self._said] + said
        self._said = said

    def _fits_nothing(self, shared: Array | None) -> LstmProbeError:
        sizes = [f"{each.name!r} takes {each.weights.input_size}" for each in self.cells]
        received = "none" if shared is None else f"shape {shared.shape}"
        features = None if shared is None or shared.ndim != 3 else shared.shape[-1]
        fitting = {each.name for each in self.cells if each.weights.input_size == features}
        reasons = [note for note in self._said if note.partition(" is not run")[0] in fitting][:3]
        return LstmProbeError(
            f"The probe fits no layer. Received: {received}. Expected: (batch, time, "
            f"features): {', '.join(sizes)} features; or an .npz with an input by layer name."
            f"{''.join(f' {reason}.' for reason in reasons)}"
        )

    def _check_names(self, inputs: Mapping[str, Array]) -> None:
        known = [each.name for each in self.cells]
        unknown = sorted(set(inputs) - set(known))
        if unknown:
            raise LstmProbeError(
                f"The probe names no layer of the model. Received: {', '.join(unknown)}. Expected "
                f"some of {', '.join(known)}."
            )
        for each in self.cells:
            shape = np.shape(inputs[each.name]) if each.name in inputs else None
            features = each.weights.input_size
            if shape is not None and (len(shape) != 3 or shape[-1] != features):
                raise LstmProbeError(
                    f"The probe does not fit layer {each.name!r}. Received: shape {shape}. "
                    f"Expected: (batch, time, {features})."
                )


def _alone(stored: StoredCell, x: Array, step: int, source: Source) -> Analysis:
    """Analyse a cell whose framework has given no output to compare with."""
    dtype = str(stored.weights.dtype)
    snapshot = Snapshot(
        step,
        stored.name,
        stored.cell,
        stored.weights,
        x=x,
        output=np.zeros((*x.shape[:2], stored.weights.output_size), np.float32),
        reverse=stored.reverse,
        dtype=dtype if dtype in ("float16", "float64") else "float32",
        guessed=(*stored.guessed, *((source.guessed,) if source.guessed else ())),
    )
    return analysed_alone(snapshot)


@on_one_blas_thread
def analysed_alone(snapshot: Snapshot) -> Analysis:
    """Analyse a snapshot whose output is not that of a framework, or is not to be compared with.

    Args:
        snapshot: what was read; its output is left out of account.

    Returns:
        The analysis, without parity. The output of its snapshot is what was recomputed.
    """
    cell, weights = snapshot.cell, snapshot.weights
    if cell is None:
        raise LstmProbeError(f"The recurrence of {snapshot.layer!r} is not known.")
    precise = weights.astype(np.float64)
    trace = cell.run(
        snapshot.x,
        precise,
        mask=snapshot.mask,
        initial_state=snapshot.initial_state,
        dtype=np.float64,
        reverse=snapshot.reverse,
    )
    trace = replace(trace, layer=snapshot.layer, step=snapshot.step)
    snapshot = replace(snapshot, output=trace.h)
    gradient = gradient_through_time(replace(snapshot, weights=precise), trace)
    return Analysis(snapshot, trace, None, measure_health(snapshot, trace), gradient)


def with_options(cells: Sequence[StoredCell], options: Mapping[str, str]) -> list[StoredCell]:
    """Give the cells options that their file does not hold, such as `forget_bias=0`.

    Args:
        cells: the cells as the file holds them.
        options: the values of the options, as text, by name; `LAYER:NAME` is for one layer alone.
            `reverse` says whether a layer reads from the last timestep to the first.

    Raises:
        LstmProbeError: no cell has such an option, or the option does not take the value.
    """
    layers = [each.name for each in cells]
    for given in options:
        layer, name = _layer_and_option(given, layers)
        meant = [each for each in cells if layer in (None, each.name)]
        if not any(name in _options_of(each) for each in meant):
            known = sorted({option for each in meant for option in _options_of(each)})
            raise LstmProbeError(
                f"No cell has such an option. Received: {given!r}. Expected one of "
                f"{', '.join(known)}; or LAYER:NAME, with a layer of {', '.join(layers)}."
            )
    return [_with_own_options(each, options, layers) for each in cells]


def _with_own_options(
    stored: StoredCell, options: Mapping[str, str], layers: Sequence[str]
) -> StoredCell:
    parsed = [(*_layer_and_option(given, layers), text) for given, text in options.items()]
    own = {
        name: _value(text)
        for layer, name, text in sorted(parsed, key=lambda each: each[0] is not None)
        if layer in (None, stored.name) and name in _options_of(stored)
    }
    reads_back, guessed = stored.reverse, without_given(stored.guessed, own)
    if "reverse" in own:
        reverse = own.pop("reverse")
        if not isinstance(reverse, bool):
            raise LstmProbeError(
                f"A layer reads backward or forward. Received: reverse={reverse}. Expected: "
                "reverse=true or reverse=false."
            )
        reads_back = reverse
    cell: Any = stored.cell
    return replace(stored, cell=replace(cell, **own), reverse=reads_back, guessed=guessed)


def _layer_and_option(given: str, layers: Sequence[str]) -> tuple[str | None, str]:
    layer, colon, name = given.rpartition(":")
    return (layer, name) if colon and layer in layers else (None, given)


def _options_of(stored: StoredCell) -> list[str]:
    return ["reverse", *(each.name for each in fields(stored.cell))]  # type: ignore[arg-type]


def _value(text: str) -> str | float | bool | None:
    words: dict[str, bool | None] = {"true": True, "false": False, "none": None}
    if text.lower() in words:
        return words[text.lower()]
    try:
        return float(text)
    except ValueError:
        return text
