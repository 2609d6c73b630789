"""The server itself, on a port that is free.

It is werkzeug's, which TensorBoard serves with too: a thread for each connection. It is meant for
a reader and some colleagues, not for the public.
"""

from __future__ import annotations

import errno
import logging
import os
import socket
from threading import BoundedSemaphore, Thread
from typing import Any

from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler

from lstm_probe.core.errors import LstmProbeError
from lstm_probe.explorer.server.application import Application

__all__ = ["Serving"]

_logger = logging.getLogger(__name__)
#: Ports that are tried after the one that was asked for.
_TRIED = 100
#: Connections at a time; a browser opens six.
_MOST_CONNECTIONS = 256


class Serving:
    """A running server; it ends with its `with` block.

    Args:
        application: what is served.
        host: the address that is bound.
        port: the first port that is tried; 0 for any. If it is in use the next free one is taken.

    Attributes:
        port: the port that was taken.

    Raises:
        LstmProbeError: no port is free, or the address is not this machine's.
    """

    def __init__(self, application: Application, host: str, port: int) -> None:
        self._server = _Server(_listening(host, port), application)
        self.port = int(self._server.port)
        shown = f"[{host}]" if ":" in host else host
        self.address = f"http://{shown}:{self.port}/"
        self._thread = Thread(
            target=self._server.serve_forever, name="lstm_probe-serve", daemon=True
        )

    def __enter__(self) -> Serving:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def wait(self) -> None:
        """Serve until the process is interrupted."""
        self._thread.join()


class _Handler(WSGIRequestHandler):
    """Ends connections over which nothing comes, and does not print every request."""

    timeout = 75
    server_version, sys_version = "lstm_probe", ""

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer what is no request of HTTP, or far too long for one."""
        super().send_error(400, message, explain)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        _logger.debug("%s %s", getattr(self, "path", "").partition("?")[0], code)

    # The name of the argument is werkzeug's.
    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002
        _logger.debug(message, *args)


class _Server(ThreadedWSGIServer):
    """Refuses connections beyond a bound, so that nobody can take all threads and memory."""

    block_on_close = False

    def __init__(self, listening: socket.socket, application: Application) -> None:
        self._free = BoundedSemaphore(_MOST_CONNECTIONS)
        host, port = listening.getsockname()[:2]
        # Werkzeug ends the process if it cannot bind by itself; it takes a copy of this socket.
        super().__init__(host, port, application, _Handler, fd=listening.fileno())
        listening.close()

    def process_request(self, request: Any, client_address: Any) -> None:
        if self._free.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002
        _logger.debug(message, *args)


def _listening(host: str, port: int) -> socket.socket:
    """A socket on the first port from the given one on that is free."""
    ports = range(port, min(port + _TRIED, 65536)) if port else (0,)
    for each in ports:
        try:
            return _bound(host, each)
        except OSError as error:
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise LstmProbeError(
                    f"The address cannot be bound. Received: --host {host} --port {each}: "
                    f"{error.strerror}. Expected: an address of this machine, such as 127.0.0.1."
                ) from error
    raise LstmProbeError(
        f"No port is free. Received: --port {port}, and the {len(ports) - 1} that follow are in "
        "use too or not allowed. Expected: one between 1024 and 65535 that is free, or 0 for any."
    )


def _bound(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listening = socket.socket(family, kind, protocol)
    try:
        if os.name == "posix":  # elsewhere this would take a port that is in use
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(128)
    except OSError:
        listening.close()
        raise
    return listening
