"""What the terminal shows of analyses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from lstm_probe.analysis.alerts.board import Alert
from lstm_probe.analysis.analysis import Analysis
from lstm_probe.core.trace import title

__all__ = [
    "VERDICT_STYLES",
    "alert_lines",
    "console",
    "error_console",
    "gate_table",
    "layer_table",
    "number",
    "table",
]

#: Where the output goes to a file or pipe, lines are as wide as this.
_WIDTH = 120
VERDICT_STYLES = {"match": "green", "reduced precision": "yellow", "mismatch": "bold red"}


def console() -> Console:
    """Where tables are printed: a terminal, or a pipe that has no width of its own."""
    plain = Console(highlight=False)
    return plain if plain.is_terminal else Console(highlight=False, width=_WIDTH)


def error_console() -> Console:
    """Where progress is shown: beside the output, and only to someone who is looking."""
    console = Console(stderr=True)
    return console if console.is_terminal else Console(stderr=True, quiet=True)


def number(value: float) -> str:
    """A number in few digits.

    Example:
        >>> number(0.123456), number(1e-9), number(float("inf")), number(12345.6)
        ('0.123', '1e-09', 'inf', '1.23e+04')
    """
    return f"{value:.3g}"


def table(*headings: str, folded: Sequence[str], title: str = "", caption: str = "") -> Table:
    """An empty table whose numbers stay whole in 80 columns.

    Args:
        headings: of the columns.
        folded: those of the columns that are broken into lines where there is no room.
        title: stands above it.
        caption: stands below it.
    """
    made = Table(
        box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0),
        title=title or None, title_justify="left", title_style="bold",
        caption=caption or None, caption_justify="left",
    )  # fmt: skip
    for heading in headings:
        made.add_column(heading, no_wrap=heading not in folded, overflow="fold")
    return made


def layer_table(analyses: Mapping[str, Analysis]) -> Table:
    """A row for each layer."""
    made = table(
        "layer", "cell", "probe → gates", "parity error", "verdict", "horizon", "dead",
        folded=("layer", "cell", "verdict"),
    )  # fmt: skip
    for name, analysis in analyses.items():
        batch, time, features = analysis.snapshot.x.shape
        units = analysis.snapshot.output.shape[-1]
        parity, horizon = analysis.parity, analysis.health.horizon
        made.add_row(
            Text(name),
            analysis.snapshot.cell_name + (" (backward)" if analysis.snapshot.reverse else ""),
            f"{batch}x{time}x{features} → {batch}x{time}x{units}",
            "" if parity is None else number(parity.float64.max_abs),
            _verdict(analysis),
            "" if horizon is None or not horizon.size else number(float(np.max(horizon))),
            f"{int(analysis.health.dead.sum())} of {units}",
        )
    return made


def _verdict(analysis: Analysis) -> Text:
    if analysis.parity is None or analysis.parity.verdict is None:
        return Text("not compared", style="dim")
    verdict = analysis.parity.verdict
    return Text(str(verdict), style=VERDICT_STYLES[verdict.kind])


def gate_table(analyses: Mapping[str, Analysis]) -> Table:
    """A row for each array of each layer: what its values are over the whole probe."""
    made = table(
        "layer", "gate", "mean", "smallest", "largest", "shut", "open", "stuck",
        folded=("layer", "gate"), caption="shut: below 0.1; open: above 0.9; stuck: always either",
    )  # fmt: skip
    for name, analysis in analyses.items():
        for letter in analysis.trace.letters:
            values, gate = analysis.trace.valid(letter), analysis.health.gates.get(letter)
            parts = ["", "", ""]
            if gate is not None:
                parts = [
                    f"{100 * gate.low.mean():.0f} %",
                    f"{100 * gate.high.mean():.0f} %",
                    f"{int(gate.stuck.sum())} of {len(gate.stuck)}",
                ]
            extremes = [values.mean(), values.min(), values.max()] if values.size else [np.nan] * 3
            made.add_row(Text(name), title(letter), *map(number, extremes), *parts)
    return made


def alert_lines(alerts: Sequence[Alert]) -> list[Text]:
    """The alerts, or a line that says that there are none."""
    if not alerts:
        return [Text("no alerts", style="green")]
    return [Text(f"! {alert}", style="yellow") for alert in alerts]
