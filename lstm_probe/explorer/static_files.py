"""The files of the page: a fixed list, each with an address of its own."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from importlib.resources import files
from typing import Any

from tensorboard.backend import http_util
from werkzeug import Request, Response

__all__ = ["static_apps"]

_TYPES = {".js": "text/javascript", ".css": "text/css"}


def static_apps() -> Mapping[str, Any]:
    """An application for each file of the page, by address.

    No part of an address is ever turned into a path.

    Example:
        >>> "/static/index.js" in static_apps()
        True
    """
    folder = files("lstm_probe.explorer") / "static"
    return {
        f"/static/{file.name}": Request.application(
            partial(_serve, file.read_bytes(), _TYPES[suffix])
        )
        for file in folder.iterdir()
        if (suffix := "." + file.name.rpartition(".")[2]) in _TYPES
    }


def _serve(content: bytes, kind: str, request: Request) -> Response:
    return http_util.Respond(request, content, kind)
