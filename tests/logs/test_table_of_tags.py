"""The table of tags in the documentation against the tags that a log has."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, get_args

import event_reading
import numpy as np
import pytest
import samples
from checkout import ROOT

from lstm_probe import GruCell, analyse, weights
from lstm_probe.analysis.alerts.board import AlertBoard
from lstm_probe.analysis.explained import Explained
from lstm_probe.core.stopwatch import STAGES
from lstm_probe.logs import RunLog
from lstm_probe.logs.detail import Detail
from lstm_probe.logs.stored.names import PLUGIN

LEVELS = get_args(Detail)
LAYER = "memory"
#: What stands for a part of a tag in the table.
PLACEHOLDERS = {
    "<layer>": LAYER,
    "<gate>": r"\d_\w",
    "<weights>": r"(kernel|recurrent_kernel|bias|recurrent_bias|projection)(/\d_\w)?",
    "<stage>": f"({'|'.join(STAGES)})",
}


class Row(NamedTuple):
    """A tag of the table: a pattern, TensorBoard's plugin, and the least detail that logs it."""

    written: str
    pattern: re.Pattern[str]
    plugin: str
    level: int


def table() -> list[Row]:
    text = (ROOT / "docs" / "tags.md").read_text(encoding="utf-8")
    lines = text.split("| tag | tab | `detail` |")[1].split("\n\n")[0].splitlines()[2:]
    rows = []
    for line in lines:
        tags, tab, detail, _ = (cell.strip() for cell in line.strip("| ").split(" | "))
        names = re.findall(r"`([^`]+)`", tags)
        folder = names[0].rpartition("/")[0]
        for name in names:
            # After the first tag of a row stand the ends of its neighbours.
            whole = name if "/" in name else f"{folder}/{name}"
            pattern = re.escape(whole)
            for placeholder, meaning in PLACEHOLDERS.items():
                pattern = pattern.replace(re.escape(placeholder), meaning)
            plugin, level = tab.lower(), LEVELS.index(detail.strip("`"))
            rows.append(Row(whole, re.compile(pattern), plugin, level))
    return rows


def logged(directory: Path, detail: Detail, rng: np.random.Generator) -> Mapping[str, str]:
    """The plugin of every tag of a small run of an LSTM with a projection, and of a GRU."""
    gru = weights.from_keras(*(rng.normal(size=s) for s in ((3, 15), (5, 15), (2, 15))))
    narrow = replace(
        samples.lstm_weights(rng),
        recurrent_kernel=rng.normal(size=(2, 4, 5)),
        projection=rng.normal(size=(5, 2)),
    )
    plugins: dict[str, str] = {}
    kinds: list[dict[str, Any]] = [{}, {"weights": narrow}, {"weights": gru, "cell": GruCell()}]
    for number, kind in enumerate(kinds):
        board = AlertBoard()
        with RunLog(directory / str(number), detail=detail) as log:
            for step in (0, 2, 5):  # an alert wants three captures
                seen = samples.snapshot(np.random.default_rng(step), step=step, **kind)
                seen.output[0, 3, 1] += 0.5  # a mismatch, for an alert
                alerts = board.update([analyse(seen)])
                log.write([analyse(seen)], step=step, alerts=alerts, dynamics=board.dynamics)
            log.write_cost(0.1, dict.fromkeys(STAGES, 0.1), 0.01, step=5)
            log.write_counts(2, 0, 0, step=5)
            log.write_explained({LAYER: Explained(LAYER, 5, {}, {})}, step=5)
        for event in event_reading.events(log.directory):
            for value in event.summary.value:
                plugins.setdefault(value.tag, value.metadata.plugin_data.plugin_name)
    return {tag: plugin for tag, plugin in plugins.items() if plugin != PLUGIN}


@pytest.mark.parametrize("detail", LEVELS)
def test_the_table_has_every_tag_under_its_tab_and_detail_and_no_other(
    detail: Detail, tmp_path: Path, rng: np.random.Generator
) -> None:
    tags = logged(tmp_path, detail, rng)
    rows = [row for row in table() if row.level <= LEVELS.index(detail)]
    for tag, plugin in tags.items():
        found = [row for row in rows if row.pattern.fullmatch(tag)]
        assert [row.plugin for row in found] == [plugin], f"{tag} is not in the table"
    for row in rows:
        assert any(map(row.pattern.fullmatch, tags)), f"nothing writes {row.written}"
