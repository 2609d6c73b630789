"""One self-contained HTML page with every captured step of a log: the gate explorer, offline."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, TextIO, TypeAlias

from lstm_probe import __version__
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.explorer.page.index import analysed_steps, index_of
from lstm_probe.explorer.page.shrink import PLANS, Plan, compressed, shrunk
from lstm_probe.explorer.static_files import OF_TENSORBOARD, without_comments
from lstm_probe.logs.stored.format import as_json, pack
from lstm_probe.logs.stored.probe import part_of_probe
from lstm_probe.logs.stored.reader import RunReader

__all__ = ["PageFacts", "write_page"]

#: Bytes of base64 for each byte, and what the page needs besides its captures.
_BASE64, _FRAME = 4 / 3, 600_000
_SAMPLES = 5
#: The part of a page that findings may take, but for the latest of each layer.
_FINDINGS = 0.1
#: Where something in a log stands: its kind (`capture` or `weights`), run, layer and step.
_Place: TypeAlias = "tuple[str, str, str, int]"


@dataclass(frozen=True)
class PageFacts:
    """What a page holds.

    Attributes:
        captures: of all layers and steps.
        plan: how much of each capture was kept.
        weights: whether the weights are there.
    """

    captures: int
    plan: Plan
    weights: bool


def write_page(
    path: Path,
    runs: Mapping[str, RunReader],
    *,
    title: str = "lstm_probe",
    megabytes: float = 28.0,
    progress: Callable[[], object] = lambda: None,
) -> PageFacts:
    """Write a page that needs no network and no server: it opens from a disk or a mail.

    Args:
        path: the file.
        runs: as `find_runs` returns them.
        title: the page's title.
        megabytes: how large the page may become; `shrink` tells what is left out for that.
        progress: is called after each capture.

    Raises:
        LstmProbeError: the runs hold no gates, or too many captures for a page of this size.
    """
    places = [
        (run, layer, step)
        for run in runs
        for layer in runs[run].layers
        for step in runs[run].steps(layer)
    ]
    if not places:
        raise LstmProbeError(
            "There are no gates to report. Received: a log of numbers alone. Expected: a training "
            "whose callback logs detail='gates' or 'full'."
        )
    analysed, size = _analysed(runs, _FINDINGS * megabytes * 1e6)
    plan, room = _choose(runs, places, megabytes * 1e6 - _FRAME - size)
    probes = _probes(runs, plan, room)
    weights = _weights(runs, room - sum(len(data) * _BASE64 for data in probes.values()))
    numbers: dict[_Place, str] = {}
    with path.open("w", encoding="utf-8") as file:
        file.write(_HEAD.format(title=html.escape(title), policy=_POLICY, style=_style()))
        for number, (run, layer, step) in enumerate(places):
            data = compressed(shrunk(runs[run].capture(layer, step), plan))
            numbers["capture", run, layer, step] = f"d{number}"
            _embed(file, f"d{number}", data)
            progress()
        for number, data in enumerate(probes.values()):
            _embed(file, f"p{number}", data)
        for number, (place, data) in enumerate(weights.items()):
            numbers[place] = f"w{number}"
            _embed(file, f"w{number}", data)
        facts = PageFacts(len(places), plan, bool(weights))
        note = f"{title}: {facts.captures} captures, {facts.plan}. lstm_probe {__version__}."
        held = {run: f"p{number}" for number, run in enumerate(probes)}
        _write_end(file, index_of(runs, numbers, held, analysed, note=note))
    return facts


def _choose(
    runs: Mapping[str, RunReader], places: list[tuple[str, str, int]], budget: float
) -> tuple[Plan, float]:
    """The first plan that fits, and how much room it leaves."""
    for plan in PLANS:
        size = sum(_estimate(runs[run], layer, plan) for run in runs for layer in runs[run].layers)
        if size <= budget:
            return plan, budget - size
    raise LstmProbeError(
        f"So many captures do not fit into the page. Received: {len(places)} of {len(runs)} runs, "
        f"{(size + _FRAME) / 1e6:.0f} MB at least. Expected: up to {(budget + _FRAME) / 1e6:.0f} "
        "MB. Choose a run with --run, or raise --megabytes."
    )


def _estimate(run: RunReader, layer: str, plan: Plan) -> float:
    """How many bytes the captures of a layer take: from some of them, the largest counts."""
    steps = run.steps(layer)
    chosen = {steps[round(k * (len(steps) - 1) / (_SAMPLES - 1))] for k in range(_SAMPLES)}
    sizes = [len(compressed(shrunk(run.capture(layer, step), plan))) for step in chosen]
    return len(steps) * (max(sizes) * _BASE64 + 60)


def _probes(runs: Mapping[str, RunReader], plan: Plan, room: float) -> dict[str, bytes]:
    """The probes' own data, by run: of the sequences that the page keeps, while there is room."""
    found: dict[str, bytes] = {}
    for name, run in runs.items():
        stored = run.probe()
        if stored is None:
            continue
        part = part_of_probe(stored, plan.sequences)
        data = compressed(pack(part.arrays, part.meta))
        room -= len(data) * _BASE64 + 60
        if room >= 0:
            found[name] = data
    return found


def _analysed(
    runs: Mapping[str, RunReader], room: float
) -> tuple[dict[tuple[str, str], list[int]], int]:
    """The steps of the findings that the page holds, by run and layer, and their bytes."""
    places = [(name, layer) for name, run in runs.items() for layer in run.layers]
    found = {
        place: analysed_steps(runs[place[0]], place[1], room / len(places)) for place in places
    }
    kept = {place: steps for place, (steps, _) in found.items() if steps}
    return kept, sum(size for _, size in found.values())


def _weights(runs: Mapping[str, RunReader], room: float) -> dict[_Place, bytes]:
    """The weights, if there is room for all of them."""
    found: dict[_Place, bytes] = {}
    for name, run in runs.items():
        for layer in run.weighted:
            for step in run.steps(layer):
                try:
                    stored = run.weights(layer, step)
                except LstmProbeError:
                    continue
                data = compressed(pack(stored.arrays, stored.meta))
                room -= len(data) * _BASE64 + 60
                if room < 0:
                    return {}
                found["weights", name, layer, step] = data
    return found


def _embed(file: TextIO, name: str, data: bytes) -> None:
    text = base64.b64encode(data).decode()
    file.write(f'<script type="text/plain" id="{name}">{text}</script>\n')


def _write_end(file: TextIO, index: Mapping[str, Any]) -> None:
    # Whatever a log's names hold, no tag can end the script element.
    text = as_json(index).replace("<", "\\u003c")
    file.write(f'<script type="application/json" id="index">{text}</script>\n')
    modules = {f"report/{name}": _address(source) for name, source in _modules()}
    file.write(f'<script type="importmap">{json.dumps({"imports": modules})}</script>\n')
    # Everything stands in the head, because the explorer fills the body anew.
    file.write('<script type="module">import "report/start.js";</script>\n')
    file.write("</head>\n<body></body>\n</html>\n")


def _modules() -> Iterator[tuple[str, str]]:
    """The explorer's modules and the page's own, by file name.

    Each becomes a `data:` address. Such an address has no folder that "./name.js" could be relative
    to, so the modules import each other by the names in the import map.
    """
    for folder in (files("lstm_probe.explorer") / "static", files(__package__)):
        for entry in folder.iterdir():
            if entry.name.endswith(".js") and entry.name not in _OF_OTHERS:
                source = without_comments(entry.read_text(encoding="utf-8"))
                yield entry.name, source.replace('from "./', 'from "report/')


def _address(source: str) -> str:
    return "data:text/javascript;base64," + base64.b64encode(source.encode()).decode()


def _style() -> str:
    style = files("lstm_probe.explorer") / "static" / "style.css"
    return style.read_text(encoding="utf-8") + _OWN_STYLE


#: The modules by which TensorBoard opens the page and answers it, and what a server needs too.
_OF_OTHERS = (*OF_TENSORBOARD, "http_source.js")
#: The page may run its own scripts and show its own pictures, and reach nothing else.
_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline' data:; style-src 'unsafe-inline'; "
    "img-src data: blob:"
)
_OWN_STYLE = """
.explorer { height: calc(100vh - 22px); }
.report-note { height: 22px; padding: 2px 14px; color: var(--muted); font-size: 11px;
  white-space: nowrap; overflow: hidden; text-overflow: ellipsis;
  border-top: 1px solid var(--line); }
"""
_HEAD = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<title>{title}</title>
<style>{style}</style>
"""
