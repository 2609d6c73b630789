"""The names of a log stand in one file; the copies that there have to be are the same."""

from __future__ import annotations

import ast
import configparser
import re
from pathlib import Path

import pytest
from checkout import ROOT

from lstm_probe.explorer.plugin import GateExplorer
from lstm_probe.explorer.plugin_loader import _PLUGIN
from lstm_probe.logs.stored import names
from lstm_probe.logs.stored.names import FORMAT, HEADER_KEY, PLUGIN

PACKAGE = ROOT / "lstm_probe"
#: Where they are told, and by a name alone.
ALONE = PACKAGE / "logs" / "stored" / "names.py"


def test_names_are_those_of_old_logs() -> None:
    """A new value for one of them would hide every log that there is."""
    assert {name: getattr(names, name) for name in names.__all__ if name.isupper()} == {
        "ALERTS_TAG": "lstm_probe/alerts",
        "ANSWERS_TAG": "lstm_probe/answers",
        "CAPTURE": "capture",
        "CAPTURES_TAG": "lstm_probe/captures",
        "EXPLAINED_TAG": "lstm_probe/explained",
        "FINDINGS": "findings",
        "FORMAT": 1,
        "HEADER_KEY": "lstm_probe",
        "OVERVIEW_TAG": "lstm_probe/summary",
        "PLUGIN": "lstm_probe",
        "PROBE": "probe",
        "PROBE_SERIES": "lstm_probe",
        "RUN_NAME": "lstm_probe",
        "WEIGHTS": "weights",
    }


@pytest.mark.parametrize("room", ["logs", "explorer", "cli", "analysis", "pictures"])
def test_no_tag_is_written_elsewhere(room: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}: {node.value}"
        for path in sorted((PACKAGE / room).rglob("*.py"))
        if path != ALONE
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant)
        and re.fullmatch(r"lstm_probe/[a-z]+|.+/(capture|weights)", str(node.value))
    ]
    assert found == []


def test_tensorboard_finds_the_plugin_by_its_name() -> None:
    assert GateExplorer.plugin_name == _PLUGIN == PLUGIN
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    points = config["options.entry_points"]["tensorboard_plugins"].strip()
    assert points.split("=")[0].strip() == PLUGIN


@pytest.mark.parametrize(
    ("file", "pattern", "expected"),
    [
        ("static/safetensors.js", r"meta\.format > (\d+)\)", str(FORMAT)),
        ("static/safetensors.js", r"header\.__metadata__\)\.(\w+)\)", HEADER_KEY),
        ("page/packing.js", r"__metadata__: \{ (\w+):", HEADER_KEY),
    ],
)
def test_the_page_reads_the_same_format(file: str, pattern: str, expected: str) -> None:
    source = Path(PACKAGE, "explorer", file).read_text(encoding="utf-8")
    assert re.findall(pattern, source) == [expected]
