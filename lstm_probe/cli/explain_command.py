"""`lstm-probe explain`: what the recurrent layers of a saved model compute."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from lstm_probe.cli.failing import one_line_errors
from lstm_probe.cli.logs import is_log
from lstm_probe.cli.options import (
    AsJson,
    CellOptions,
    Config,
    Debug,
    Layers,
    MaxMemory,
    ProbeFile,
    RandomShape,
    RunName,
    Seed,
    Timeout,
    Trusted,
    WeightsOnly,
    cell_options,
    check_probe,
    probe_for,
)
from lstm_probe.core.errors import LstmProbeError

if TYPE_CHECKING:
    from lstm_probe.models.explaining import Explanations

__all__ = ["explain_model"]


def explain_model(
    model: Annotated[
        Path,
        typer.Argument(
            help="A saved model, as `lstm-probe inspect` takes it; or the log_dir of a training, "
            "whose gates are compared with --labels.",
            metavar="MODEL",
            show_default=False,
        ),
    ],
    probe: ProbeFile = None,
    random: RandomShape = None,
    seed: Seed = 0,
    labels: Annotated[
        Path | None,
        typer.Option(
            help="Series to look for in the units: an .npz with an array (batch, time) or (batch,) "
            "by name, or one array in an .npy or a .csv, which has a row for each sequence.",
            metavar="FILE",
        ),
    ] = None,
    target: Annotated[
        Path | None,
        typer.Option(
            help="What each sequence should give: an .npy, or a .csv with a row for each sequence.",
            metavar="FILE",
        ),
    ] = None,
    analysis: Annotated[
        list[str] | None,
        typer.Option(
            "--analysis",
            "-a",
            help="Only this one: ablation, tracking, attribution, need, stability or geometry; "
            "may be given several times.",
            metavar="NAME",
        ),
    ] = None,
    run: RunName = None,
    config: Config = None,
    layer: Layers = None,
    cell: CellOptions = None,
    weights_only: WeightsOnly = False,
    trusted: Trusted = False,
    max_memory: MaxMemory = None,
    timeout: Timeout = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Say what a saved model computes: which unit matters, what it follows, where it comes from,
    how much memory the target needs, and how the state moves.

    Give a probe of several sequences: with 7 or more, what a unit follows can be told from chance.

    Examples:

    - `lstm-probe explain model.keras --probe x_test.npy`

    - `lstm-probe explain weights.pt --probe x.npy --labels depth.npz --json`

    - `lstm-probe explain logs/run1 --labels depth.npz`
    """
    with one_line_errors(debug):
        from lstm_probe.analysis.explained import check_names
        from lstm_probe.models import open_model
        from lstm_probe.models.explaining import explain_opened

        names = check_names(analysis)
        series, wanted = _labels(labels), _target(target)
        if is_log(model):
            given = {"--probe": probe, "--random": random, "--target": target, "--config": config,
                     "--cell": cell, "--trusted": trusted, "--weights-only": weights_only,
                     "--max-memory": max_memory, "--timeout": timeout}  # fmt: skip
            _check_of_no_use(given, model, "a log, whose gates are compared with --labels")
            _explain_log(model, run, series, layer, names, as_json=as_json)
            return
        _check_of_no_use({"--run": run}, model, "a model; runs are those of a log")
        check_probe(probe, random)
        opened = open_model(
            model,
            config=config,
            layers=layer,
            cell=cell_options(cell),
            trusted=trusted,
            weights_only=weights_only,
            max_memory=max_memory,
            timeout=timeout,
        )
        made = probe_for(opened, probe, random, seed)
        with _progress(len(names)) as advance:
            found = explain_opened(
                opened, made, labels=series, target=wanted, analyses=names, progress=advance
            )
        about = _About(model, opened.kind, opened.step, opened.notes)
        (_print_json if as_json else _print_text)(about, found)


def _check_of_no_use(given: Mapping[str, Any], path: Path, what: str) -> None:
    """Refuse options that say nothing about what is explained."""
    of_no_use = [name for name, value in given.items() if value]
    if of_no_use:
        raise LstmProbeError(
            f"An option is of no use here. Received: {', '.join(of_no_use)} for {path}, {what}. "
            "Expected: no such option."
        )


class _About(NamedTuple):
    path: Path
    kind: str
    step: int
    notes: Sequence[str]


def _explain_log(
    log_dir: Path,
    run: str | None,
    labels: Mapping[str, Any] | None,
    layers: list[str] | None,
    names: Sequence[str],
    *,
    as_json: bool,
) -> None:
    from lstm_probe.cli.logs import one_run
    from lstm_probe.logs.explained import explain_run

    chosen = one_run(log_dir, run)
    with _progress(1) as advance:
        found = explain_run(chosen, labels=labels, layers=layers, analyses=names, progress=advance)
    about = _About(log_dir, "a log", chosen.last_step or 0, ())
    (_print_json if as_json else _print_text)(about, found)


def _labels(path: Path | None) -> Mapping[str, Any] | None:
    """The series of a file by name; a file with one array gives it its own name."""
    from lstm_probe.models.files.probes import read_series

    return None if path is None else read_series(path, "file of labels")


def _target(path: Path | None) -> Any:
    from lstm_probe.models.files.probes import read_series

    found = {"": None} if path is None else read_series(path, "target")
    if len(found) > 1:
        raise LstmProbeError(
            f"One array is needed. Received: {path} with {', '.join(found)}. Expected: "
            "one array, in an .npy or .csv file."
        )
    return next(iter(found.values()))


@contextmanager
def _progress(total: int) -> Iterator[Callable[[str, str], None]]:
    """What shows on a terminal which analysis is being made."""
    from rich.progress import Progress

    from lstm_probe.cli.tables import error_console

    layers: set[str] = set()
    with Progress(console=error_console(), transient=True) as progress:
        task = progress.add_task("explaining", total=total)

        def advance(layer: str, name: str) -> None:
            layers.add(layer)  # how many there are is known when the last has come
            progress.update(
                task, advance=1, total=total * len(layers), description=f"{layer}: {name}"
            )

        yield advance


def _print_json(about: _About, found: Explanations) -> None:
    from lstm_probe.logs.stored.format import plain

    body = {
        "model": str(about.path),
        "kind": about.kind,
        "step": about.step,
        "notes": list(about.notes),
        "layers": {name: each.plain() for name, each in found.items()},
    }
    typer.echo(json.dumps(plain(body), indent=2))


def _print_text(about: _About, found: Explanations) -> None:
    from rich.text import Text

    from lstm_probe.cli.tables import console

    out = console()
    out.print(Text(f"{about.path}: {about.kind}, step {about.step}"))
    for each in found.values():
        out.print()
        out.print(Text(str(each)))
    for note in about.notes:
        out.print(Text(f"note: {note}", style="dim"))
