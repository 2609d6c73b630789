"""The gate explorer's habits: what it explains, compares, sorts and counts, and that all fits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import browser
import numpy as np
import pytest
import samples
import tab_logs
from tab_browser import Explorer

from lstm_probe import Alert, GruCell, analyse, weights
from lstm_probe.logs import RunLog

LAYER = "encoder/bidirectional_layer_with_a_long_name/forward_lstm_memory_of_the_reader"
WIDTH, FOLDER = 1280, "experiments/2026-11"
NAMED = f"{FOLDER}/sweep-learning-rate=0.003-units=128-seed=17-with-a-very-long-name"
LONG, GRU, WIDE, ALONE, OTHER = (
    f"{name}/lstm_probe"
    for name in (NAMED, f"{FOLDER}/gru", f"{FOLDER}/wide", f"{FOLDER}/alone", f"{FOLDER}/other")
)
ALERTS = "alerts/lstm_probe"
METRIC = "a_metric_of_the_validation_with_a_really_long_name_of_its_own"
VIEWS = ("Gates", "Parity", "Saturation", "Gradient", "Memory", "Weights")


def write(directory: Path, steps: list[int], *, layer: str = LAYER, **fields: Any) -> None:
    with RunLog(directory, detail="full", pictures=False) as log:
        for step in steps:
            seen = samples.snapshot(np.random.default_rng(step), step=step, layer=layer, **fields)
            analysis = analyse(seen)
            names = tuple(f"a sequence with quite a long name, number {k}" for k in range(2))
            trace = replace(analysis.trace, sequence_names=names)
            training = {"loss": 1 / (step + 1), METRIC: 0.5, f"val_{METRIC}": 0.4}
            log.write([replace(analysis, trace=trace)], step=step, training=training)


@pytest.fixture(scope="module")
def log_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("logs")
    rng = np.random.default_rng(1)
    gru = weights.from_keras(*(rng.normal(size=s) for s in ((3, 15), (5, 15), (2, 15))))
    write(directory / NAMED, [0, 10, 20])
    write(directory / FOLDER / "gru", [0, 20], weights=gru, cell=GruCell())
    write(directory / FOLDER / "wide", [0, 10], weights=samples.lstm_weights(rng, 3, 9))
    write(directory / FOLDER / "alone", [20])
    write(directory / FOLDER / "other", [20], layer="another_layer")
    write_alerts(directory / "alerts")
    return directory


def write_alerts(directory: Path) -> None:
    """Two alerts of a layer, one of which clears."""
    alert = Alert("dead_units", "memory", 7, "1 of 5", 0.2, 0.1, "a lower learning rate", unit=3)
    raised = [alert, replace(alert, rule="short_memory")]
    cleared = [replace(alert, state="cleared", step=9)]
    with RunLog(directory, pictures=False) as log:
        for step, alerts, others in [(0, [], []), (7, raised, []), (9, [], cleared)]:
            seen = [tab_logs.analysis(step, step=step)]
            log.write(seen, step=step, alerts=alerts, others=others)


@pytest.fixture(scope="module")
def explorer(log_dir: Path) -> Iterator[Explorer]:
    with browser.page(WIDTH, 900) as page, browser.tensorboard(log_dir) as address:
        explorer = Explorer(page, address)
        yield explorer
        explorer.assert_clean()


def test_the_short_address_leads_to_the_tab(explorer: Explorer) -> None:
    explorer.page.goto("about:blank")
    explorer.page.goto(f"{explorer.address}#gates&run={quote(LONG, safe='')}&view=memory")
    explorer.wait(lambda: "#lstm_probe&" in explorer.page.url)
    explorer.inside.locator("#view canvas").first.wait_for()
    assert explorer.inside.get_by_label("Run", exact=True).input_value() == LONG
    assert "view=memory" in explorer.page.url


def test_the_question_mark_explains_the_view_that_is_shown(explorer: Explorer) -> None:
    explorer.open(run=LONG)
    panel = explorer.inside.locator(".help .menu-panel")
    for view in VIEWS:
        explorer.view(view)
        explorer.inside.locator("body").press("?")
        panel.wait_for(state="visible")
        text = panel.inner_text()
        for part in (f"The view {view}", "It shows", "Healthy", "Ill", "Try", "Keys and mouse"):
            assert part in text
        assert_inside(panel.bounding_box())
        explorer.page.keyboard.press("Escape")
        panel.wait_for(state="hidden")


def assert_inside(box: dict[str, float]) -> None:
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= WIDTH


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.daily(1)
def test_everything_fits_with_long_names(explorer: Explorer, view: str) -> None:
    explorer.open(run=LONG, view=view.lower(), compare=view == "Gates")
    explorer.inside.locator("#view canvas").first.wait_for()
    for part in explorer.inside.locator(".bar button, .bar summary, .bar select, .player *").all():
        if part.is_visible():
            assert_inside(part.bounding_box())
    wide = explorer.frame.evaluate(
        "[document.documentElement, document.querySelector('#view')]"
        ".map((each) => each.scrollWidth - each.clientWidth)"
    )
    assert wide == [0, 0]
    rows = {round(b["y"]) for b in map(box_of, explorer.inside.locator("header > .bar > *").all())}
    assert len(rows) <= 2


def box_of(place: Any) -> dict[str, float]:
    box: dict[str, float] = place.bounding_box()
    return box


def test_a_comparison_begins_with_the_first_step_of_this_run(explorer: Explorer) -> None:
    explorer.open(run=LONG)
    explorer.button("Compare").click()
    steps = explorer.inside.locator("output.step")
    explorer.wait(lambda: steps.nth(1).inner_text().startswith("step 0 "))
    assert explorer.inside.get_by_label("Run B", exact=True).input_value() == LONG
    cell = explorer.hover(0.5, 0.08)
    ours, theirs, _ = cell["values"]["i"]
    place = (0, cell["timestep"], cell["unit"])
    for step, shown in ((20, ours), (0, theirs)):
        seen = samples.snapshot(np.random.default_rng(step), step=step, layer=LAYER)
        assert shown == pytest.approx(float(analyse(seen).trace.i[place]), abs=1e-3)


def test_a_run_of_one_step_is_compared_with_the_first_run_that_fits(explorer: Explorer) -> None:
    explorer.open(run=ALONE)
    explorer.button("Compare").click()
    picker = explorer.inside.get_by_label("Run B", exact=True)
    explorer.wait(lambda: picker.input_value() == GRU)
    values = picker.locator("option").evaluate_all("all => all.map((each) => each.value)")
    assert values == [ALONE, GRU, LONG, WIDE]
    said = explorer.inside.locator(".not-compared")
    assert "2 runs are not listed: they have no layer" in said.inner_text()


@pytest.mark.parametrize(
    ("other", "says"),
    [
        (GRU, "Only A has input gate i, forget gate f, output gate o and cell state c."),
        (WIDE, "No difference: A has 5 units × 7 timesteps, B 9 units × 7 timesteps."),
    ],
)
def test_it_is_said_what_cannot_be_compared(explorer: Explorer, other: str, says: str) -> None:
    explorer.open(run=LONG, compare=True, runB=other)
    said = explorer.inside.locator(".not-compared")
    explorer.wait(lambda: says in said.inner_text())
    # What is left has a value on each side that is shown.
    columns = {GRU: (0.2, 0.5), WIDE: (0.2, 0.8)}[other]
    letter = {GRU: "g", WIDE: "i"}[other]
    for x in columns:
        assert len(explorer.hover(x, 0.12)["values"][letter]) >= 2


def test_units_stand_by_their_change_over_the_training(explorer: Explorer) -> None:
    explorer.open(run=LONG, step=20)
    explorer.inside.get_by_label("Sort units by").select_option("change")
    explorer.wait(lambda: "sort=change" in explorer.page.url)
    first, last = (
        analyse(samples.snapshot(np.random.default_rng(step))).trace.f[0] for step in (0, 20)
    )
    expected = np.argsort(-np.square(last - first).mean(axis=0)).tolist()
    explorer.wait(lambda: units(explorer) == expected)
    sizes = np.abs(analyse(samples.snapshot(np.random.default_rng(20))).trace.c[0]).mean(axis=0)
    explorer.inside.get_by_label("Sort units by").select_option("|c|")
    explorer.wait(lambda: units(explorer) == np.argsort(-sizes).tolist())


def units(explorer: Explorer) -> list[int]:
    """The units of the first panel, from its top."""
    found: list[int] = []
    for y in np.linspace(0.05, 0.44, 14):
        unit = explorer.hover(0.15, float(y))["unit"]
        if unit not in found:
            found.append(unit)
    return found


@pytest.mark.parametrize("view", ["saturation", "memory", "gradient"])
def test_averages_over_sequences_are_said_to_be_some(explorer: Explorer, view: str) -> None:
    explorer.open(run=LONG, view=view)
    explorer.wait(lambda: "Averaged over all 2 sequences of the probe." in explorer.text)


def test_alerts_are_told_with_their_states(explorer: Explorer) -> None:
    explorer.open(run=ALERTS)
    alerts = explorer.inside.locator(".alerts li")
    explorer.wait(lambda: alerts.count() == 2)
    cleared, standing = (" ".join(text.split()) for text in alerts.all_inner_texts())
    assert "dead_units cleared: steps 7 to 9" in cleared
    assert "short_memory since step 7" in standing
