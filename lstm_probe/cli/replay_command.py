"""`lstm-probe replay`: the log of a training, made from its checkpoints."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lstm_probe.cli.failing import one_line_errors
from lstm_probe.cli.options import (
    Debug,
    Layers,
    MaxMemory,
    ProbeFile,
    RandomShape,
    Seed,
    Timeout,
    Trusted,
    check_probe,
    probe_for,
)
from lstm_probe.cli.outputs import new_runs_or_none

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from lstm_probe.analysis.analysis import Analysis
    from lstm_probe.logs import RunLog
    from lstm_probe.logs.report import Report

__all__ = ["replay_checkpoints"]


def replay_checkpoints(
    checkpoints: Annotated[
        list[Path],
        typer.Argument(
            help="Checkpoints of one training, in any order; a directory stands for all in it.",
            metavar="CHECKPOINTS...",
            show_default=False,
        ),
    ],
    log_dir: Annotated[
        Path, typer.Option("--output", "-o", help="Where the log goes.", metavar="LOGDIR")
    ],
    model: Annotated[
        Path | None,
        typer.Option(
            help="For weights alone: the model, as a .keras file or `model.to_json()`.",
            metavar="FILE",
        ),
    ] = None,
    probe: ProbeFile = None,
    random: RandomShape = None,
    seed: Seed = 0,
    layer: Layers = None,
    trusted: Trusted = False,
    max_memory: MaxMemory = None,
    timeout: Timeout = None,
    detail: Annotated[
        str, typer.Option(help="scalars, gates, or full (with the weights).")
    ] = "gates",
    debug: Debug = False,
) -> None:
    """Write the log that the callback would have written, from the checkpoints of a training.

    Steps are those of the optimizer, where the files hold it, else the last number of each name.

    Examples:

    - `lstm-probe replay checkpoints/ --probe x_test.npy -o logs/replayed`

    - `lstm-probe replay weights-*.weights.h5 --model model.keras --random 1,50,3 -o logs/replayed`

    - then `tensorboard --logdir logs`, or `lstm-probe report logs/replayed -o report.html`
    """
    with one_line_errors(debug):
        from rich.progress import Progress

        from lstm_probe.cli.tables import error_console
        from lstm_probe.logs import RunLog
        from lstm_probe.models import open_model
        from lstm_probe.models.files.steps import find_checkpoints, in_order

        check_probe(probe, random)
        ordered = in_order(find_checkpoints(checkpoints))
        given: dict[str, Any] = {}

        def read(step: int, path: Path) -> list[Analysis]:
            opened = open_model(
                path,
                config=model,
                layers=layer,
                trusted=trusted,
                max_memory=max_memory,
                timeout=timeout,
            )
            opened.step = step
            if "probe" not in given:  # every checkpoint gets the same, as in a training
                given["probe"] = probe_for(opened, probe, random, seed)
            return list(opened.analyses(given["probe"]).values())

        read(*ordered[0])  # a file that cannot be read is refused before there is a log
        with (
            Progress(console=error_console(), transient=True) as progress,
            new_runs_or_none(log_dir),
            RunLog(log_dir, first_step=ordered[0][0], detail=detail) as log,  # type: ignore[arg-type]
        ):
            report = _write(log, progress.track(ordered, description="replaying"), read)
        report.directory = log.directory
        typer.echo(f"{report}\nwritten: {log.directory}")


def _write(
    log: RunLog,
    ordered: Iterable[tuple[int, Path]],
    read: Callable[[int, Path], Sequence[Analysis]],
) -> Report:
    from lstm_probe.analysis.alerts.board import AlertBoard
    from lstm_probe.logs.report import Report

    board, report = AlertBoard(), Report()
    for step, path in ordered:
        began = time.perf_counter()
        analyses = read(step, path)
        alerts = board.update(analyses)
        others = [*board.noted, *board.cleared]
        log.write(analyses, step=step, dynamics=board.dynamics, alerts=alerts, others=others)
        # No training was slowed down, so no cost is logged.
        report.add(analyses, 1e3 * (time.perf_counter() - began), log.answers)
    return report
