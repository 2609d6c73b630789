"""A stand-in for a notebook: it opens the widget's script as anywidget does, and carries messages.

The kernel hears what the page asks only when the test calls `Cell.hear`, as a real kernel does only
between two cells. What it says arrives at once.
"""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

from tab_browser import Explorer

from lstm_probe.explorer.captures import Captures
from lstm_probe.explorer.widget.conversation import Conversation
from lstm_probe.explorer.widget.scripts import script

_ADDRESS = "http://notebook.test/"
_PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>A notebook</title>
<style>body {{ margin: 0; background: {background} }} main {{ width: {width}px }}</style></head>
<body class="host"><main><h1>A notebook</h1><div id="cell"></div></main></body></html>"""
_HOST = """async ([source, opening, view, height]) => {
  const bytes = (text) => new DataView(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);
  const said = Object.entries(opening).map(([address, data]) => [address, bytes(data)]);
  const state = { opening: Object.fromEntries(said), view, height };
  const listeners = [];
  const tell = (event, ...what) => {
    for (const [e, f] of [...listeners]) if (e === event) f(...what);
  };
  const say = (content, data) => tell("msg:custom", content, data.map(bytes));
  window.kernel = { asked: [], saved: 0, state, say };
  const model = {
    get: (name) => state[name],
    set: (name, value) => { state[name] = value; tell(`change:${name}`); },
    save_changes: () => (window.kernel.saved += 1),
    send: (content) => window.kernel.asked.push(content),
    on: (event, f) => listeners.push([event, f]),
    off: (event, f) => {
      const at = listeners.findIndex(([e, g]) => e === event && g === f);
      if (at >= 0) listeners.splice(at, 1);
    },
  };
  window.model = model;
  const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
  const { default: widget } = await import(url);
  const el = document.getElementById("cell");
  widget.initialize({ model });
  window.render = () => { el.replaceChildren(); return widget.render({ model, el }); };
  window.render();
}"""


class Cell(Explorer):
    """A cell that shows the explorer.

    Args:
        page: of Playwright.
        captures: what the kernel has.
        run: as for `Conversation`.
    """

    def __init__(self, page: Any, captures: Captures, **options: Any) -> None:
        super().__init__(page, _ADDRESS)
        self.conversation = Conversation(captures, self._say, **options)

    def show(
        self, view: str = "", *, width: int = 800, height: int = 640, background: str = "white"
    ) -> Cell:
        """Run the cell; does not wait for a picture."""
        self.page.unroute(_ADDRESS)
        body = _PAGE.format(width=width, background=background)
        self.page.route(_ADDRESS, lambda route: route.fulfill(body=body, content_type="text/html"))
        self.page.goto(_ADDRESS)
        opening = {
            address: b64encode(data).decode()
            for address, data in self.conversation.opening().items()
        }
        self.page.evaluate(_HOST, [script(), opening, view, height])
        return self

    def hear(self) -> list[str]:
        """The kernel is idle for a moment and replies; returns what it was asked."""
        asked = self.page.evaluate("kernel.asked.splice(0)")
        for each in asked:
            self.conversation.heard(each)
        return [each["address"] for each in asked]

    def _say(self, message: dict[str, Any], data: list[bytes]) -> None:
        said = [json.loads(json.dumps(message)), [b64encode(each).decode() for each in data]]
        self.page.evaluate("([content, data]) => kernel.say(content, data)", said)

    @property
    def inside(self) -> Any:
        return self.page.frame_locator("#cell iframe")

    @property
    def frame(self) -> Any:
        return self.page.locator("#cell iframe").element_handle().content_frame()

    def slide(self, index: int) -> None:
        """Move the slider to a capture."""
        self.inside.locator("input[type=range]").first.fill(str(index))
