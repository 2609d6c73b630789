"""`lstm-probe watch`: the log of a running training as a live table."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lstm_probe.cli.failing import one_line_errors
from lstm_probe.cli.options import AsJson, Debug, LogDir

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import RenderableType

    from lstm_probe.logs.stored.reader import RunReader

__all__ = ["watch_log"]

_ALERTS_SHOWN = 5


def watch_log(
    log_dir: LogDir,
    interval: Annotated[
        float, typer.Option(help="Seconds between two looks.", min=0.1, max=3600, metavar="SECONDS")
    ] = 2.0,
    once: Annotated[bool, typer.Option("--once", help="Print the table once, and end.")] = False,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Show how the gates of a running training do: a row for each layer of each run.

    Ends with Ctrl-C. `--json` prints one look as JSON.

    Examples:

    - `lstm-probe watch logs`

    - `lstm-probe watch logs --once`
    """
    with one_line_errors(debug):
        from lstm_probe.cli.logs import all_runs

        if once or as_json:
            runs = all_runs(log_dir)
            _print_once(runs, as_json)
        else:
            _watch(log_dir, interval)


def _print_once(runs: Mapping[str, RunReader], as_json: bool) -> None:
    from lstm_probe.cli.tables import console

    if as_json:
        import json

        typer.echo(json.dumps({name: _latest(run) for name, run in runs.items()}, indent=2))
    else:
        console().print(_table(runs))


def _watch(log_dir: Path, interval: float) -> None:
    from rich.live import Live

    from lstm_probe.cli.tables import console
    from lstm_probe.core.errors import LstmProbeError
    from lstm_probe.logs.events.event_file import event_files
    from lstm_probe.logs.stored.reader import find_runs

    if not log_dir.is_dir():
        raise LstmProbeError(
            f"There is no such log directory. Received: {log_dir}. Expected: the log_dir of a "
            "training."
        )
    runs: dict[str, RunReader] = {}
    with Live(console=console(), auto_refresh=False) as live:
        try:
            while True:
                for run in runs.values():
                    run.refresh()
                if len(runs) < len({path.parent for path in event_files(log_dir, below=True)}):
                    runs = {**find_runs(log_dir), **runs}
                live.update(_table(runs), refresh=True)
                time.sleep(interval)
        except KeyboardInterrupt:
            pass


def _latest(run: RunReader) -> dict[str, Any]:
    """The latest capture of a run, all alerts so far, and the median cost of a capture."""
    course = run.course
    costs = list(run.scalar("cost/capture_ms").values())
    return {
        "captures": len(course),
        "step": course[-1].step if course else None,
        "epoch": course[-1].epoch if course else None,
        "layers": course[-1].layers if course else {},
        "alerts": [alert for point in course for alert in point.alerts],
        "capture_ms": sorted(costs)[len(costs) // 2] if costs else None,
    }


def _table(runs: Mapping[str, RunReader]) -> RenderableType:
    from rich.console import Group
    from rich.markup import escape
    from rich.text import Text

    from lstm_probe.cli.tables import table

    parts: list[RenderableType] = []
    for name, run in runs.items():
        latest = _latest(run)
        made = table(
            "layer", "step", "parity", "error", "saturated", "horizon", "dead", "alerts", "cost",
            folded=("layer", "parity"), title=escape(name),
        )  # fmt: skip
        for layer, found in latest["layers"].items():
            alerts = [alert for alert in latest["alerts"] if alert["layer"] == layer]
            made.add_row(Text(layer), *_cells(latest, found, len(alerts)))
        notes = [Text(f"! {a['text']}", style="yellow") for a in latest["alerts"][-_ALERTS_SHOWN:]]
        parts += [made, *notes, ""]
    return Group(*(parts or ["nothing yet"]))


def _cells(latest: Mapping[str, Any], found: Mapping[str, Any], alerts: int) -> list[Any]:
    from rich.text import Text

    from lstm_probe.cli.tables import VERDICT_STYLES, number

    verdict = found.get("verdict")
    saturated = {k: float(part) for k, part in (found.get("saturated") or {}).items()}
    worst = max(saturated, key=lambda k: saturated[k], default=None)
    horizon, cost = found.get("longest_horizon"), latest["capture_ms"]
    return [
        f"{latest['step']}",
        Text(verdict or "not compared", style=VERDICT_STYLES.get(verdict or "", "dim")),
        "" if found.get("max_abs") is None else number(float(found["max_abs"])),
        "" if worst is None else f"{worst} {100 * saturated[worst]:.0f} %",
        "" if horizon is None else number(float(horizon)),
        f"{100 * float(found.get('dead_units') or 0):.0f} %",
        Text(str(alerts), style="yellow" if alerts else "green"),
        "" if cost is None else f"{cost:.1f} ms",
    ]
