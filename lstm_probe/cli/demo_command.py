"""`lstm-probe demo`: a sample log, ready to be looked at."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from lstm_probe.cli.failing import one_line_errors
from lstm_probe.cli.options import Debug

__all__ = ["write_demo"]

_PAGE = "gates.html"


def write_demo(
    log_dir: Annotated[
        Path, typer.Option("--log-dir", "-o", help="Where the log goes.", metavar="DIR")
    ] = Path("logs/demo"),
    shows: Annotated[
        bool, typer.Option("--open/--no-open", help="Open the page in the browser.")
    ] = True,
    debug: Debug = False,
) -> None:
    """Train a small network twice, in a few seconds, and show its gates: first ill, then cured.

    It reads film reviews of 60 words, whose second word decides whether the answer is yes or no.
    The ill network has forgotten it at the end; the cured one begins with larger biases of the
    forget gate, and remembers. All of it is NumPy: no framework is needed.

    Examples:

    - `lstm-probe demo`

    - `lstm-probe demo --log-dir logs/sample --no-open`
    """
    with one_line_errors(debug):
        from lstm_probe.cli.demo.training import RUNS, train
        from lstm_probe.cli.outputs import new_runs_or_none
        from lstm_probe.cli.tables import console
        from lstm_probe.explorer.page import write_page
        from lstm_probe.logs.stored.reader import find_runs

        _check_new(log_dir, RUNS)
        out = console()
        for name in RUNS:
            with new_runs_or_none(log_dir / name):
                trained = train(log_dir, name)
            out.print(f"[bold]{name}[/]: {RUNS[name]}; {trained.accuracy:.0%} of the answers right")
            for answer in trained.answers:
                out.print(f"  {answer}", markup=False)
            out.print()
        page = log_dir / _PAGE
        write_page(page, find_runs(log_dir), title="lstm_probe: a sample log")
        for line in _how_to_look(log_dir, page):
            out.print(line, markup=False, soft_wrap=True)
        if shows and _has_screen():
            typer.launch(page.resolve().as_uri())


def _check_new(log_dir: Path, runs: Iterable[str]) -> None:
    from lstm_probe.core.errors import LstmProbeError

    there = [str(log_dir / name) for name in runs if (log_dir / name).exists()]
    if there:
        raise LstmProbeError(
            f"There is a log already. Received: --log-dir {log_dir}, which has {there[0]}. "
            "Expected: a new directory, such as --log-dir logs/demo2; or remove the old one."
        )


def _how_to_look(log_dir: Path, page: Path) -> list[str]:
    """A line for each way to look at the log."""
    from lstm_probe.logs.look import how_to_look

    return [f"Look at it: open {page}, or", *(f"    {line}" for line in how_to_look(log_dir))]


def _has_screen() -> bool:
    """Whether somebody sits before a screen: elsewhere a browser in the terminal might open."""
    windowed = sys.platform in ("win32", "darwin") or any(
        os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY")
    )
    return windowed and sys.stdout.isatty()
