"""All commands. Each has a file of its own, and imports what it needs only when it runs."""

from __future__ import annotations

from typing import Annotated

import typer

from lstm_probe.cli.demo_command import write_demo
from lstm_probe.cli.diff_command import diff
from lstm_probe.cli.explain_command import explain_model
from lstm_probe.cli.export_command import export_log
from lstm_probe.cli.inspect_command import inspect_model
from lstm_probe.cli.replay_command import replay_checkpoints
from lstm_probe.cli.report_command import report_log
from lstm_probe.cli.serve_command import serve_log
from lstm_probe.cli.watch_command import watch_log

__all__ = ["app"]

app = typer.Typer(
    name="lstm-probe",
    help="See the gates of an LSTM, GRU or other recurrent layer: of a saved model, a row of "
    "checkpoints, or a log.",
    epilog="Exit codes: 0 fine, 1 what --check asks for was found, 2 bad input.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        from lstm_probe import __version__

        typer.echo(f"lstm-probe {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show it.")
    ] = False,
) -> None:
    pass


app.command("demo")(write_demo)
app.command("inspect", no_args_is_help=True)(inspect_model)
app.command("explain", no_args_is_help=True)(explain_model)
app.command("replay", no_args_is_help=True)(replay_checkpoints)
app.command("diff", no_args_is_help=True)(diff)
app.command("watch", no_args_is_help=True)(watch_log)
app.command("serve", no_args_is_help=True)(serve_log)
app.command("export", no_args_is_help=True)(export_log)
app.command("report", no_args_is_help=True)(report_log)
