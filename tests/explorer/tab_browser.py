"""A browser that walks through the gate explorer, and notes everything that goes wrong."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

_WATCH = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) =>
  window.violations.push(`${event.violatedDirective} ${event.blockedURI}`));
"""
# What TensorBoard's own pages say; it looks for its fonts in the wrong place under a path prefix.
_NOT_OURS = re.compile(r"Three\.js|favicon|font-roboto|ERR_CONNECTION_REFUSED")


class Explorer:
    """The tab in a page of a browser.

    Args:
        page: of Playwright.
        address: of TensorBoard.
    """

    def __init__(self, page: Any, address: str) -> None:
        self.page, self.address = page, address
        self.errors: list[str] = []
        page.add_init_script(_WATCH)
        page.on("pageerror", lambda error: self.errors.append(f"{error}\n{error.stack}"))
        page.on("console", self._note)

    def _note(self, message: Any) -> None:
        if message.type == "error" and not _NOT_OURS.search(message.text + str(message.location)):
            self.errors.append(f"{message.text} {message.location}")

    def open(self, link: str = "", **state: Any) -> Explorer:
        """Open a link, or a state such as `run="a"`; waits for the first picture."""
        self.page.goto("about:blank")  # another fragment alone loads nothing
        parts = [f"{name}={quote(_text(value), safe='')}" for name, value in state.items()]
        self.page.goto(link or f"{self.address}#{'&'.join(['lstm_probe', *parts])}")
        shown = self.inside.locator("#view > *").filter(has_not_text="Reading the logs")
        shown.first.wait_for(timeout=30_000)
        return self

    @property
    def inside(self) -> Any:
        return self.page.frame_locator("iframe[src*='lstm_probe']")

    @property
    def frame(self) -> Any:
        return self.page.locator("iframe[src*='lstm_probe']").element_handle().content_frame()

    @property
    def step_text(self) -> str:
        return str(self.inside.locator("output.step").first.inner_text())

    def button(self, name: str) -> Any:
        return self.inside.get_by_role("button", name=name)

    def view(self, name: str) -> None:
        self.inside.get_by_role("tab", name=f"{name} view").click()

    def hover(self, x: float, y: float) -> dict[str, Any]:
        """What the tooltip says at a part of the grid's width and height."""
        shown = self.inside.locator(".tooltip tr").first
        self.page.mouse.move(1, 1)  # outside of the page: the last tooltip goes
        shown.wait_for(state="hidden")
        deadline = time.monotonic() + 30
        while not shown.is_visible():
            # While captures and sentences arrive, the grid may still move below the pointer.
            assert time.monotonic() < deadline, f"no tooltip appears; the page says: {self.text}"
            box = self.inside.locator("canvas.grid").bounding_box()
            self.page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])
            self.page.wait_for_timeout(50)
        return self._read(self.inside.locator(".tooltip"))

    def chosen(self) -> dict[str, Any]:
        """What the inspector says of the chosen cell."""
        return self._read(self.inside.locator("aside .cell"))

    def _read(self, place: Any) -> dict[str, Any]:
        place.locator("tr").first.wait_for()
        text = place.locator(".place").inner_text()
        unit, timestep = re.search(r"unit (\d+), timestep (\d+)", text).groups()
        rows = place.locator("tr[data-gate]").evaluate_all(
            "rows => rows.map(r => [r.dataset.gate, ...Array.from(r.querySelectorAll('.value'))"
            ".map(v => v.textContent)])"
        )
        values = {gate: [_number(each) for each in columns] for gate, *columns in rows}
        return {"unit": int(unit), "timestep": int(timestep), "place": text, "values": values}

    def wait(self, happened: Callable[[], Any], seconds: float = 15) -> None:
        """Wait until something is so, while the page goes on."""
        deadline = time.monotonic() + seconds
        while not happened():
            assert time.monotonic() < deadline, f"it does not happen; the page says: {self.text}"
            self.page.wait_for_timeout(50)

    @property
    def text(self) -> str:
        return str(self.inside.locator("body").inner_text())

    def assert_clean(self) -> None:
        """No error on the console, and nothing that the content security policy stopped."""
        assert self.errors == []
        for frame in self.page.frames:
            assert frame.evaluate("window.violations ?? []") == []


class ServedExplorer(Explorer):
    """The page of `lstm-probe serve`, or any other that is no tab of TensorBoard.

    Args:
        page: of Playwright.
        address: of the page.
    """

    @property
    def inside(self) -> Any:
        return self.page

    @property
    def frame(self) -> Any:
        return self.page.main_frame

    def slide(self, index: int) -> None:
        """Move the slider to a capture."""
        self.inside.locator("input[type=range]").first.fill(str(index))


def _text(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return ",".join(quote(str(each), safe="") for each in value)
    return json.dumps(value) if isinstance(value, bool) else str(value)


def _number(text: str) -> float:
    plain = text.replace("\N{MINUS SIGN}", "-").replace("\N{INFINITY}", "inf")
    return float("nan") if plain == "\N{EN DASH}" else float(plain)
