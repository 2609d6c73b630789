"""The page of `lstm-probe serve` in a real browser, without TensorBoard."""

from __future__ import annotations

import io
import shutil
import time
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import browser
import numpy as np
import pytest
import tab_logs
from PIL import Image
from tab_browser import ServedExplorer

from lstm_probe.explorer.log_captures import LogCaptures
from lstm_probe.explorer.server import Access, Application, Serving

RUN, TOKEN = "a/lstm_probe", "abcdefgh-12345678"
STEPS = list(range(0, 120, 4))
#: From the issue of a wish to its picture, in milliseconds.
CACHED, FETCHED, FIRST = 50, 120, 1000
MEASURE = """(keys) => new Promise((resolve) => {
  const slider = document.querySelector("input[type=range]");
  const start = performance.now();
  const done = () => resolve(performance.now() - start);
  document.addEventListener("lstm-probe-rendered", done, { once: true });
  slider.value = String(keys);
  slider.dispatchEvent(new Event("input", { bubbles: true }));
})"""


@pytest.fixture(scope="module")
def log_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("served_page")
    tab_logs.write_run(directory / "a", STEPS, layers=("memory", "other"))
    return directory


@pytest.fixture(scope="module")
def page() -> Iterator[Any]:
    with browser.page() as page:
        yield page


@pytest.fixture
def another_page(page: Any) -> Iterator[Any]:
    another = page.context.browser.new_page()
    yield another
    another.close()


@pytest.fixture(scope="module")
def explorer(page: Any, log_dir: Path) -> Iterator[ServedExplorer]:
    with (
        LogCaptures(log_dir) as captures,
        Serving(Application(captures, Access("127.0.0.1", TOKEN)), "127.0.0.1", 0) as serving,
    ):
        explorer = ServedExplorer(page, f"{serving.address}?token={TOKEN}")
        explorer.open(run=RUN)
        yield explorer
        explorer.assert_clean()


def test_hover_shows_what_numpy_computed(explorer: ServedExplorer) -> None:
    explorer.open(run=RUN, step=8)
    cell = explorer.hover(0.4, 0.3)
    trace = tab_logs.analysis(8, step=8).trace
    for letter in "ifgoch":
        expected = float(trace[letter][0, cell["timestep"], cell["unit"]])
        assert cell["values"][letter][0] == pytest.approx(expected, abs=1e-4)


def test_link_to_a_view_leads_to_the_view(explorer: ServedExplorer) -> None:
    explorer.open(run=RUN, step=20, view="memory", layers=["other"])
    explorer.page.wait_for_timeout(400)
    address = explorer.page.url
    explorer.view("gates")
    explorer.wait(lambda: "view=memory" not in explorer.page.url)
    explorer.open(address)
    assert explorer.inside.get_by_role("tab", name="Memory view").get_attribute("aria-selected")
    assert "20" in explorer.step_text


def test_first_picture_and_slider_are_quick(explorer: ServedExplorer) -> None:
    page = explorer.page
    first = []
    for _ in range(3):
        page.goto("about:blank")
        start = time.monotonic()
        explorer.open(run=RUN)
        page.locator("canvas.grid").wait_for()
        first.append(1000 * (time.monotonic() - start))
    assert min(first) < FIRST, first
    page.wait_for_timeout(300)
    cached = [page.evaluate(MEASURE, index) for index in [28, 27, 28, 27, 28]]
    fetched = [page.evaluate(MEASURE, index) for index in [2, 12, 20, 7, 16]]
    assert np.median(cached) < CACHED, cached
    assert np.median(fetched) < FETCHED, fetched


@pytest.mark.parametrize("kind", ["npz", "csv"])
def test_files_of_captures_are_downloaded_with_the_token(
    explorer: ServedExplorer, kind: str
) -> None:
    explorer.open(run=RUN, step=8)
    explorer.inside.locator("summary[aria-label^=Save]").click()
    with explorer.page.expect_download() as download:
        explorer.inside.get_by_role("link", name=kind).click()
    assert Path(download.value.path()).stat().st_size > 1000


def test_view_is_saved_as_a_drawing_of_shapes_and_words(explorer: ServedExplorer) -> None:
    explorer.open(run=RUN, step=8)
    explorer.inside.locator("summary[aria-label^=Save]").click()
    with explorer.page.expect_download() as download:
        explorer.inside.get_by_role("button", name="Save this view as a drawing").click()
    root = ElementTree.parse(download.value.path()).getroot()
    space = "{http://www.w3.org/2000/svg}"
    words = [element.text for element in root.iter(f"{space}text")]
    assert f"{RUN} · memory · step 8" in words
    assert {"forget gate f", "hidden state h", "timestep"} <= set(words)
    pictures = list(root.iter(f"{space}image"))
    assert len(pictures) == 6
    trace = tab_logs.analysis(8, step=8).trace
    for letter, picture in zip("ifgoch", pictures, strict=True):
        data = b64decode(picture.attrib["href"].removeprefix("data:image/png;base64,"))
        colours = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"), int)
        gate = trace[letter][0].T
        assert colours.shape[:2] == gate.shape
        # Red is low and blue is high in these colours.
        blueness = (colours[..., 2] - colours[..., 0]).ravel()
        order = np.corrcoef(blueness, gate.ravel())[0, 1]
        assert order > 0.8


def test_token_that_is_wrong_is_told(explorer: ServedExplorer) -> None:
    page = explorer.page
    page.goto("about:blank")
    page.goto(explorer.address.replace(TOKEN, "another-token-than-that"))
    page.get_by_text("This server is read with its token").wait_for()
    page.goto("about:blank")
    # Chromium notes each answer with the status 403.
    assert all("403" in error for error in explorer.errors)
    explorer.errors.clear()


def test_server_that_ends_and_comes_back_is_told(another_page: Any, log_dir: Path) -> None:
    with LogCaptures(log_dir) as captures:
        application = Application(captures, Access("127.0.0.1"))
        with Serving(application, "127.0.0.1", 0) as serving:
            explorer = ServedExplorer(another_page, serving.address).open(run=RUN, step=0)
        explorer.slide(15)
        another_page.get_by_text(
            "lstm-probe serve does not answer. Is it still running?"
        ).wait_for()
        with Serving(application, "127.0.0.1", serving.port):
            another_page.locator("canvas.grid").wait_for()
            assert "60" in explorer.step_text


def test_run_that_appears_and_one_that_is_deleted_are_told(
    another_page: Any, tmp_path: Path
) -> None:
    with (
        LogCaptures(tmp_path) as captures,
        Serving(Application(captures, Access("127.0.0.1")), "127.0.0.1", 0) as serving,
    ):
        explorer = ServedExplorer(another_page, serving.address).open()
        assert "No gates in these logs yet" in explorer.text
        tab_logs.write_run(tmp_path / "a", [0, 3])
        another_page.locator("canvas.grid").wait_for()
        tab_logs.write_small_run(tmp_path / "a" / "lstm_probe", range(9, 10))
        explorer.wait(lambda: "9" in explorer.step_text)
        shutil.rmtree(tmp_path / "a")
        explorer.wait(lambda: "No gates in these logs yet" in explorer.text)
