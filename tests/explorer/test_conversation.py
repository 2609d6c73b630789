"""What kernel and page say to each other, without a page."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tab_logs

from lstm_probe.explorer.log_captures import LogCaptures
from lstm_probe.explorer.requests import WHOLE
from lstm_probe.explorer.widget.conversation import MOST_BYTES, Conversation
from lstm_probe.explorer.widget.memory_captures import RUN, MemoryCaptures
from lstm_probe.logs.stored.format import unpack

STEPS = list(range(20))
HOSTILE = "<script>'(é)*!~.-_ &=?#%/"


class Heard:
    """What a page hears."""

    def __init__(self) -> None:
        self.said: list[tuple[dict[str, Any], list[bytes]]] = []

    def __call__(self, message: dict[str, Any], data: list[bytes]) -> None:
        json.dumps(message)
        self.said.append((message, data))


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def log(tmp_path: Path) -> Iterator[LogCaptures]:
    tab_logs.write_run(tmp_path / "a", STEPS, layers=("memory", HOSTILE))
    with LogCaptures(tmp_path) as captures:
        captures.look()
        yield captures


def told_again(conversation: Conversation, captures: LogCaptures) -> None:
    captures.look()
    conversation._next = 0  # without the pause between two
    conversation.tell()


def test_opening_has_what_the_first_picture_needs(log: LogCaptures, heard: Heard) -> None:
    opening = Conversation(log, heard).opening()
    assert json.loads(opening["runs"])["runs"][0]["name"] == "a/lstm_probe"
    run = "run=a%2Flstm_probe"
    for route in ("layers", "timeline", "alerts"):
        assert json.loads(opening[f"{route}?{run}"])
    newest = opening[f"capture?{run}&layer=memory&step=19"]
    trace = tab_logs.analysis(19, step=19).trace
    np.testing.assert_array_equal(unpack(newest).arrays["gates/f"], trace["f"].astype(np.float16))
    assert sum(map(len, opening.values())) < MOST_BYTES + 1_000_000
    assert heard.said == []


def test_growth_is_told_once_the_newest_captures_first(log: LogCaptures, heard: Heard) -> None:
    conversation = Conversation(log, heard)
    conversation.opening()
    told_again(conversation, log)
    assert heard.said == []
    tab_logs.write_small_run(log.log_dir / "a" / "lstm_probe", range(20, 25))
    told_again(conversation, log)
    ((message, data),) = heard.said
    assert message["grown"] == ["a/lstm_probe"]
    assert len(message["addresses"]) == len(data)
    captures = [each for each in message["addresses"] if each.startswith("capture")]
    place = "capture?run=a%2Flstm_probe&layer=memory&step="
    assert captures == [f"{place}{step}" for step in (24, 23, 22, 21, 20)]
    told_again(conversation, log)
    assert len(heard.said) == 1


def test_run_that_goes_is_told(log: LogCaptures, heard: Heard) -> None:
    conversation = Conversation(log, heard)
    conversation.opening()
    shutil.rmtree(log.log_dir / "a")
    told_again(conversation, log)
    ((message, data),) = heard.said
    assert message["grown"] == ["a/lstm_probe"]
    assert message["addresses"] == ["runs"]
    assert json.loads(data[0]) == {"runs": []}


def test_what_is_told_at_a_time_is_bounded(
    log: LogCaptures, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lstm_probe.explorer.widget import conversation as module

    monkeypatch.setattr(module, "MOST_BYTES", 40_000)
    opening = Conversation(log, heard).opening()
    captures = {each: data for each, data in opening.items() if each.startswith("capture")}
    assert 0 < sum(map(len, captures.values())) <= 40_000
    assert len(captures) < 24


def test_telling_takes_a_small_part_of_the_time(
    log: LogCaptures, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    conversation = Conversation(log, heard)
    conversation.opening()
    listed = log.runs

    def slowly(scope: Any) -> list[dict[str, Any]]:
        start = time.thread_time()
        while time.thread_time() < start + 0.1:
            pass
        return listed(scope)

    monkeypatch.setattr(log, "runs", slowly)
    conversation.tell()
    tab_logs.write_small_run(log.log_dir / "a" / "lstm_probe", range(20, 25))
    log.look()
    conversation.tell()  # less than 50 times as long after
    assert heard.said == []


@pytest.mark.parametrize(
    ("content", "status"),
    [
        ({"ask": 1, "address": "steps?run=a%2Flstm_probe&layer=memory"}, 200),
        ({"ask": 1, "address": "steps?run=gone&layer=memory"}, 404),
        ({"ask": 1, "address": "capture?run=a%2Flstm_probe&layer=memory&step=x"}, 400),
        ({"ask": 1, "address": "../../etc/passwd"}, 404),
        ({"ask": 1, "address": ""}, 404),
        ({"ask": "<b>", "address": "static/app.js"}, 404),
        ({"ask": 1, "address": "runs" + "x" * 10**6}, 404),
        ({"ask": 1, "address": 7}, None),
        ({"ask": 1}, None),
        ("runs", None),
        (None, None),
    ],
)
def test_questions_are_replied_to_and_nonsense_is_not(
    log: LogCaptures, heard: Heard, content: Any, status: int | None
) -> None:
    Conversation(log, heard).heard(content)
    if status is None:
        assert heard.said == []
    else:
        (first, _), (second, _) = heard.said
        assert first == {"heard": content["ask"]}
        assert (second["reply"], second["status"]) == (content["ask"], status)


def test_directory_that_is_not_there_yet_has_no_runs(tmp_path: Path, heard: Heard) -> None:
    with LogCaptures(tmp_path / "later") as captures:
        conversation = Conversation(captures, heard)
        assert {a: json.loads(d) for a, d in conversation.opening().items()} == {
            "runs": {"runs": []}
        }
        tab_logs.write_run(tmp_path / "later", [0])
        told_again(conversation, captures)
    assert heard.said[0][0]["grown"] == ["lstm_probe"]


def test_own_run_of_a_probe_is_opened_first(log: LogCaptures, heard: Heard) -> None:
    tab_logs.write_run(log.log_dir / "b", [3])
    tab_logs.wait_until(lambda: len(log.runs(WHOLE)) == 2)
    opening = Conversation(log, heard, run=lambda: "b/lstm_probe").opening()
    assert "capture?run=b%2Flstm_probe&layer=memory&step=3" in opening
    assert not any("run=a" in address for address in opening)


def test_analyses_in_memory_are_a_run(heard: Heard) -> None:
    analyses = [
        tab_logs.analysis(step, step=step, layer=layer) for step in (3, 1) for layer in "xy"
    ]
    captures = MemoryCaptures(analyses)
    assert captures.runs(None) == [
        {"name": RUN, "layers": ["x", "y"], "weights": ["x", "y"], "last": 3}
    ]
    assert captures.layers(WHOLE, RUN) == {"x": [1, 3], "y": [1, 3]}
    assert [point.step for point in captures.timeline(WHOLE, RUN)] == [1, 3]
    stored = unpack(captures.capture(WHOLE, RUN, "x", 3))
    np.testing.assert_allclose(stored.arrays["float32/f"], analyses[0].trace["f"], rtol=1e-6)
    assert "kernel/1_i" in unpack(captures.weights(WHOLE, RUN, "y", 1)).arrays
    opening = Conversation(captures, heard).opening()
    assert f"capture?run={RUN}&layer=y&step=3" in opening
