"""What each cell of a file of weights reads: the probe, or the outputs of other cells."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from lstm_probe.models.files.wiring import Candidate, Other, StoredCell

__all__ = ["Source", "sources_of"]

_HOW = "give its input by its name in an .npz probe"


@dataclass(frozen=True)
class Source:
    """What a cell reads.

    Attributes:
        is_probe: the probe, or what the probe holds under the cell's name.
        feeds: the cells whose outputs, side by side, are its input.
        guessed: a sentence that says so, if that is guessed.
        unknown: why it is not run, if what it reads is not known.
    """

    is_probe: bool = False
    feeds: tuple[str, ...] = ()
    guessed: str = ""
    unknown: str = ""

    @property
    def told(self) -> str:
        """What the cell reads, in words."""
        if self.unknown:
            return "not known"
        return "the probe" if not self.feeds else " and ".join(self.feeds)


def sources_of(
    cells: Sequence[StoredCell],
    features: int | None,
    *,
    given: Collection[str] = (),
    chosen: Collection[str] | None = None,
    others: Sequence[Other] = (),
) -> dict[str, Source]:
    """What each cell reads, by its name.

    Args:
        cells: of the file.
        features: how many the probe has; None for a probe that names the cells that it is for.
        given: the names of these.
        chosen: the layers that the user has asked for; None for all. Who asks for a layer that
            takes the probe, and that the file does not chain to others, means the probe for it.
        others: the layers of the file that are not recurrent.
    """
    if features is not None:
        cells = [_with_possible(cell, cells, features, others) for cell in cells]
    found = {
        cell.name: Source(is_probe=True) if cell.name in given else _source(cell, features, chosen)
        for cell in cells
    }
    return _reachable(found)


def _with_possible(
    cell: StoredCell, cells: Sequence[StoredCell], features: int, others: Sequence[Other]
) -> StoredCell:
    """A cell without the candidates that nothing leads to from the probe, but through itself."""
    if not cell.candidates or cell.weights.input_size != features:
        return cell
    rest = [each for each in cells if each.layer != cell.layer]
    widths, reached = {features}, set[str]()
    of_layers: Counter[str] = Counter()
    for each in rest:
        of_layers[each.layer] += each.weights.output_size
    while True:
        more = {
            each.name
            for each in rest
            if each.name not in reached
            and (
                reached.issuperset(each.feeds) if each.feeds else each.weights.input_size in widths
            )
        }
        wider = {each.gives for each in others if each.takes in widths} - widths
        if not more and not wider:
            break
        reached |= more
        widths |= wider
        for each in rest:
            if each.name in reached:
                widths |= {each.weights.output_size, of_layers[each.layer]}
    possible = tuple(each for each in cell.candidates if reached.issuperset(each.names))
    return replace(cell, candidates=possible)


def _reachable(found: dict[str, Source]) -> dict[str, Source]:
    """A cell cannot be run where one that it reads, directly or through others, cannot be."""
    runs: set[str] = set()
    while True:
        more = {
            name
            for name, source in found.items()
            if name not in runs and not source.unknown and runs.issuperset(source.feeds)
        }
        if not more:
            break
        runs |= more
    return {
        name: s if name in runs or s.unknown else _cut_off(s, runs) for name, s in found.items()
    }


def _cut_off(source: Source, runs: Collection[str]) -> Source:
    missing = [name for name in source.feeds if name not in runs]
    return Source(unknown=f"it reads the outputs of {' and '.join(missing)}, which cannot be run")


def _source(cell: StoredCell, features: int | None, chosen: Collection[str] | None) -> Source:
    size = cell.weights.input_size
    fits = features == size and not cell.unfed
    if cell.feeds:
        return Source(feeds=cell.feeds)
    candidates = cell.candidates
    if fits and candidates and cell.in_sequence and len(candidates) == 1:
        return _guess(
            candidates[0], size, "from the name of the model: in it, layers stand in a row"
        )
    if fits and candidates and chosen is not None and cell.name in chosen:
        return Source(is_probe=True, guessed="it reads the probe: taken so, as it was asked for")
    if fits and candidates:
        return Source(unknown=_ambiguous(["the probe", *map(_named, candidates)], size))
    if fits:
        return Source(is_probe=True)
    if cell.unfed:
        return Source(unknown=f"{cell.unfed}; {_HOW}")
    if len(candidates) > 1:
        return Source(unknown=_ambiguous([*map(_named, candidates)], size))
    if candidates:
        by_order = "from the order of the layers and the number of its features"
        by_size = "as no other layer of the file gives as many features"
        return _guess(candidates[0], size, by_order if candidates[0].by_order else by_size)
    if features is None:
        return Source(unknown="the probe does not name it")
    return Source(unknown=f"it takes {size} features, and what comes before it is not in the file")


def _guess(candidate: Candidate, size: int, reason: str) -> Source:
    if candidate.doubt:
        return Source(
            unknown=f"it takes {size} features, which {_named(candidate)} may give it, but "
            f"{candidate.doubt}; {_HOW}"
        )
    return Source(
        feeds=candidate.names,
        guessed=f"it reads the outputs of {_named(candidate)}: guessed, {reason}",
    )


def _named(candidate: Candidate) -> str:
    return " and ".join(candidate.names)


def _ambiguous(sources: Sequence[str], size: int) -> str:
    return (
        f"it takes {size} features, which {', '.join(sources[:-1])} and {sources[-1]} have, and "
        f"the file does not tell which of them it reads; {_HOW}, or choose it by --layer to give "
        "it the probe"
    )
