"""The index of a page: what it answers at once, and where its captures stand."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

from lstm_probe.core.errors import LstmProbeError
from lstm_probe.explorer.answers import Answers
from lstm_probe.explorer.page.held import HeldCaptures
from lstm_probe.explorer.page.shrink import compressed
from lstm_probe.explorer.requests import WHOLE
from lstm_probe.explorer.source import CaptureSource
from lstm_probe.logs.stored.names import CAPTURE, stored_tag
from lstm_probe.logs.stored.reader import RunReader

__all__ = ["findings_of", "index_of", "key_of"]

#: The one array over the training that no stored capture holds: it comes from the summaries.
_FROM_SUMMARIES = "error_by_timestep"


def key_of(*parts: str | int) -> str:
    """A place in the page as one string, which the browser parses as JSON.

    Example:
        >>> key_of("capture", "run", "memory", 3)
        '["capture", "run", "memory", 3]'
    """
    return json.dumps(parts)


def index_of(
    runs: Mapping[str, RunReader],
    numbers: Mapping[tuple[str, str, str, int], str],
    probes: Mapping[str, str] | None = None,
    *,
    note: str,
) -> dict[str, Any]:
    """What the page's data source reads first.

    Args:
        runs: as `find_runs` returns them.
        numbers: the element that holds each capture and each layer's weights, by kind
            (`capture` or `weights`), run, layer and step.
        probes: the element that holds the data of each run's probe, by run.
        note: the line at the foot of the page.

    Returns:
        A dictionary for JSON: the `note`; the `answers` to the questions `runs`, `layers`,
        `timeline`, `alerts`, `sentences` and `explained`, computed by the code that answers
        requests; the `histories` that no capture holds, compressed, as base64; and the `numbers`.
    """
    points = {name: [point.as_data() for point in run.course] for name, run in runs.items()}
    held = HeldCaptures(_series(numbers), points)
    answers = Answers(CaptureSource(held))
    listed = answers.runs(WHOLE)
    names = [run["name"] for run in listed["runs"]]
    return {
        "note": note,
        "answers": {
            "runs": listed,
            "layers": {name: answers.layers(WHOLE, name) for name in names},
            "timeline": {name: answers.timeline(WHOLE, name) for name in names},
            "alerts": {name: answers.alerts(WHOLE, name) for name in names},
            "sentences": {
                key_of(run, layer, step): answers.sentences(WHOLE, run, layer, step)
                for kind, run, layer, step in numbers
                if kind == CAPTURE
            },
            "explained": {
                key_of(run["name"], layer): {"explained": findings_of(runs[run["name"]], layer)}
                for run in listed["runs"]
                for layer in run["layers"]
            },
        },
        "histories": _histories(answers, listed["runs"]),
        "numbers": {
            **{key_of(*place): number for place, number in numbers.items()},
            **{key_of("probe", run): number for run, number in (probes or {}).items()},
        },
    }


def findings_of(run: RunReader, layer: str) -> dict[str, Any] | None:
    """What the analyses say of a layer; None if there is nothing, or it is damaged: a page is made
    of what can be read.

    Args:
        run: the run.
        layer: the layer's name.
    """
    try:
        return run.findings(layer)
    except LstmProbeError:
        return None


def _series(
    numbers: Mapping[tuple[str, str, str, int], str],
) -> dict[str, dict[str, list[int]]]:
    """The steps of each series that the page holds, by run and tag."""
    series: dict[str, dict[str, list[int]]] = {}
    for kind, run, layer, step in numbers:
        series.setdefault(run, {}).setdefault(stored_tag(layer, kind), []).append(step)
    return series


def _histories(answers: Answers, runs: list[dict[str, Any]]) -> dict[str, str]:
    """The parity error at each timestep over the training, for each layer that was compared."""
    found = {}
    for run in runs:
        for layer in run["layers"]:
            try:
                data = answers.history(WHOLE, run["name"], layer, _FROM_SUMMARIES)
            except LstmProbeError:
                continue  # nothing was compared
            key = key_of(run["name"], layer, _FROM_SUMMARIES)
            found[key] = base64.b64encode(compressed(data)).decode()
    return found
