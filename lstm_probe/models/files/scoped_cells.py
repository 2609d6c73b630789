"""The cells among variables whose names have scopes: those of Keras and of TF1."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise, permutations
from typing import Any, NamedTuple

from lstm_probe.cells import GruCell, LstmCell, SimpleRnnCell
from lstm_probe.core.arrays import Array
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.models.files.directions import Direction, direction_of, unmarked
from lstm_probe.models.files.places import Place, Places
from lstm_probe.models.files.wiring import Draft, StoredCell
from lstm_probe.weights import (
    ConvLstmWeights,
    GateWeights,
    GruWeights,
    LstmWeights,
    from_keras,
    from_variables,
)

__all__ = ["HARD_SIGMOID", "numbered_draft", "scoped_drafts", "without_given"]

#: The last part of a scope in which TF1 keeps a cell, and a Dense layer does not.
_CELL_SCOPE = re.compile(r"(cell|rnn|lstm|gru)[^/]*$", re.IGNORECASE)
_KERAS_CELL = re.compile(r"/((lstm|gru|simple_rnn|rnn)_cell(_\d+)?|cell)$")
#: TF1's `MultiRNNCell`, and Keras's `StackedRNNCells` where the file has the path of the objects.
_STACKED = re.compile(r"(?P<stack>.*multi_rnn_cell(_\d+)?/)cell_(?P<number>\d+)/[^/]+$")
_STACKED_KERAS = re.compile(r"(?P<stack>.*/cell/cells/)(?P<number>\d+)$")
#: TF1's `stack_bidirectional_dynamic_rnn`, which numbers its layers.
_LAYERS = re.compile(r"(?P<stack>(.*/)?stack_bidirectional_rnn(_\d+)?/)cell_(?P<number>\d+)/")
#: The name that Keras gives to a Sequential model, which stands before its layers.
_SEQUENTIAL = re.compile(r"sequential(_\d+)?/")
_DOUBT = "the graph that says what lies between them is not read"
_BACKWARD = "it reads from the last timestep to the first: guessed from its name"
_IN_STACK = "its place among the cells of its stack: guessed from the file's order or their sizes"
#: Of how many cells of a stack all orders are tried.
_TALLEST = 6
_NOWHERE = Place("", ())
_RESET_AFTER = (
    "its reset gate acts after the product: guessed, as a GRU without a bias does not tell, and "
    "this is Keras's default"
)

#: What the activation of a cell's gates is by default in Keras up to 2.2.
HARD_SIGMOID = (
    "its recurrent activation is a hard sigmoid: guessed, as this was the default of the Keras "
    "that wrote the file"
)
#: The sentences that no longer hold where an option has been given.
_OF_OPTIONS = {
    "reverse": _BACKWARD,
    "reset_after": _RESET_AFTER,
    "recurrent_activation": HARD_SIGMOID,
}


def without_given(guessed: tuple[str, ...], options: Collection[str]) -> tuple[str, ...]:
    """What is still guessed where some options have been given.

    Args:
        guessed: sentences.
        options: the names of the options.
    """
    given = {_OF_OPTIONS[name] for name in options if name in _OF_OPTIONS}
    return tuple(each for each in guessed if each not in given)


class _Scope(NamedTuple):
    """The variables of one cell.

    Attributes:
        scope: their names without the last part.
        names: the names that the file gives them, by their names.
        is_keras: Keras has made them, and not TF1.
        path: of the object that holds them; empty where the file does not tell it.
    """

    scope: str
    names: Mapping[str, str]
    is_keras: bool
    path: str


def scoped_drafts(
    arrays: Mapping[str, Array], names: Mapping[str, str], places: Places, refused: list[str]
) -> Iterator[Draft]:
    """Cells whose arrays share a scope: `scope/kernel`, `scope/gates/kernel`.

    Args:
        arrays: read as they are asked for.
        names: the names of arrays that may be weights, and the names that the file gives them.
        places: what the file tells of its arrays.
        refused: is added a sentence for each cell that cannot be shown.
    """
    yield from _in_stacks(_found(arrays, names, places, refused))


def _found(
    arrays: Mapping[str, Array], names: Mapping[str, str], places: Places, refused: list[str]
) -> Iterator[tuple[Draft, str]]:
    """The cells, each with the layer that it is in: those of a stack share one."""
    scopes = [each for each in _scopes(names, places) if _is_cell(each)]
    in_layers = Counter(_KERAS_CELL.sub("", each.scope) for each in scopes)
    alike = Counter(unmarked(each.scope) for each in scopes)
    for each in scopes:
        shown = _shown(each, in_layers)
        try:
            _check_numbers(each, arrays)
            weights = from_variables({n: arrays[key] for n, key in each.names.items()}, each.scope)
            cell, guessed = _cell(weights, each.is_keras)
        except LstmProbeError as error:
            # TF1 also has Dense layers in scopes that are called like a cell.
            if each.is_keras or f"{each.scope}/gates/kernel" in each.names:
                refused.append(f"{shown} is not shown: {error}")
            continue
        direction = direction_of(each.scope, each.path, alike)
        if direction.backward and direction.by == "name":
            guessed = (_BACKWARD, *guessed)
        stored = StoredCell(
            shown,
            cell,
            weights,
            reverse=direction.backward,
            guessed=guessed,
            in_sequence=each.is_keras and _SEQUENTIAL.match(each.scope) is not None,
        )
        layer = _KERAS_CELL.sub("", each.scope) if each.is_keras else each.scope
        yield _draft(stored, each, direction, places), layer


def _in_stacks(found: Iterable[tuple[Draft, str]]) -> Iterator[Draft]:
    """Keras's `StackedRNNCells` has several cells in a layer, each of which reads the one below."""
    by_layer: dict[str, list[Draft]] = {}
    for draft, layer in found:
        by_layer.setdefault(layer, []).append(draft)
    for layer, drafts in by_layer.items():
        if len(drafts) == 1 or any(draft.inner for draft in drafts):
            yield from drafts
            continue
        by_place = sorted(drafts, key=lambda draft: draft.place or _NOWHERE)
        is_known = all(one.place and one.place.before(two.place) for one, two in pairwise(by_place))
        orders = [tuple(by_place)] if is_known else _orders(drafts)
        if len(orders) != 1:
            yield from drafts
            continue
        shared = _KERAS_CELL.sub("", drafts[0].layer)
        # The objects of a model are numbered; in other files, their order is a hint.
        is_told = is_known and bool(_container(drafts[0]))
        for height, draft in enumerate(orders[0]):
            guessed = draft.cell.guessed + (() if is_told or not height else (_IN_STACK,))
            cell = replace(draft.cell, guessed=guessed)
            yield replace(draft, cell=cell, layer=shared, inner=(layer, height))


def _container(draft: Draft) -> str:
    return "" if draft.place is None else draft.place.container


def _orders(drafts: Sequence[Draft]) -> list[tuple[Draft, ...]]:
    """The orders in which the cells of a stack may stand; none where there are too many to try."""
    if len(drafts) > _TALLEST:
        return []
    return [order for order in permutations(drafts) if _fits(order)]


def _fits(cells: Sequence[Draft]) -> bool:
    """Whether each cell may read the one before it."""
    return all(
        one.cell.weights.output_size == two.cell.weights.input_size for one, two in pairwise(cells)
    )


def _scopes(names: Mapping[str, str], places: Places) -> Iterator[_Scope]:
    by_scope: dict[str, dict[str, str]] = {}
    for name in sorted(names):
        for ending in ("/gates/kernel", "/kernel"):
            if name.endswith(ending) and not name.endswith(
                ("/candidate/kernel", "/projection/kernel")
            ):
                by_scope[name.removesuffix(ending)] = {}
                break
    for name in names:
        parts = name.split("/")
        for count in (1, 2):  # a variable of the cell itself, or of its gates
            scope = "/".join(parts[:-count])
            if scope in by_scope:
                by_scope[scope][name] = names[name]
    for scope, own in by_scope.items():
        kernel = own.get(f"{scope}/kernel", own.get(f"{scope}/gates/kernel", ""))
        path = places.path(kernel).removesuffix("/kernel").removesuffix("/_kernel")
        yield _Scope(scope, own, f"{scope}/recurrent_kernel" in own, path)


def _is_cell(scope: _Scope) -> bool:
    by_arrays = scope.is_keras or f"{scope.scope}/gates/kernel" in scope.names
    return by_arrays or _CELL_SCOPE.search(scope.scope) is not None


def _check_numbers(scope: _Scope, arrays: Mapping[str, Array]) -> None:
    """Raise an LstmProbeError if the arrays of a cell hold no real numbers."""
    for name, key in scope.names.items():
        dtype = arrays[key].dtype
        if dtype.kind not in "iuf" and dtype.name != "bfloat16":
            raise LstmProbeError(
                f"its array {name.rpartition('/')[2]} holds no real numbers. Received: {dtype}. "
                "Expected: floats."
            )


def _shown(scope: _Scope, known: Counter[str]) -> str:
    """The layer's name; a cell is named by itself where its layer has several."""
    if not scope.is_keras:
        return scope.scope
    layer = _KERAS_CELL.sub("", scope.scope) or "layer"
    return layer if known[_KERAS_CELL.sub("", scope.scope)] == 1 else scope.scope


def _cell(weights: GateWeights, is_keras: bool) -> tuple[Any, tuple[str, ...]]:
    """The cell with the options that its framework has by default, and what of them is guessed."""
    if isinstance(weights, LstmWeights):
        return LstmCell(forget_bias=0.0 if is_keras else 1.0), ()
    if isinstance(weights, GruWeights):
        guessed = is_keras and weights.bias is None
        return GruCell(reset_after=True if guessed else None), (_RESET_AFTER,) * guessed
    if isinstance(weights, ConvLstmWeights):
        raise LstmProbeError(
            "A ConvLSTM's arrays do not tell its strides and padding. Received: convolutional "
            "kernels. Expected: the model itself, as a .keras or .h5 file, or with its --config."
        )
    return SimpleRnnCell(), ()


def _draft(cell: StoredCell, scope: _Scope, direction: Direction, places: Places) -> Draft:
    stack = _STACKED_KERAS.match(scope.path) or _STACKED.match(scope.scope)
    layers = _LAYERS.match(direction.pair)
    of_both = _STACKED_KERAS.match(direction.pair) or _STACKED.match(direction.pair)
    return Draft(
        cell,
        of_both["stack"] if of_both else direction.pair,
        inner=(stack["stack"], int(stack["number"])) if stack else None,
        outer=(layers["stack"], int(layers["number"])) if layers else None,
        doubt="" if scope.is_keras else _DOUBT,
        place=places.first(scope.names.values()),
    )


def numbered_draft(arrays: Mapping[str, Array]) -> list[Draft]:
    """What `np.savez(path, *layer.get_weights())` makes: arr_0, arr_1, arr_2."""
    if len(arrays) not in (2, 3) or set(arrays) != {f"arr_{k}" for k in range(len(arrays))}:
        return []
    weights = from_keras(*(arrays[f"arr_{k}"] for k in range(len(arrays))))
    cell, guessed = _cell(weights, is_keras=True)
    return [Draft(StoredCell("layer", cell, weights, guessed=guessed), "layer")]
