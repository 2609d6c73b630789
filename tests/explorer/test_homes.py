"""The page in each of its homes: for everybody's eyes and hands, in every size and both themes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from importlib.resources import files
from pathlib import Path
from typing import Any

import browser
import pytest
import tab_logs
from notebook_host import Cell
from tab_browser import Explorer, ServedExplorer

from lstm_probe.analysis.explained import explain_layer
from lstm_probe.explorer.log_captures import LogCaptures
from lstm_probe.explorer.page import write_page
from lstm_probe.explorer.server import Access, Application, Serving
from lstm_probe.logs import RunLog
from lstm_probe.logs.stored.reader import find_runs
from lstm_probe.models.probe_data import ProbeData

RUN = "a/lstm_probe"
STEPS = [0, 4, 8, 12]
VIEWS = ["gates", "probe", "parity", "saturation", "gradient", "memory", "weights", "computes"]
HOMES = ["server", "file", "cell", "tensorboard"]
AXE = """async () => {
  const { violations } = await axe.run(document, { resultTypes: ["violations"] });
  const bad = violations.filter(({ impact }) => ["serious", "critical"].includes(impact));
  return bad.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).slice(0, 2)}`);
}"""


class Homes:
    """The same log in all homes, each opened when it is asked for."""

    def __init__(self, log_dir: Path, stack: ExitStack) -> None:
        self.log_dir, self._stack = log_dir, stack
        self._browser = stack.enter_context(browser.page()).context.browser
        self._captures = stack.enter_context(LogCaptures(log_dir))
        self._addresses: dict[str, str] = {}

    def open(self, home: str, *, width: int, scheme: str, **state: Any) -> Explorer:
        page = self._browser.new_page(
            viewport={"width": width, "height": 900}, color_scheme=scheme, has_touch=False
        )
        self._stack.callback(page.close)
        if home == "cell":
            view = "&".join(f"{name}={value}" for name, value in state.items())
            dark = "#111" if scheme == "dark" else "#fff"
            cell = Cell(page, self._captures).show(view, width=width, background=dark)
            cell.wait(lambda: cell.hear() or cell.inside.locator("#view > *").count())
            return cell
        kind = Explorer if home == "tensorboard" else ServedExplorer
        return kind(page, self._address(home)).open(run=RUN, **state)

    def _address(self, home: str) -> str:
        if home not in self._addresses:
            self._addresses[home] = getattr(self, f"_{home}")()
        return self._addresses[home]

    def _server(self) -> str:
        application = Application(self._captures, Access("127.0.0.1"))
        return str(self._stack.enter_context(Serving(application, "127.0.0.1", 0)).address)

    def _file(self) -> str:
        path = self.log_dir.parent / "report.html"
        write_page(path, find_runs(self.log_dir))
        return path.as_uri()

    def _tensorboard(self) -> str:
        return str(self._stack.enter_context(browser.tensorboard(self.log_dir)))


@pytest.fixture(scope="module")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Homes]:
    log_dir = tmp_path_factory.mktemp("homes") / "logs"
    tab_logs.write_run(log_dir / "a", STEPS, layers=("memory", "other"))
    seen = tab_logs.analysis(12, step=12, layer="memory", batch=8)
    early = tab_logs.analysis(4, step=4, layer="memory", batch=8)
    with RunLog(log_dir / "a", first_step=12, data=ProbeData({"": seen.snapshot.x}, {})) as log:
        log.write_explained({"memory": explain_layer(early, analyses=["geometry"])}, step=4)
        log.write_explained({"memory": explain_layer(seen)}, step=12)
    with ExitStack() as stack:
        yield Homes(log_dir, stack)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    ("home", "width"),
    [("server", 1280), ("server", 1920), ("file", 1280), ("cell", 800), ("tensorboard", 1280)],
)
@pytest.mark.daily(1)
def test_nothing_keeps_people_from_reading(
    homes: Homes, home: str, width: int, scheme: str
) -> None:
    pytest.importorskip("axe_playwright_python", reason="axe is not installed")
    axe = (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")
    explorer = homes.open(home, width=width, scheme=scheme, unit=2, time=3)
    explorer.frame.evaluate(axe)
    found = {}
    for view in VIEWS:
        explorer.view(view)
        explorer.page.wait_for_timeout(200)
        if isinstance(explorer, Cell):
            explorer.hear()
            explorer.page.wait_for_timeout(200)
        if problems := explorer.frame.evaluate(AXE):
            found[view] = problems
    assert found == {}
    explorer.assert_clean()


@pytest.mark.parametrize("home", HOMES)
@pytest.mark.daily(1)
def test_keys_alone_reach_everything(homes: Homes, home: str) -> None:
    explorer = homes.open(home, width=1280, scheme="light")
    explorer.inside.locator("canvas.grid").wait_for()
    explorer.inside.locator("#view").focus()
    press = explorer.page.keyboard.press
    press("Home")
    explorer.wait(lambda: explorer.step_text.startswith("step 0 "))
    press("ArrowRight")
    explorer.wait(lambda: explorer.step_text.startswith("step 4 "))
    tab = explorer.inside.get_by_role("tab", name="Gates view")
    tab.focus()
    reached = set()
    for _ in range(60):
        press("Tab")
        name = explorer.frame.evaluate(
            "document.activeElement?.getAttribute('aria-label') ?? document.activeElement?.id"
        )
        reached.add(name)
    assert {"Training step", "View", "Next capture (→)"} <= reached
    assert len(reached) > 12
    explorer.assert_clean()


@pytest.mark.parametrize("home", HOMES)
@pytest.mark.daily(1)
def test_link_of_a_view_means_the_same_in_every_home(homes: Homes, home: str) -> None:
    explorer = homes.open(home, width=1280, scheme="light", step=8, view="memory", layers="other")
    explorer.wait(lambda: explorer.step_text.startswith("step 8 "))
    chosen = explorer.inside.get_by_role("tab", name="Memory view")
    assert chosen.get_attribute("aria-selected") == "true"
    # Where there is no clipboard, the link is shown to be copied by hand.
    none = "Object.defineProperty(navigator, 'clipboard', { value: undefined, configurable: true })"
    for frame in (explorer.page, explorer.frame):
        frame.evaluate(none)
    shown: list[str] = []
    explorer.page.once(
        "dialog", lambda dialog: (shown.append(dialog.default_value), dialog.accept())
    )
    explorer.inside.locator("button", has_text="Copy link").click()
    explorer.wait(lambda: shown)
    end = shown[0].partition("#lstm_probe&")[2]
    assert {"step=8", "view=memory", "layers=other", "run=a%2Flstm_probe"} <= set(end.split("&"))
    explorer.assert_clean()


@pytest.mark.parametrize("home", HOMES)
@pytest.mark.daily(1)
def test_what_the_analyses_found_is_seen_in_every_home(homes: Homes, home: str) -> None:
    explorer = homes.open(home, width=1280, scheme="light", view="computes", layers="memory")

    def wait(happened: Callable[[], Any]) -> None:
        """A notebook's kernel hears no question by itself."""
        explorer.wait(lambda: (isinstance(explorer, Cell) and explorer.hear(), happened())[1])

    sheet = explorer.inside.locator(".sheet")
    wait(lambda: sheet.locator(".said").count() == 5)
    told = explain_layer(tab_logs.analysis(12, step=12, layer="memory", batch=8))
    assert sheet.locator(".said li").all_inner_texts() == [each.text for each in told.sentences()]
    assert "Not made. There is no target" in sheet.inner_text()
    assert "Analysed at step 12, one of 2." in sheet.inner_text()
    wait(lambda: "Similarity with the last capture: " in sheet.inner_text())
    way = sheet.locator('canvas[aria-label^="The way of h"]')
    way.scroll_into_view_if_needed()
    assert sheet.evaluate("(sheet) => sheet.scrollWidth - sheet.clientWidth") <= 0
    explorer.inside.locator("#view").focus()
    for _ in range(2):
        explorer.page.keyboard.press("ArrowLeft")
    wait(lambda: "Analysed at step 4, one of 2." in sheet.inner_text())
    assert 'analyses=["ablation"] makes it' in sheet.inner_text()
    explorer.page.keyboard.press("End")
    wait(lambda: sheet.locator(".said").count() == 5)
    sheet.locator(".listed .link").first.click()
    largest = str(told.findings["ablation"].at_mean.ranked_by.argmax())
    wait(lambda: explorer.inside.get_by_label("Unit", exact=True).input_value() == largest)
    explorer.view("Gates")
    wait(lambda: "effect" in explorer.inside.get_by_label("Sort units by").inner_html())
    explorer.view("Computes")
    explorer.inside.locator("summary[aria-label^=Layer]").click()
    explorer.inside.get_by_role("button", name="Only other").click()
    wait(lambda: 'analyses=["ablation"' in sheet.inner_text())
    explorer.assert_clean()


def test_page_in_a_frame_keeps_its_own_address(homes: Homes) -> None:
    page = homes._browser.new_page()
    address = homes._address("server")
    html = f'<body><iframe src="{address}#lstm_probe&run=a%2Flstm_probe&view=memory" width=900>'
    page.route(f"{address}docs", lambda route: route.fulfill(body=html, content_type="text/html"))
    page.goto(f"{address}docs")
    inside = page.frame_locator("iframe")
    inside.get_by_role("tab", name="Memory view", selected=True).wait_for()
    inside.get_by_role("tab", name="Gates view").click()
    page.wait_for_timeout(500)
    assert page.url == f"{address}docs"
    page.close()
