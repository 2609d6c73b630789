"""The files of the page: a fixed list, each with an address of its own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.resources import files

from lstm_probe.explorer.requests import Reply

__all__ = ["OF_TENSORBOARD", "static_files", "without_comments"]

#: The modules by which TensorBoard opens the page and answers it; no other home needs them.
OF_TENSORBOARD = ("index.js", "tensorboard_source.js", "gates_address.js")
_TYPES = {".js": "text/javascript", ".css": "text/css"}
#: Comments that have their lines to themselves.
_COMMENT = re.compile(r"^[ \t]*(?://.*|/\*\*(?s:.*?)\*/)\n", re.MULTILINE)


def static_files(*more: str) -> Mapping[str, Reply]:
    """Each script and style of the page as a reply, by address.

    No part of an address is ever turned into a path.

    Args:
        more: packages whose scripts are served too.

    Example:
        >>> "/static/index.js" in static_files()
        True
    """
    folders = [files("lstm_probe.explorer") / "static", *map(files, more)]
    return {
        f"/static/{file.name}": Reply(file.read_bytes(), _TYPES[suffix])
        for folder in folders
        for file in folder.iterdir()
        if (suffix := "." + file.name.rpartition(".")[2]) in _TYPES
    }


def without_comments(source: str) -> str:
    """A script without the comments between its lines, for files that carry the page with them.

    Example:
        >>> without_comments("// What it is.\\nlet a = 1; // why\\n")
        'let a = 1; // why\\n'
    """
    return _COMMENT.sub("", source)
