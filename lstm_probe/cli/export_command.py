"""`lstm-probe export`: a log's gates as labelled data."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lstm_probe.cli.failing import one_line_errors
from lstm_probe.cli.options import Debug, Layers, LogDir, RunName
from lstm_probe.cli.outputs import check_ending, whole_file

if TYPE_CHECKING:
    from lstm_probe.logs.export import Series

__all__ = ["export_log"]


def export_log(
    log_dir: LogDir,
    output: Annotated[
        Path,
        typer.Option("--output", "-o", help=".npz, .nc, .csv or .parquet.", metavar="FILE"),
    ],
    run: RunName = None,
    layer: Layers = None,
    gate: Annotated[
        list[str] | None,
        typer.Option(
            "--gate", "-g", help="Only this gate (i, f, h ...); may be repeated.", metavar="LETTER"
        ),
    ] = None,
    debug: Debug = False,
) -> None:
    """Write every captured gate of a log to a file, labelled by step, layer, gate, unit and time.

    The training may still be writing: what is there so far is exported. Needs little memory,
    however large the log. `.nc`, `.csv` and `.parquet` want `pip install "lstm_probe[export]"`.
    The log holds gates in float16, which has three digits, and with detail="full" in float32; the
    file says under `precision` which it is.

    Examples:

    - `lstm-probe export logs/run1 -o gates.npz`

    - `lstm-probe export logs/run1 -o gates.nc --layer memory`, then in Python
      `xarray.open_dataset("gates.nc", group="memory")`

    - `lstm-probe export logs/run1 -o forget.parquet --gate f`
    """
    with one_line_errors(debug):
        from rich.progress import Progress

        from lstm_probe.cli.logs import one_run
        from lstm_probe.cli.tables import error_console
        from lstm_probe.logs.export import ENDINGS, export, series_of

        check_ending(output, ENDINGS)
        series = series_of(one_run(log_dir, run), layers=layer, gates=gate)
        count = sum(len(each.steps) for each in series)
        with Progress(console=error_console(), transient=True) as progress:
            task = progress.add_task("exporting", total=count)
            with whole_file(output) as path:
                export(path, series, ending=output.suffix.lower(),
                       progress=lambda: progress.advance(task))  # fmt: skip
        layers = ", ".join(each.layer for each in series)
        typer.echo(f"{count} captures of {layers}, {_precision(series)}: {output}")


def _precision(series: Sequence[Series]) -> str:
    """How exactly the first captures were stored; the file says it of each."""
    if all(each.first.precision == "float32" for each in series):
        return "gates in float32"
    return "gates in float16 (three digits; detail='full' logs float32)"
