"""`lstm-probe report`: a log as one page, and as one picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lstm_probe.cli.failing import one_line_errors
from lstm_probe.cli.options import Debug, Layers, LogDir, RunName
from lstm_probe.cli.outputs import check_ending, whole_file

if TYPE_CHECKING:
    from lstm_probe.logs.stored.reader import RunReader

__all__ = ["report_log"]

#: So many layers are told of in the terminal.
_SAID = 4
_PAGES, _PICTURES = (".html", ".htm"), (".png", ".pdf", ".svg")


def report_log(
    log_dir: LogDir,
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            help="A page (.html), or a contact sheet of some steps (.png, .pdf, .svg).",
            metavar="FILE",
        ),
    ],
    run: RunName = None,
    layer: Layers = None,
    megabytes: Annotated[
        float,
        typer.Option(
            help="How large the page may become, 2 to 1000.", min=2, max=1000, metavar="MB"
        ),
    ] = 28.0,
    debug: Debug = False,
) -> None:
    """Write one page with every captured step: the gate explorer, without a server or network.

    All steps are kept. If they do not fit into --megabytes, gates are kept in steps of 1/255 of
    their range, then of the first sequence only, then of fewer units and timesteps; the page says
    which. A contact sheet shows all gates of a layer at six steps.

    Examples:

    - `lstm-probe report logs/run1 -o report.html`

    - `lstm-probe report logs/run1 -o sheet.pdf --layer memory`
    """
    with one_line_errors(debug):
        from lstm_probe.cli.logs import all_runs, one_run

        check_ending(output, (*_PAGES, *_PICTURES))
        if output.suffix.lower() in _PICTURES:
            _sheet(output, one_run(log_dir, run), layer)
        else:
            runs = all_runs(log_dir) if run is None else {run: one_run(log_dir, run)}
            _page(output, runs, str(log_dir), megabytes)


def _page(output: Path, runs: dict[str, RunReader], title: str, megabytes: float) -> None:
    from rich.progress import Progress

    from lstm_probe.cli.tables import error_console
    from lstm_probe.explorer.page import write_page

    count = sum(len(each.steps(layer)) for each in runs.values() for layer in each.layers)
    with Progress(console=error_console(), transient=True) as progress:
        task = progress.add_task("reporting", total=count)
        with whole_file(output) as path:
            facts = write_page(
                path, runs, title=title, megabytes=megabytes,
                progress=lambda: progress.advance(task),
            )  # fmt: skip
    size = output.stat().st_size / 1e6
    typer.echo(f"{facts.captures} captures, {facts.plan}: {output} ({size:.1f} MB)")
    _say(runs)


def _say(runs: dict[str, RunReader], layers: Sequence[str] | None = None) -> None:
    """What the gates say at the end of each run, of the first few layers."""
    from lstm_probe.cli.tables import answer_lines, console
    from lstm_probe.logs.stored.course import answers_at

    said = {}
    for name, run in runs.items():
        for layer in layers or run.layers:
            answers = answers_at(run.course, layer, run.steps(layer)[-1])
            if answers:
                said[layer if len(runs) == 1 else f"{name}, {layer}"] = answers
    if not said:
        return
    out = console()
    out.print()
    for line in answer_lines(dict(list(said.items())[:_SAID]))[:-1]:
        out.print(line)
    if len(said) > _SAID:
        out.print(f"\n{len(said) - _SAID} more: a page (.html) tells of all")


def _sheet(output: Path, run: RunReader, layers: list[str] | None) -> None:
    from lstm_probe.explorer.page import draw_contact_sheet
    from lstm_probe.logs.export import series_of

    names = [each.layer for each in series_of(run, layers=layers)]
    kind = output.suffix[1:].lower()
    with whole_file(output) as path:
        if kind == "pdf":
            from matplotlib.backends.backend_pdf import PdfPages

            with PdfPages(path) as pages:
                for name in names:
                    pages.savefig(draw_contact_sheet(run, name))
        else:
            draw_contact_sheet(run, names[0]).savefig(path, format=kind, dpi=150)
    shown = names if kind == "pdf" else names[:1]
    more = "" if len(shown) == len(names) else f" (of {len(names)} layers: choose with --layer)"
    typer.echo(f"{', '.join(shown)}{more}: {output}")
    _say({run.directory.name: run}, names)
