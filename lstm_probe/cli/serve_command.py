"""`lstm-probe serve`: the gate explorer over a log directory, without TensorBoard."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lstm_probe.cli.failing import one_line_errors
from lstm_probe.cli.options import Debug, LogDir
from lstm_probe.core.errors import LstmProbeError

__all__ = ["serve_log"]

#: TensorBoard's own is 6006.
_PORT = 6007


def serve_log(
    log_dir: LogDir,
    port: Annotated[
        int,
        typer.Option(
            help="The port; if it is in use the next free one is taken. 0 for any.",
            min=0, max=65535, metavar="PORT",
        ),
    ] = _PORT,
    host: Annotated[
        str,
        typer.Option(help="The address to bind: this machine alone by default.", metavar="HOST"),
    ] = "127.0.0.1",
    open_browser: Annotated[
        bool, typer.Option("--open", help="Open the page in the browser.")
    ] = False,
    token: Annotated[
        str | None,
        typer.Option(
            "--read-only-token",
            help="Lets others than this machine read, with this token in the address; `new` makes "
            "one. Needed for any other --host.",
            metavar="TOKEN", envvar="LSTM_PROBE_TOKEN", show_envvar=True,
        ),
    ] = None,
    debug: Debug = False,
) -> None:  # fmt: skip
    """Serve the gate explorer: every captured step, live, while trainings write their logs.

    New runs and captures appear by themselves. Nothing is ever written. Ends with Ctrl-C.

    Examples:

    - `lstm-probe serve logs --open`

    - `lstm-probe serve logs --host 0.0.0.0 --read-only-token new`
    """
    with one_line_errors(debug):
        from lstm_probe.explorer.log_captures import LogCaptures
        from lstm_probe.explorer.server import Access, Application, Serving, new_token

        _check(log_dir)
        access = Access(host, new_token() if token == "new" else token)
        with (
            LogCaptures(log_dir) as captures,
            Serving(Application(captures, access), host, port) as serving,
        ):
            address = serving.address + ("" if access.token is None else f"?token={access.token}")
            if port and serving.port != port:
                typer.echo(f"The port {port} is in use: {serving.port} is taken.", err=True)
            typer.echo(f"The gates of {log_dir}: {address} (Ctrl-C ends it)")
            if open_browser:
                typer.launch(address)
            try:
                serving.wait()
            except KeyboardInterrupt:
                typer.echo("")


def _check(log_dir: Path) -> None:
    if not log_dir.is_dir():
        kind = "a file" if log_dir.exists() else "nothing"
        raise LstmProbeError(
            f"There is no such log directory. Received: {log_dir}, where there is {kind}. "
            "Expected: the log_dir of a training, or a directory above it. It may be empty still."
        )
