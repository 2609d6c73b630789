"""The page, its files and its routes as one web application, which reads and never writes."""

from __future__ import annotations

import gzip
from collections.abc import Iterable
from functools import cached_property
from typing import Any

from werkzeug import Request, Response

from lstm_probe.explorer.answers import Answers
from lstm_probe.explorer.captures import Captures
from lstm_probe.explorer.requests import Query, Reply, document
from lstm_probe.explorer.routes import Routes
from lstm_probe.explorer.server.access import Access
from lstm_probe.explorer.static_files import OF_TENSORBOARD, static_files

__all__ = ["Application"]

#: The page may run its own scripts and show its own pictures, and reach nothing but this server.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; connect-src 'self'; base-uri 'none'; form-action 'none'"
)
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache, must-revalidate",
    "Content-Security-Policy": _POLICY,
    # A token in the address stays there.
    "Referrer-Policy": "no-referrer",
    # Pages of others may frame the page, and cannot read its data.
    "Cross-Origin-Resource-Policy": "same-origin",
}
_TEXTS = ("application/json", "text/")
#: Shorter replies are not worth compressing.
_SHORT = 1000


class Application:
    """A WSGI application: `/` is the page, `/static/...` its files, the rest the routes.

    An address is looked up in a fixed table and never becomes a path.

    Args:
        captures: where the captures are.
        access: who may read them. The page and its files are the same for everybody and need no
            token.

    Example:
        >>> from types import SimpleNamespace
        >>> from werkzeug.test import Client
        >>> nothing = SimpleNamespace(runs=lambda scope: [])
        >>> client = Client(Application(nothing, Access("127.0.0.1")))
        >>> client.get("/runs").json, client.get("/elsewhere").status_code
        ({'runs': []}, 404)
    """

    def __init__(self, captures: Captures, access: Access) -> None:
        self._routes = Routes(Answers(captures), host="lstm-probe serve")
        self._access = access
        files = {
            address: reply
            for address, reply in static_files(__package__).items()
            if address.removeprefix("/static/") not in OF_TENSORBOARD
        }
        self._files = {"/": _page(files), **files}

    def __call__(self, environ: Any, start_response: Any) -> Any:
        request = Request(environ)
        response = _response(self._reply(request), request)
        return response(environ, start_response)

    def _reply(self, request: Request) -> Reply:
        address, method = request.path, request.method
        if method not in ("GET", "HEAD"):
            return document({"error": "Only GET is served here."}, 405)
        if address in self._files:
            return self._files[address]
        problem = self._access.problem(request.headers.get("Host", ""), _token_of(request))
        if problem is not None:
            return document({"error": problem}, 403)
        if address not in self._addresses:
            return document({"error": "There is no such address."}, 404)
        return self._routes.reply(address, method, Query(request.args))

    @cached_property
    def _addresses(self) -> frozenset[str]:
        return frozenset(self._routes.addresses)


def _token_of(request: Request) -> str | None:
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    return token if kind == "Bearer" else request.args.get("token")


def _response(reply: Reply, request: Request) -> Response:
    headers = {**_HEADERS, **dict(reply.headers)}
    content = reply.content
    if (
        reply.kind.startswith(_TEXTS)
        and len(content) > _SHORT
        and request.accept_encodings.best_match(["gzip"]) is not None
    ):
        content = gzip.compress(content, 1, mtime=0)
        headers["Content-Encoding"] = "gzip"
    headers["Content-Length"] = str(len(content))
    headers["Vary"] = "Accept-Encoding"
    kind = f"{reply.kind}; charset=utf-8" if reply.kind.startswith("text/") else reply.kind
    body = b"" if request.method == "HEAD" else content
    return Response(body, status=reply.status, headers=headers, content_type=kind)


def _page(files: Iterable[str]) -> Reply:
    """The page. All its modules are named, so that they are fetched at once."""
    scripts = [address for address in files if address.endswith(".js")]
    ahead = "".join(f'<link rel="modulepreload" href=".{address}">\n' for address in scripts)
    return Reply(_HTML.format(ahead=ahead).encode(), "text/html")


_HTML = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>lstm_probe</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="./static/style.css">
{ahead}<script type="module" src="./static/serve.js"></script>
</head>
<body></body>
</html>
"""
