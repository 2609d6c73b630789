"""The page's modules as the one script that anywidget asks for."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from importlib.resources import files

from lstm_probe.explorer.static_files import OF_TENSORBOARD, without_comments

__all__ = ["script"]

#: What imports a module of the page, in the one form that its scripts use.
_IMPORT = re.compile(r'from "\./(\w+\.js)"')
#: The modules by which TensorBoard, a server and a report open the page.
_OF_OTHERS = (*OF_TENSORBOARD, "report_source.js", "start.js")
_HOST = "widget.js"


@lru_cache(maxsize=1)
def script() -> str:
    """The widget's script: the page's modules and style as texts, and `widget.js`, their host.

    A module comes after those that it imports, so that each can be given the addresses of those.

    Example:
        >>> script().startswith("const MODULES = {")
        True
    """
    explorer = files("lstm_probe.explorer")
    folders = [explorer / "static", explorer / "page", explorer / "widget"]
    found = {
        entry.name: without_comments(entry.read_text(encoding="utf-8"))
        for folder in folders
        for entry in folder.iterdir()
        if entry.name.endswith(".js") and entry.name not in _OF_OTHERS
    }
    host = found.pop(_HOST)
    style = (explorer / "static" / "style.css").read_text(encoding="utf-8")
    modules = {name: found[name] for name in _in_order(found)}
    return f"const MODULES = {json.dumps(modules)};\nconst STYLE = {json.dumps(style)};\n{host}"


def _in_order(sources: dict[str, str]) -> list[str]:
    order: list[str] = []

    def add(name: str, above: tuple[str, ...]) -> None:
        if name in above:
            raise ValueError(f"modules import each other in a circle: {above}")
        if name not in order:
            for each in _IMPORT.findall(sources[name]):
                add(each, (*above, name))
            order.append(name)

    for name in sorted(sources):
        add(name, ())
    return order
