"""What the analyses say of a layer, in a log: the part of each result that can be drawn, as JSON.

It is one blob for each layer, under the tag `<layer>/findings`. Older releases know no such tag and
leave it out. Numbers have four significant digits, and numbers that are not finite are texts.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from lstm_probe.analysis.explained import Explained
from lstm_probe.core.arrays import Array
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.logs.stored.format import as_json, evenly, plain
from lstm_probe.logs.stored.names import FORMAT

__all__ = ["packed_findings", "read_findings"]

#: How much is kept at most: units, of series of numbers, of eigenvalues in all, of fixed points.
_UNITS, _SERIES, _EIGENVALUES, _POINTS = 2048, 32, 2048, 32
#: For each series the units that follow it best.
_FOLLOWERS = 5
#: Of an attribution: sequences, timesteps and features.
_SEQUENCES, _TIMESTEPS, _FEATURES = 4, 128, 16
#: Of the paths of states: sequences, and as many timesteps.
_PATHS = 24
#: What tells the probe's own data, by analysis and field; None for all fields.
_DATA: Final[Mapping[str, str | None]] = {"attribution": None, "geometry": "classes"}


def packed_findings(explained: Explained, *, data: bool = True) -> bytes:
    """The findings of one layer as JSON, up to some 500 kB.

    Args:
        explained: what the analyses say of the layer.
        data: False leaves out what is attributed to each input, which tells the input itself, and
            the classes of the sequences. The sentences stay.

    Example:
        >>> packed = packed_findings(Explained("memory", 3, {}, {"need": "No target."}))
        >>> read_findings(packed)["missing"]
        {'need': 'No target.'}
    """
    findings = {
        name: {
            **_kept(name, each.plain(), data),
            "sentences": [answer.plain() for answer in each.sentences()],
        }
        for name, each in explained.findings.items()
    }
    document = {
        "format": FORMAT,
        "layer": explained.layer,
        "step": explained.step,
        "findings": findings,
        "missing": dict(explained.missing),
        "notes": list(explained.notes),
        "asked_of": explained.asked_of,
    }
    return as_json(_short(plain(document))).encode()


def _kept(name: str, found: Mapping[str, Any], data: bool) -> dict[str, Any]:
    """What is kept of an analysis; without `data`, nothing that tells the probe's own."""
    if data or name not in _DATA:
        return _PARTS[name](found)
    private = _DATA[name]
    return {k: v for k, v in _PARTS[name](found).items() if k != private} if private else {}


def read_findings(data: bytes) -> dict[str, Any]:
    """What `packed_findings` wrote.

    Raises:
        LstmProbeError: the bytes are damaged, or of a later version of the format.

    Example:
        >>> read_findings(b'{"format": 1, "findings": {}, "missing": {}}')["findings"]
        {}
    """
    try:
        found = json.loads(data)
    except ValueError:
        found = None
    known = isinstance(found, dict) and isinstance(found.get("format"), int)
    if known and found["format"] <= FORMAT:
        parts = (found.get("findings"), found.get("missing"))
        if all(isinstance(each, dict) for each in parts):
            return dict(found)
    raise LstmProbeError(
        f"The stored findings cannot be read. Received: {data[:40]!r}. Expected: JSON in a format "
        f"up to {FORMAT}; later ones take a newer lstm_probe."
    )


def _short(value: Any) -> Any:
    """Floats with four significant digits."""
    if isinstance(value, dict):
        # The numbers of sentences stay as they are: there are few.
        return {k: v if k == "sentences" else _short(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_short(each) for each in value]
    return float(f"{value:.4g}") if isinstance(value, float) else value


def _ablation(found: Mapping[str, Any]) -> dict[str, Any]:
    """The effects of each unit, the largest first."""
    mean, zero = found["at_mean"], found["at_zero"]
    order = np.argsort(-np.nan_to_num(mean["ranked_by"]), kind="stable")[:_UNITS]
    kept = {
        "effect": mean["ranked_by"],
        "effect_at_zero": zero["ranked_by"],
        "on_others": mean["on_others"],
        "on_output": mean["on_output"],
        "loss": mean["loss"],
    }
    columns = {name: each[order] for name, each in kept.items() if each is not None}
    told = _some(found, "word", "loss_name", "sequences", "norm", "output_norm")
    # `loss` is that of each unit; the model's own has another name.
    return {**told, "units": order, **columns, "whole_loss": found["loss"], "named": mean["named"]}


def _tracking(found: Mapping[str, Any]) -> dict[str, Any]:
    """The series that are followed best, each with the units that follow it best."""
    names, r2 = found["names"], np.nan_to_num(found["r2"], nan=-np.inf)
    named = found["named"]
    best = r2.max(axis=0, initial=-np.inf)
    order = sorted(range(len(names)), key=lambda k: (names[k] not in named, -best[k]))
    series = []
    for k in order[:_SERIES]:
        units = np.argsort(-r2[:, k], kind="stable")[:_FOLLOWERS]
        numbers = {name: found[name][units, k] for name in ("r2", "correlation", "p", "area")}
        named_units = [u for u in units.tolist() if u in named.get(names[k], ())]
        told = {"name": names[k], "family": found["families"][k], "named": named_units}
        series.append({**told, "units": units, **numbers})
    told = _some(found, "word", "letter", "together", "untested", "chance", "sequences", "steps")
    return {**told, "shuffles": found["shuffles"], "series": series, "of": len(names)}


def _attribution(found: Mapping[str, Any]) -> dict[str, Any]:
    """The features to which most is attributed, at timesteps at even distances."""
    values: Array = found["values"]
    sequences = np.arange(min(len(values[0]), _SEQUENCES))
    timesteps = evenly(values.shape[2], _TIMESTEPS)
    size = np.abs(values[:, sequences]).sum(axis=(0, 1, 2))
    features = np.sort(np.argsort(-size, kind="stable")[:_FEATURES])
    kept = values[:, sequences][:, :, timesteps][..., features]
    return {
        **_some(found, "word", "chosen", "baseline", "incompleteness", "points"),
        "sequences": sequences,
        "timesteps": timesteps,
        "features": features,
        "of": {"sequences": values.shape[1], "timesteps": values.shape[2], "features": len(size)},
        "values": kept.swapaxes(2, 3),  # (chosen, sequences, features, timesteps)
        "by_step": found["by_step"][:, sequences][:, :, timesteps],
    }


def _need(found: Mapping[str, Any]) -> dict[str, Any]:
    return dict(found)


def _stability(found: Mapping[str, Any]) -> dict[str, Any]:
    """The eigenvalues, of each place the largest."""
    spectrum, points, exponents = found["spectrum"], found["points"], found["exponents"]
    kinds = points["kinds"][:_POINTS]
    return {
        "spectrum": {
            **_some(spectrum, "places", "stretch", "steps", "missing"),
            "eigenvalues": _largest(spectrum["eigenvalues"]),
        },
        "points": {
            **_some(points, "timesteps", "starts", "missing"),
            "kinds": kinds,
            "reached": points["reached"][:_POINTS],
            "eigenvalues": _largest(points["eigenvalues"][: len(kinds)]),
        },
        "exponents": _some(exponents, "exponents", "low", "high", "verdict", "missing"),
        "structures": [_some(each, "kind", "value", "points") for each in found["structures"]],
    }


def _geometry(found: Mapping[str, Any]) -> dict[str, Any]:
    """The paths of the first sequences without masked steps, at timesteps at even distances."""
    path = np.array(found["path"], np.float64)  # None becomes NaN
    ways = []
    for way in path[:_PATHS]:
        there = np.flatnonzero(np.isfinite(way[:, 0]))
        kept = there[evenly(len(there), _TIMESTEPS)]
        ways.append({"timesteps": kept, "x": way[kept, 0], "y": way[kept, 1]})
    ends = found["ends"]
    return {
        **_some(found, "dimensions", "band", "units", "variances", "missing"),
        "of": len(path),
        "ways": ways,
        "classes": None if ends is None else ends["classes"][:_PATHS],
    }


def _largest(pairs: Sequence[Any]) -> npt.NDArray[Any] | list[Any]:
    """`(places, whole, 2)`: of the eigenvalues, largest first, as many of each as there is room."""
    array = np.asarray(pairs, np.float64)
    return array[:, : max(1, _EIGENVALUES // len(array))] if array.size else []


def _some(found: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: found[name] for name in names if name in found}


_PARTS: Final[Mapping[str, Callable[[Mapping[str, Any]], dict[str, Any]]]] = {
    "ablation": _ablation,
    "tracking": _tracking,
    "attribution": _attribution,
    "need": _need,
    "stability": _stability,
    "geometry": _geometry,
}
