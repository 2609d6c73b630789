"""What a report's index answers: the same as the server, of what the page holds."""

from __future__ import annotations

import json
from pathlib import Path

import tab_logs
from tensorboard.compat.proto.summary_pb2 import DATA_CLASS_TENSOR

from lstm_probe.explorer.page import write_page
from lstm_probe.explorer.page.index import index_of, key_of
from lstm_probe.logs import EventFile
from lstm_probe.logs.stored.names import CAPTURES_TAG
from lstm_probe.logs.stored.reader import find_runs
from lstm_probe.logs.stored.values import plugin_metadata
from lstm_probe.logs.tags.values import strings_value

RUN, STEPS = "a/lstm_probe", [0, 7, 300]


def test_only_what_the_page_holds_is_listed(tmp_path: Path) -> None:
    tab_logs.write_run(tmp_path / "a", STEPS, layers=("memory", "upper"))
    numbers = {("capture", RUN, "memory", step): f"d{step}" for step in STEPS[:2]}
    index = index_of(find_runs(tmp_path), numbers, note="a note")
    listed = {"name": RUN, "layers": ["memory"], "weights": [], "last": 7}
    assert index["answers"]["runs"] == {"runs": [listed]}
    layers = [{"name": "memory", "steps": [0, 7]}]
    assert index["answers"]["layers"] == {RUN: {"layers": layers}}
    curves = [key_of(RUN, "memory", name) for name in ("error_by_timestep", "cka")]
    assert list(index["histories"]) == curves
    assert index["numbers"] == {key_of(*place): number for place, number in numbers.items()}


def test_the_index_is_json_whatever_numbers_a_summary_holds(tmp_path: Path) -> None:
    tab_logs.write_run(tmp_path / "a", [0])
    metadata = plugin_metadata(DATA_CLASS_TENSOR)
    with EventFile(tmp_path / "a" / "lstm_probe") as file:
        # As a log holds it, and as JSON does not know it: the second point is left out.
        for step, number in ((1, "nan"), (2, float("nan"))):
            layers = {"memory": {"max_abs": number}}
            point = {"format": 1, "step": step, "epoch": None, "layers": layers, "alerts": []}
            text = json.dumps(point).encode()
            file.write([strings_value(CAPTURES_TAG, metadata, [text])], step=step)
    write_page(tmp_path / "page.html", find_runs(tmp_path))
    page = (tmp_path / "page.html").read_text()
    index = page.partition('id="index">')[2].partition("</script>")[0]

    def refuse(constant: str) -> None:
        raise AssertionError(f"a browser does not parse {constant}")

    answers = json.loads(index, parse_constant=refuse)["answers"]
    captures = answers["timeline"][RUN]["captures"]
    assert [each["step"] for each in captures] == [0, 1]
    assert captures[1]["layers"]["memory"]["max_abs"] == "nan"
