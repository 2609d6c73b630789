from __future__ import annotations

from dataclasses import replace

import numpy as np
import samples

from lstm_probe import analyse
from lstm_probe.logs.report import Report


def test_the_table_shows_the_worst_verdict_when_one_capture_was_wrong(
    rng: np.random.Generator,
) -> None:
    snapshot = samples.snapshot(rng)
    wrong = replace(snapshot, output=snapshot.output + 0.1)
    report = Report()
    for each in (snapshot, wrong, snapshot):
        report.add([analyse(each)], 3.0)
    layer = report.layers["memory"]
    assert (layer.captures, layer.verdict) == (3, "mismatch")
    assert layer.last_abs_error == 0
    assert 0.09 < layer.max_abs_error < 0.11
    assert "MISMATCH" in str(report)
    assert "3 of 3 captures, 3.0 ms each" in str(report)


def test_a_layer_that_is_not_recomputed_has_no_verdict(rng: np.random.Generator) -> None:
    report = Report()
    report.add([analyse(replace(samples.snapshot(rng), cell=None))], 1.0)
    assert report.layers["memory"].verdict == ""
    assert "only h is shown" in str(report)


def test_what_the_gates_say_is_printed_last(rng: np.random.Generator) -> None:
    report, analysis = Report(), analyse(samples.snapshot(rng))
    report.add([analysis], 1.0, {"memory": analysis.answers()})
    said = [f"  {answer}" for answer in analysis.answers()]
    assert len(said) >= 3
    assert str(report).splitlines()[-len(said) - 2 :] == ["", "memory:", *said]


def test_failed_captures_are_counted_as_due() -> None:
    assert Report(captured=3, failed=2).due == 5
