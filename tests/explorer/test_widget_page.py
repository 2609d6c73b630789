"""The explorer in a notebook's cell, in a browser: a host stands for Jupyter and its kernel."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import browser
import numpy as np
import pytest
import tab_logs
from notebook_host import Cell

from lstm_probe.explorer.log_captures import LogCaptures
from lstm_probe.explorer.widget.memory_captures import MemoryCaptures

RUN = "a/lstm_probe"
STEPS = list(range(0, 120, 4))


@pytest.fixture(scope="module")
def page() -> Iterator[Any]:
    with browser.page() as page:
        yield page


@pytest.fixture(scope="module")
def captures(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LogCaptures]:
    directory = tmp_path_factory.mktemp("widget")
    tab_logs.write_run(directory / "a", STEPS, layers=("memory", "other"))
    with LogCaptures(directory) as captures:
        yield captures


@pytest.fixture
def cell(page: Any, captures: LogCaptures) -> Iterator[Cell]:
    fresh = page.context.browser.new_page()
    cell = Cell(fresh, captures)
    yield cell
    cell.assert_clean()
    fresh.close()


def assert_shows(cell: Cell, step: int) -> None:
    cell.wait(lambda: cell.step_text.startswith(f"step {step} "))
    cell.inside.locator("canvas.grid").wait_for()
    shown = cell.hover(0.25, 0.15)
    trace = tab_logs.analysis(step, step=step).trace
    for letter in "ifgoch":
        expected = float(trace[letter][0, shown["timestep"], shown["unit"]])
        assert shown["values"][letter][0] == pytest.approx(expected, abs=1e-4)


def test_first_picture_slider_and_hover_need_no_kernel(cell: Cell) -> None:
    cell.show()
    assert_shows(cell, STEPS[-1])
    cell.slide(len(STEPS) - 3)
    assert_shows(cell, STEPS[-3])


def test_what_has_not_arrived_is_said_and_shown_when_the_cell_is_over(cell: Cell) -> None:
    cell.show()
    assert_shows(cell, STEPS[-1])
    cell.slide(2)
    cell.inside.get_by_text("The kernel is busy").wait_for()
    asked = cell.hear()
    assert f"capture?run=a%2Flstm_probe&layer=memory&step={STEPS[2]}" in asked
    assert_shows(cell, STEPS[2])


def test_captures_of_a_training_appear_while_the_kernel_hears_nothing(
    page: Any, tmp_path: Path
) -> None:
    fresh = page.context.browser.new_page()
    with LogCaptures(tmp_path) as captures:
        cell = Cell(fresh, captures, run=lambda: "new/lstm_probe").show()
        cell.inside.get_by_text("No gates in these logs yet").wait_for()
        for name, step in [("old", 0), ("new", 8), ("new", 12)]:
            directory = tmp_path / name / "lstm_probe"
            if directory.exists():
                tab_logs.write_small_run(directory, range(step, step + 1))
            else:
                tab_logs.write_run(tmp_path / name, [step])
            captures.look()
            cell.conversation._next = 0  # the test does not wait for the pause between two
            cell.conversation.tell()
        cell.wait(lambda: cell.step_text.startswith("step 12 "))
        assert cell.inside.get_by_label("Run", exact=True).input_value() == "new/lstm_probe"
        cell.slide(0)
        assert_shows(cell, 8)
        cell.assert_clean()
    fresh.close()


def test_view_is_kept_with_the_notebook_and_can_be_set_there(cell: Cell) -> None:
    cell.show(f"#lstm_probe&run=a%2Flstm_probe&step={STEPS[-2]}&view=memory")
    cell.wait(lambda: cell.step_text.startswith(f"step {STEPS[-2]} "))
    cell.view("gates")
    cell.wait(lambda: "view=memory" not in cell.page.evaluate("kernel.state.view"))
    assert f"step={STEPS[-2]}" in cell.page.evaluate("kernel.state.view")
    cell.page.evaluate(f"model.set('view', 'run=a%2Flstm_probe&step={STEPS[-4]}')")
    assert_shows(cell, STEPS[-4])


def test_cell_that_is_taken_out_and_put_back_shows_the_same(cell: Cell) -> None:
    cell.show()
    cell.slide(len(STEPS) - 3)
    assert_shows(cell, STEPS[-3])
    cell.wait(lambda: f"step={STEPS[-3]}" in cell.page.evaluate("kernel.state.view"))
    cell.page.evaluate(
        "() => { const el = document.getElementById('cell'), place = el.parentElement;"
        " el.remove(); place.append(el); }"
    )
    assert_shows(cell, STEPS[-3])


def test_theme_is_that_of_the_page_around(cell: Cell) -> None:
    cell.show(background="#111")
    root = cell.inside.locator("html")
    cell.wait(lambda: root.get_attribute("data-theme") == "dark")
    cell.page.evaluate("document.body.style.background = '#fff'")
    cell.wait(lambda: root.get_attribute("data-theme") == "light")


def test_keys_and_style_stay_in_the_cell(cell: Cell) -> None:
    cell.show()
    assert_shows(cell, STEPS[-1])
    cell.page.evaluate(
        "window.pressed = 0; addEventListener('keydown', () => (window.pressed += 1))"
    )
    cell.inside.locator("#view").focus()
    cell.page.keyboard.press("ArrowLeft")
    cell.wait(lambda: cell.step_text.startswith(f"step {STEPS[-2]} "))
    assert cell.page.evaluate("window.pressed") == 0
    assert cell.page.locator("style").count() == 1


def test_analysis_is_shown_from_memory(page: Any) -> None:
    fresh = page.context.browser.new_page()
    cell = Cell(fresh, MemoryCaptures([tab_logs.analysis(4, step=4)])).show()
    assert_shows(cell, 4)
    cell.assert_clean()
    fresh.close()


def test_first_picture_comes_within_a_second(cell: Cell) -> None:
    took = []
    for _ in range(3):
        cell.show()
        start = cell.page.evaluate("performance.now()")
        cell.inside.locator("canvas.grid").wait_for()
        took.append(cell.page.evaluate("performance.now()") - start)
    assert np.min(took) < 1000, took
