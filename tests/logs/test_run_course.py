"""What is said of a run while it is written, held against what is said of its log."""

from __future__ import annotations

from pathlib import Path

import event_reading
import numpy as np
import pytest
import samples

from lstm_probe import Alert, analyse
from lstm_probe.analysis.alerts.board import AlertBoard
from lstm_probe.logs import RunLog
from lstm_probe.logs.stored.alert_states import AlertStates
from lstm_probe.logs.stored.course import answers_at
from lstm_probe.logs.stored.names import ANSWERS_TAG
from lstm_probe.logs.stored.point import Point
from lstm_probe.logs.stored.reader import RunReader
from lstm_probe.logs.stored.run_course import RunCourse


def test_the_text_of_each_capture_is_what_the_log_says_at_that_step(tmp_path: Path) -> None:
    board = AlertBoard(rules=["parity_mismatch"])
    with RunLog(tmp_path, detail="scalars") as log:
        for step in range(5):
            seen = samples.snapshot(np.random.default_rng(step), step=step)
            seen.output[0, 3, 1] += 0.5 * (step == 2)  # a mismatch, for an alert that clears
            alerts = board.update([analyse(seen)])
            others = [*board.noted, *board.cleared]
            log.write(
                [analyse(seen)], step=step, alerts=alerts, others=others,
                training={"loss": 1.0 / (step + 1)},
            )  # fmt: skip
    points = RunReader(log.directory).course
    texts = {
        event.step: value.tensor.string_val[0].decode()
        for event in event_reading.events(log.directory)
        for value in event.summary.value
        if value.tag == ANSWERS_TAG
    }
    assert texts.keys() == set(range(5))
    for step, text in texts.items():
        said = [str(answer) for answer in answers_at(points, "memory", step)]
        assert len(said) >= 3
        assert [line[2:] for line in text.splitlines() if line.startswith("- ")] == said
    assert "Parity mismatch since step 2" in texts[2]
    assert "Nothing is wrong." in texts[4]
    assert [str(each) for each in log.answers["memory"]] == said


def test_a_long_run_takes_no_more_memory_and_says_the_same() -> None:
    course, points = RunCourse(), []
    for step in range(2000):
        figures = {"timesteps": 9, "units": 3, "means": {"f": 0.5 + 0.4 * (step > 900)}}
        points.append(
            Point(step, None, {"memory": figures}, [], training={"loss": 2.0 - 1e-3 * step})
        )
        course.add(points[-1])
    assert len(course._layers["memory"].all) <= 256
    ours, exact = course.answers()["memory"], answers_at(points, "memory", 1999)
    assert ours[0].text.startswith("The forget gate opened from 0.50 to 0.90 between steps 896 a")
    assert exact[0].text.startswith("The forget gate opened from 0.50 to 0.90 between steps 900 a")
    assert ours[0].value == pytest.approx(exact[0].value)
    assert ours[1:] == exact[1:]


def test_a_capture_that_is_tried_again_counts_once() -> None:
    course = RunCourse()
    for mean in (0.2, 0.9):
        course.add(Point(5, None, {"m": {"timesteps": 9, "units": 3, "means": {"f": mean}}}, []))
    assert [len(each.all) for each in course._layers.values()] == [1]
    assert course.answers()["m"][0].value == 0.9


def alert(rule: str, step: int, layer: str = "a", gate: str | None = None) -> dict[str, object]:
    return Alert(rule, layer, step, "what", 0.5, 0.1, "advice", gate=gate).plain()


def test_alerts_are_told_with_their_states_the_newest_first() -> None:
    states = AlertStates()
    worse, other = alert("saturated_gates", 4, gate="f"), alert("saturated_gates", 4, gate="o")
    for point in [
        Point(2, None, {}, [alert("dead_units", 2)]),
        Point(4, None, {}, [worse, other], noted=[alert("short_memory", 4)]),
        Point(6, None, {}, [], cleared=[worse]),
        Point(8, None, {}, [alert("dead_units", 8, "b")], noted=[alert("update_ratio", 8)]),
    ]:
        states.add(point)
    told = [
        (each["rule"], each["step"], each["state"], each.get("until")) for each in states.told()
    ]
    assert told == [
        ("dead_units", 8, "standing", None),
        ("update_ratio", 8, "noted", None),
        ("saturated_gates", 4, "cleared", 6),
        ("saturated_gates", 4, "standing", None),
        ("dead_units", 2, "standing", None),
    ]
    assert [(each["layer"], each["rule"]) for each in states.standing] == [
        ("a", "dead_units"), ("a", "saturated_gates"), ("b", "dead_units"),
    ]  # fmt: skip


def test_alerts_of_an_older_log_stand_without_a_step_or_a_rule() -> None:
    states = AlertStates()
    states.add(Point(3, None, {}, [{"layer": "a", "text": "x"}]))
    assert states.told() == [{"layer": "a", "text": "x", "step": 3, "state": "standing"}]
