"""The index of a page: what it answers at once, and where its captures stand."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any

from lstm_probe.core.errors import LstmProbeError
from lstm_probe.explorer.answers import Answers
from lstm_probe.explorer.computed import CKA, EXPONENTS
from lstm_probe.explorer.page.held import HeldCaptures
from lstm_probe.explorer.page.shrink import compressed
from lstm_probe.explorer.requests import WHOLE
from lstm_probe.explorer.source import CaptureSource
from lstm_probe.logs.stored.format import as_json, evenly
from lstm_probe.logs.stored.names import CAPTURE, FINDINGS, stored_tag
from lstm_probe.logs.stored.reader import RunReader

__all__ = ["analysed_steps", "index_of", "key_of"]

#: The curves over the training that no stored capture holds by itself.
_HISTORIES = ("error_by_timestep", CKA, EXPONENTS)


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
    analysed: Mapping[tuple[str, str], Sequence[int]] | None = None,
    *,
    note: str,
) -> dict[str, Any]:
    """What the page's data source reads first.

    Args:
        runs: as `find_runs` returns them.
        numbers: the element that holds each capture and each layer's weights, by kind
            (`capture` or `weights`), run, layer and step.
        probes: the element that holds the data of each run's probe, by run.
        analysed: the steps of the findings that the page holds, by run and layer.
        note: the line at the foot of the page.

    Returns:
        A dictionary for JSON: the `note`; the `answers` to the questions `runs`, `layers`,
        `timeline`, `alerts`, `sentences` and `explained`, computed by the code that answers
        requests; the `histories` that no capture holds, compressed, as base64; and the `numbers`.
    """
    points = {name: [point.as_data() for point in run.course] for name, run in runs.items()}
    held = HeldCaptures(_series(runs, numbers), points, lambda run, *tag: runs[run].blob(*tag))
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
                key_of(*place): _explained(answers, place, steps)
                for place, steps in (analysed or {}).items()
            },
        },
        "histories": _histories(answers, listed["runs"]),
        "numbers": {
            **{key_of(*place): number for place, number in numbers.items()},
            **{key_of("probe", run): number for run, number in (probes or {}).items()},
        },
    }


def analysed_steps(run: RunReader, layer: str, room: float) -> tuple[list[int], int]:
    """The steps of the findings of a layer that have room in a page, at even distances.

    The latest have room in any case. What is damaged is left out: a page is made of what can be
    read.

    Args:
        run: the run.
        layer: the layer's name.
        room: how many bytes there are for it.

    Returns:
        The steps, in order, and how many bytes their findings take.
    """
    sizes = {}
    for step in run.findings_steps(layer):
        try:
            sizes[step] = len(as_json(run.findings(layer, step)))
        except LstmProbeError:
            continue
    steps = list(sizes)
    if not steps:
        return [], 0
    most = int(room // max(sizes.values()))
    kept = [steps[k] for k in evenly(len(steps), most)] if most > 1 else steps[-1:]
    return kept, sum(sizes[step] for step in kept)


def _explained(
    answers: Answers, place: tuple[str, str], steps: Sequence[int]
) -> list[dict[str, Any]]:
    found = (answers.explained(WHOLE, *place, step)["explained"] for step in steps)
    return [{**each, "steps": list(steps)} for each in found]


def _series(
    runs: Mapping[str, RunReader],
    numbers: Mapping[tuple[str, str, str, int], str],
) -> dict[str, dict[str, list[int]]]:
    """The steps of each series that the page is made of, by run and tag."""
    series: dict[str, dict[str, list[int]]] = {}
    for kind, run, layer, step in numbers:
        series.setdefault(run, {}).setdefault(stored_tag(layer, kind), []).append(step)
        if steps := runs[run].findings_steps(layer):
            series[run][stored_tag(layer, FINDINGS)] = steps
    return series


def _histories(answers: Answers, runs: list[dict[str, Any]]) -> dict[str, str]:
    """The curves over the training that no capture holds, of each layer that has them."""
    found = {}
    for place in ((run["name"], layer) for run in runs for layer in run["layers"]):
        for name in _HISTORIES:
            try:
                data = answers.history(WHOLE, *place, name)
            except LstmProbeError:
                continue  # nothing was compared, or analysed
            found[key_of(*place, name)] = base64.b64encode(compressed(data)).decode()
    return found
