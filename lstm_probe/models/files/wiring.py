"""Which cells of a file read the outputs of which others, as far as the file shows it.

Some chains are written in the names that a framework gives: torch's `l0`, `l1`, TF1's `cell_0`,
`cell_1`. Others can only be guessed: of Keras's layers each reads the one before, mostly, so a
layer reads that one whose outputs have its features, if there is only one. Everything else is left
open, and who runs the cells says so.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from lstm_probe.cells import Cell
from lstm_probe.models.files.places import Place
from lstm_probe.weights import GateWeights

__all__ = ["Candidate", "Draft", "Other", "StoredCell", "wired"]

#: Of how many layers it is tried which reads which; models have fewer.
_MOST = 500
_NUMBER = re.compile(r"(.*?)_?(\d+)$")


@dataclass(frozen=True)
class Candidate:
    """Cells whose outputs, side by side, may be the input of another one.

    Attributes:
        names: the cells.
        doubt: why they may not be its input all the same; empty where nothing speaks against it.
        by_order: others have as many features, but stand further below.
    """

    names: tuple[str, ...]
    doubt: str = ""
    by_order: bool = False


@dataclass(frozen=True, eq=False)
class StoredCell:
    """A cell that a file holds.

    Attributes:
        name: the layer's name, as far as the file tells it.
        cell: its options; a file of arrays does not tell them, so they are the framework's
            defaults.
        weights: its weights.
        reverse: it reads from the last timestep to the first.
        feeds: the cells whose outputs, side by side, are known to be its input; empty where that
            is not known, as for the first layer.
        candidates: where `feeds` is empty, the cells whose outputs may be its input.
        guessed: sentences that say what of this was guessed.
        unfed: why the probe cannot be its input; empty where it may be.
        layer: what the cells of one layer have in common.
        time_first: the probe is `(time, batch, features)` for this cell.
        in_sequence: the name of its model says that each layer reads the one before.
    """

    name: str
    cell: Cell[Any]
    weights: GateWeights
    reverse: bool = False
    feeds: tuple[str, ...] = ()
    candidates: tuple[Candidate, ...] = ()
    guessed: tuple[str, ...] = ()
    unfed: str = ""
    in_sequence: bool = False
    layer: str = ""
    time_first: bool = False


@dataclass(frozen=True)
class Draft:
    """A cell, and what the file tells of its place among the others.

    Attributes:
        cell: the cell.
        layer: what the cells of one layer have in common: those of both directions, and of a stack.
        inner: the stack of cells that it is in, and its height there: each cell of a stack reads
            the one below.
        outer: the stack of layers that its layer is in, and its height there.
        doubt: what speaks against guessing that it reads another layer; empty for layers that
            mostly stand in a row.
        place: where it stands in the order of the model; None where that is not known.
    """

    cell: StoredCell
    layer: str
    inner: tuple[str, int] | None = None
    outer: tuple[str, int] | None = None
    doubt: str = ""
    place: Place | None = None


@dataclass(frozen=True)
class Other:
    """A layer that is not recurrent, and may stand between two that are.

    Attributes:
        name: its name.
        takes: how many features it reads.
        gives: how many it gives.
        place: where it stands in the order of the model.
    """

    name: str
    takes: int
    gives: int
    place: Place | None = None


@dataclass
class _Group:
    """The cells of one layer: its two directions, or a stack of cells, or both."""

    drafts: list[Draft] = field(default_factory=list)

    @property
    def tops(self) -> list[StoredCell]:
        """The cells that give the outputs of the layer, the forward one first."""
        read = {name for each in self.drafts for name in each.cell.feeds}
        tops = [each.cell for each in self.drafts if each.cell.name not in read]
        return sorted(tops, key=lambda cell: cell.reverse)

    @property
    def is_whole(self) -> bool:
        """Whether it has at most one cell for each direction, and all of them read one input."""
        tops = self.tops
        roots = [each.cell for each in self.drafts if not each.cell.feeds]
        sizes = {cell.weights.input_size for cell in roots if not cell.unfed}
        return len({cell.reverse for cell in tops}) == len(tops) and len(sizes) <= 1

    @property
    def width(self) -> int:
        """The number of features of its outputs, side by side."""
        return sum(cell.weights.output_size for cell in self.tops)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(cell.name for cell in self.tops)

    @property
    def place(self) -> Place | None:
        places = [each.place for each in self.drafts if each.place is not None]
        return min(places) if len(places) == len(self.drafts) else None


def wired(drafts: Sequence[Draft], others: Sequence[Other] = ()) -> list[StoredCell]:
    """The cells, each with what is known of its input.

    Args:
        drafts: what the file tells of each of them.
        others: the layers of the file that are not recurrent.
    """
    groups = _grouped(_stacked(_without_false_places(drafts)))
    below = {
        draft.outer: group for group in groups for draft in group.drafts if draft.outer is not None
    }
    cells = {}
    for group in groups:
        for draft in group.drafts:
            cell = draft.cell
            if not cell.feeds and not cell.unfed and draft.outer is not None and draft.outer[1]:
                key, height = draft.outer
                feeding = below.get((key, height - 1))
                cell = _fed(cell, [] if feeding is None else feeding.tops, "layer")
            if not cell.feeds and not cell.unfed:
                cell = replace(cell, candidates=_candidates(draft, group, groups, others))
            cells[cell.name] = replace(cell, layer=group.drafts[0].layer)
    return [cells[draft.cell.name] for draft in drafts]


def _without_false_places(drafts: Sequence[Draft]) -> list[Draft]:
    """The order of a file tells nothing where it is not that of the numbers of its layers."""
    by_stem: dict[tuple[str, ...], list[tuple[tuple[int, ...], Place]]] = {}
    for draft in drafts:
        stems, numbers = _numbered(draft.layer)
        if draft.place is not None and not draft.place.container:
            by_stem.setdefault(stems, []).append((numbers, draft.place))
    for numbered in by_stem.values():
        by_place = [numbers for numbers, _ in sorted(numbered, key=lambda each: each[1])]
        if by_place != sorted(by_place):
            return [replace(draft, place=None) for draft in drafts]
    return list(drafts)


def _stacked(drafts: Sequence[Draft]) -> list[Draft]:
    """Cells of a stack read the one below, where there is exactly one."""
    heights: dict[tuple[str, int], list[StoredCell]] = {}
    for draft in drafts:
        if draft.inner is not None:
            heights.setdefault(draft.inner, []).append(draft.cell)
    made = []
    for draft in drafts:
        if draft.inner is not None and draft.inner[1] > 0:
            key, height = draft.inner
            below = heights.get((key, height - 1), [])
            cell = _fed(draft.cell, below if len(below) == 1 else [], "cell")
            draft = replace(draft, cell=cell)
        made.append(draft)
    return made


def _fed(cell: StoredCell, below: Sequence[StoredCell], what: str) -> StoredCell:
    """A cell that is known to read the outputs of others, if these have its features."""
    if not below:
        return replace(cell, unfed=f"the {what} below it is not in the file")
    width = sum(each.weights.output_size for each in below)
    names = tuple(each.name for each in below)
    if width != cell.weights.input_size:
        return replace(
            cell,
            unfed=f"it takes {cell.weights.input_size} features, and {' and '.join(names)}, which "
            f"it should read, {'has' if len(names) == 1 else 'have'} {width}",
        )
    return replace(cell, feeds=names)


def _grouped(drafts: Sequence[Draft]) -> list[_Group]:
    by_layer: dict[str, _Group] = {}
    for draft in drafts:
        by_layer.setdefault(draft.layer, _Group()).drafts.append(draft)
    groups: list[_Group] = []
    for group in by_layer.values():
        groups += [group] if group.is_whole else [_Group([draft]) for draft in group.drafts]
    return groups


def _candidates(
    draft: Draft, group: _Group, groups: Sequence[_Group], others: Sequence[Other]
) -> tuple[Candidate, ...]:
    """The layers whose outputs have as many features as a cell reads."""
    features, found = draft.cell.weights.input_size, []
    if len(groups) > _MOST:
        return ()
    for each in groups:
        if each is group or _comes_before(group, each) or _reads(each, group):
            continue
        widths = {cell.weights.output_size for cell in each.tops}
        if each.width == features:
            found.append((each, draft.doubt or _between(each, group, features, others)))
        elif widths == {features}:
            found.append((each, "its two directions may be merged in several ways"))
    # Of layers in a row, the nearest: each of those below feeds another one.
    nearest = [
        (one, doubt)
        for one, doubt in found
        if not any(_comes_before(one, two) and _takes(two, one.width) for two, _ in found)
    ]
    by_order = len(nearest) < len(found)
    return tuple(Candidate(each.names, doubt, by_order) for each, doubt in nearest)


def _takes(group: _Group, width: int) -> bool:
    roots = [each.cell for each in group.drafts if not each.cell.feeds]
    return any(cell.weights.input_size == width for cell in roots)


def _between(lower: _Group, upper: _Group, features: int, others: Sequence[Other]) -> str:
    """Says which layer may stand between two, if one may."""
    possible = [
        each
        for each in others
        if not (each.place is not None and each.place.before(lower.place))
        and not (upper.place is not None and upper.place.before(each.place))
    ]
    first = [each.name for each in possible if each.takes == lower.width]
    last = [each.name for each in possible if each.gives == features]
    return f"{last[0]} may stand between them" if first and last else ""


def _comes_before(one: _Group, other: _Group) -> bool:
    """Whether one layer is known to stand before another."""
    known = one.place is not None and other.place is not None
    if known and one.place.container == other.place.container:  # type: ignore[union-attr]
        return one.place.before(other.place)  # type: ignore[union-attr]
    first, second = (_numbered(each.drafts[0].layer) for each in (one, other))
    return first[0] == second[0] and first[1] < second[1]


@lru_cache(maxsize=10_000)
def _numbered(layer: str) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """The names that Keras gives to layers of a kind, and the numbers that tell them apart."""
    parts = layer.split("/")
    if len(parts) > 1 and re.search(r"cell(_\d+)?$", parts[-1]):
        parts = parts[:-1]
    matches = [_NUMBER.fullmatch(part) for part in parts]
    stems = tuple(m[1] if m else part for m, part in zip(matches, parts, strict=True))
    return stems, tuple(int(m[2]) if m else 0 for m in matches)


def _reads(group: _Group, other: _Group) -> bool:
    """Whether a layer is known to read another one."""
    names = set(other.names)
    return any(names.intersection(draft.cell.feeds) for draft in group.drafts)
