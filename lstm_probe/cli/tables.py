"""The tables of analyses that the terminal shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from lstm_probe.analysis.alerts.board import Alert
from lstm_probe.analysis.words.answers import Answer
from lstm_probe.analysis.words.phrases import verdict_phrase
from lstm_probe.analysis.words.summary import GateSummary, LayerSummary
from lstm_probe.analysis.words.values import ValueSummary
from lstm_probe.core.trace import title
from lstm_probe.models.described import Contents

__all__ = [
    "VERDICT_STYLES",
    "alert_lines",
    "answer_lines",
    "console",
    "contents_table",
    "error_console",
    "gate_table",
    "layer_table",
    "number",
    "table",
]

#: How wide lines are if the output goes to a file or a pipe.
_WIDTH = 120
VERDICT_STYLES = {"match": "green", "reduced precision": "yellow", "mismatch": "bold red"}


def console() -> Console:
    """The console for tables. A pipe has no width of its own, so it gets one."""
    plain = Console(highlight=False)
    return plain if plain.is_terminal else Console(highlight=False, width=_WIDTH)


def error_console() -> Console:
    """The console for progress: the standard error, and only if that is a terminal."""
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
    """Make an empty table that breaks no number across lines, even in 80 columns.

    Args:
        headings: of the columns.
        folded: the headings of columns whose text may be broken across lines.
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


def layer_table(summaries: Mapping[str, LayerSummary]) -> Table:
    """A row for each layer.

    Args:
        summaries: by the name that the table shows.
    """
    made = table(
        "layer", "cell", "probe → gates", "parity error", "verdict", "horizon", "dead",
        folded=("layer", "cell", "verdict"),
    )  # fmt: skip
    for name, summary in summaries.items():
        horizon = summary.longest_horizon
        made.add_row(
            Text(name),
            summary.cell_name + _direction(summary),
            f"{_sizes(summary.input_shape)} → {_sizes(summary.output_shape)}",
            "" if summary.parity is None else number(summary.parity.max_abs),
            _verdict(summary),
            "" if horizon is None else number(horizon),
            f"{len(summary.dead)} of {summary.dead_of}",
        )
    return made


def contents_table(contents: Contents) -> Table:
    """A row for each recurrent layer of a model for which there is no probe.

    Args:
        contents: of the model.
    """
    with_sources = any(each.reads for each in contents.layers)
    headings = ["layer", "cell", "features", "units", "arrays", *["reads"] * with_sources]
    made = table(*headings, folded=("layer", "cell", "arrays", "reads"))
    for each in contents.layers:
        arrays = ", ".join(f"{name} {_sizes(shape)}" for name, shape in each.shapes.items())
        sizes = ["" if size is None else str(size) for size in (each.features, each.units)]
        made.add_row(
            Text(each.name),
            each.cell + (" (backward)" if each.reverse else ""),
            *sizes,
            Text(arrays),
            *[Text(each.reads)] * with_sources,
        )
    return made


def _direction(summary: LayerSummary) -> str:
    """Which way a layer reads, if that is not the usual one, and whether anything was guessed."""
    words = ["backward"] * summary.reverse + ["guessed"] * bool(summary.guessed)
    return f" ({', '.join(words)})" if words else ""


def _sizes(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape))


def _verdict(summary: LayerSummary) -> Text:
    style = "dim" if summary.verdict is None else VERDICT_STYLES[summary.verdict.kind]
    return Text(verdict_phrase(summary), style=style)


def gate_table(
    summaries: Mapping[str, LayerSummary], values: Mapping[str, Mapping[str, ValueSummary]]
) -> Table:
    """A row for each array of each layer.

    Args:
        summaries: by the name that the table shows.
        values: by the same name, those of each array by its letter.
    """
    made = table(
        "layer", "gate", "mean", "smallest", "largest", "shut", "open", "stuck",
        folded=("layer", "gate"), caption="shut: below 0.1; open: above 0.9; stuck: always either",
    )  # fmt: skip
    for name, summary in summaries.items():
        for letter, each in values[name].items():
            figures = map(number, (each.mean, each.smallest, each.largest))
            made.add_row(Text(name), title(letter), *figures, *_gate(summary.gates.get(letter)))
    return made


def _gate(gate: GateSummary | None) -> tuple[str, str, str]:
    """How often a gate is shut and open, and how many units are stuck; empty for other arrays."""
    if gate is None:
        return "", "", ""
    return (
        f"{100 * gate.shut:.0f} %",
        f"{100 * gate.open:.0f} %",
        f"{gate.stuck} of {gate.units}",
    )


def answer_lines(answers: Mapping[str, Sequence[Answer]]) -> list[Text]:
    """What the gates of each layer say, each layer under its name, with empty lines between.

    Args:
        answers: by the name that is shown.
    """
    lines = []
    for name, said in answers.items():
        if said:
            lines += [Text(f"{name}:", style="bold"), *(Text(f"  {each}") for each in said), Text()]
    return lines


def alert_lines(alerts: Sequence[Alert]) -> list[Text]:
    """A line for each alert, or one line that says that there are none."""
    if not alerts:
        return [Text("no alerts", style="green")]
    return [Text(f"! {alert}", style="yellow") for alert in alerts]
