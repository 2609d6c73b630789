"""The cells among the arrays of a torch state dictionary."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from lstm_probe.cells import GruCell, LstmCell, SimpleRnnCell
from lstm_probe.core.arrays import Array
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.models.files.places import Places
from lstm_probe.models.files.wiring import Draft, StoredCell
from lstm_probe.weights import GruWeights, LstmWeights, from_torch
from lstm_probe.weights.torch import folded_normalisation

__all__ = ["torch_drafts"]

_INPUT = re.compile(
    r"(?P<prefix>.*?)weight_ih(?P<ending>(_l(?P<layer>\d+))?(?P<reverse>_reverse)?)$", re.DOTALL
)
#: The arrays of a module, and those of which torch's weight normalisation makes one.
_OURS = re.compile(r"(weight|bias)_[ih]h|weight_hr", re.DOTALL)
_MODULE = re.compile(r"(?P<module>.*?)(parametrizations\.)?(weight|bias)_[ih][hr]", re.DOTALL)
_DOUBT = "modules of torch need not stand in a row"


def torch_drafts(
    arrays: Mapping[str, Array], names: Mapping[str, str], places: Places, refused: list[str]
) -> Iterator[Draft]:
    """The cells of `nn.LSTM`, `nn.GRU`, `nn.RNN` and their cells.

    Args:
        arrays: read as they are asked for.
        names: the names of arrays that may be weights, and the names that the file gives them.
        places: what the file tells of its arrays.
        refused: is added a sentence for each cell that cannot be shown.
    """
    ours = [name for name in names if _OURS.search(name)]
    if not any(".weight_hh" in f".{name}" for name in ours):
        return
    held = _folded({name: arrays[names[name]] for name in ours}, refused)
    found = {name: match for name in held if (match := _INPUT.match(name)) is not None}
    for name in sorted(found, key=lambda name: _in_order(found[name])):
        prefix, ending = found[name]["prefix"], found[name]["ending"]
        if f"{prefix}weight_hh{ending}" not in held:
            continue
        shown = _shown(prefix, ending)
        try:
            cell = _cell(held, prefix, ending, shown)
        except LstmProbeError as error:
            refused.append(f"{shown} is not shown: {error}")
            continue
        layer = int(found[name]["layer"] or 0)
        cell_names = [key for key in names if key.startswith(f"{prefix}weight_ih{ending}")]
        yield Draft(
            cell,
            f"{prefix}l{layer}",
            outer=(prefix, layer),
            doubt=_DOUBT,
            place=places.first(names[key] for key in cell_names),
        )


def _folded(held: Mapping[str, Array], refused: list[str]) -> dict[str, Array]:
    """The weights that torch computes with, of those modules of which they are known."""
    by_module: dict[str, dict[str, Array]] = {}
    for name, array in held.items():
        module = _MODULE.match(name)
        by_module.setdefault(module["module"] if module else name, {})[name] = array
    folded: dict[str, Array] = {}
    for module_name, own in by_module.items():
        try:
            _check_numbers(own)
            folded |= folded_normalisation(own)
        except LstmProbeError as error:
            refused.append(f"{module_name.rstrip('.') or 'the module'} is not shown: {error}")
    return folded


def _check_numbers(held: Mapping[str, Array]) -> None:
    for name, array in held.items():
        if array.dtype.kind not in "iuf" and array.dtype.name != "bfloat16":
            raise LstmProbeError(
                f"its array {name} holds no real numbers. Received: {array.dtype}. Expected: "
                "floats."
            )


def _in_order(match: re.Match[str]) -> tuple[str, int, bool]:
    return match["prefix"], int(match["layer"] or 0), match["reverse"] is not None


def _cell(held: Mapping[str, Array], prefix: str, ending: str, shown: str) -> StoredCell:
    state = {
        f"{each}_l0": held[key]
        for each in ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr")
        if (key := f"{prefix}{each}{ending}") in held
    }
    weights = from_torch(state)
    reverse = ending.endswith("_reverse")
    if isinstance(weights, LstmWeights):
        return StoredCell(shown, LstmCell(), weights, reverse=reverse)
    if isinstance(weights, GruWeights):
        return StoredCell(shown, GruCell(reset_after=True), weights, reverse=reverse)
    return StoredCell(shown, SimpleRnnCell(), weights, reverse=reverse)


def _shown(prefix: str, ending: str) -> str:
    ending = ending.removeprefix("_")
    parts = [prefix.rstrip("."), "" if ending == "l0" else ending]
    return ".".join(part for part in parts if part) or "l0"
