"""The sentences about a layer, held against computations of their own."""

from __future__ import annotations

import numpy as np
import pytest
import samples

from lstm_probe import analyse
from lstm_probe.analysis.words.answers import Figures, answers, figures_of


def course(means, losses=None, **fields):
    losses = losses or [None] * len(means)
    return [
        Figures(
            10 * k, 50, 8, means={"f": mean},
            training={} if loss is None else {"loss": loss}, **fields,
        )
        for k, (mean, loss) in enumerate(zip(means, losses, strict=True))
    ]  # fmt: skip


def texts(*arguments, **options):
    return [answer.text for answer in answers(*arguments, **options)]


def test_memory_and_gradient_are_those_that_a_loop_finds(rng):
    snapshot = samples.snapshot(rng, time=40)
    analysis = analyse(snapshot)
    forget = analysis.trace.f
    longest, unit = max(
        (-1 / np.log(np.mean([forget[b, t, u] for b in range(len(forget)) for t in range(40)])), u)
        for u in range(forget.shape[-1])
    )
    memory, gradient, *_ = answers([figures_of(analysis.summary())])
    assert memory.value == pytest.approx(longest)
    assert (memory.unit, memory.view) == (unit, "memory")
    assert memory.text == f"The longest memory is {longest:.2g} of 40 steps (unit {unit})."
    norms = analysis.gradient.cell
    reaches = [
        max(back for back in range(40) if row[39 - back] >= 0.01 * row.max()) for row in norms
    ]
    assert gradient.value == np.median(reaches)
    assert gradient.text == f"The gradient reaches {np.median(reaches):.2g} of 39 steps back."


def test_what_reaches_all_steps_is_said_so():
    (memory, gradient, health) = texts([Figures(0, 11, 3, 80.0, 2, 10.0)])
    assert memory == "The longest memory is longer than the 11 steps of the probe (unit 2)."
    assert gradient == "The gradient reaches all 11 steps."
    assert health == "Nothing is wrong."


def test_a_gate_that_opens_is_told_with_the_steps_and_the_loss():
    seen = course([0.7, 0.7, 0.7, 0.9, 0.9], [0.69, 0.69, 0.69, 0.31, 0.30])
    assert texts(seen)[0] == (
        "The forget gate opened from 0.70 to 0.90 between steps 20 and 30, while the loss fell "
        "from 0.69 to 0.31."
    )
    assert "closed from 0.90 to 0.50 between steps 0 and 10" in texts(course([0.9, 0.5, 0.5]))[0]
    assert texts(course([0.7, 0.71], [1.0, 2.0]))[0] == (
        "The gates have hardly moved; the loss rose from 1 to 2."
    )
    assert "the loss stood still at 0.693" in texts(course([0.7, 0.7], [0.694, 0.693]))[0]
    assert "the loss stood still at 0" in texts(course([0.7, 0.7], [0.0, 0.0]))[0]
    assert "the loss is no number any more" in texts(course([0.7, 0.7], [1.0, float("nan")]))[0]


def test_alerts_that_stand_come_last_and_a_false_picture_first():
    alert = {"rule": "dead_units", "step": 40, "what": "h is still in 30%", "value": 0.3, "unit": 4}
    found = answers([Figures(90, 11, 8, dead=3, verdict="mismatch", max_abs=0.25)], [alert])
    assert [answer.text for answer in found] == [
        "The pictures are not true: the framework differs from them by 0.25.",
        "3 of 8 units do not move.",
        "Dead units since step 40: h is still in 30%.",
    ]
    assert (found[-1].step, found[-1].unit, found[-1].value) == (40, 4, 0.3)
    assert "Nothing is wrong." not in texts([Figures(90, 11, 8, verdict="mismatch", max_abs=1)])
    assert texts([Figures(90, 11, 8)], standing=None) == []


@pytest.mark.parametrize("timesteps", [1, 2])
@pytest.mark.parametrize("value", [None, float("nan"), float("inf"), 0.0])
def test_sentences_are_made_of_any_figures(timesteps, value):
    seen = [Figures(k, timesteps, 1, value, 0, value, means={"f": value or 0.0}) for k in (0, 1)]
    assert all(each.endswith(".") and "None" not in each for each in texts(seen))


def test_one_capture_tells_how_far_the_gate_is_open_that_keeps_the_past(rng):
    analysis = analyse(samples.snapshot(rng))
    opening = next(each for each in analysis.answers() if each.view == "gates")
    assert opening.value == pytest.approx(analysis.trace.f.mean())
    assert opening.text.startswith(f"The forget gate is at {analysis.trace.f.mean():.2f} on")
    assert len(analysis.answers()) >= 3
    assert not any("wrong" in each.text for each in analysis.answers())


def test_a_layer_of_which_little_is_known_is_said_to_be_true():
    seen = Figures(0, 11, 3, gradient_reach=4.0, verdict="match", max_abs=2e-7)
    assert texts([seen]) == [
        "The gradient reaches 4 of 10 steps back.",
        "The pictures are true: the framework differs from them by 2e-07, which rounding explains.",
        "Nothing is wrong.",
    ]


def test_no_more_than_six_are_said():
    alerts = [{"rule": f"r{k}", "step": k, "what": "x"} for k in range(3)]
    last = Figures(9, 11, 8, 3.0, 1, 4.0, 2, {"f": 0.9}, "mismatch", 0.25)
    assert len(answers([Figures(0, 11, 8, means={"f": 0.1}), last], alerts)) == 6


def test_each_alert_leads_to_the_view_in_which_it_is_seen():
    rules = ["short_memory", "vanishing_gradient", "saturated_gates", "dead_units"]
    for rule, view in zip(rules, ["memory", "gradient", "saturation", "gates"], strict=True):
        (said,) = answers([Figures(9, 11, 8)], [{"rule": rule, "step": 4, "what": "x"}])
        assert (said.view, said.step) == (view, 4)
