"""`lstm-probe diff`: what changed between two models, checkpoints, or steps of a log."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lstm_probe.cli.failing import CHECK_FAILED, one_line_errors
from lstm_probe.cli.options import (
    AsJson,
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
    check_probe,
    probe_for,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lstm_probe.analysis.change.compare import GateChange, Look

__all__ = ["diff"]

_SIDE = "A model or checkpoint, as `inspect` takes it; or a log with a step: LOGDIR@600."


def diff(
    before: Annotated[str, typer.Argument(help=_SIDE, metavar="A", show_default=False)],
    after: Annotated[str, typer.Argument(help="The same.", metavar="B", show_default=False)],
    probe: ProbeFile = None,
    random: RandomShape = None,
    seed: Seed = 0,
    config: Config = None,
    layer: Layers = None,
    trusted: Trusted = False,
    max_memory: MaxMemory = None,
    timeout: Timeout = None,
    run: RunName = None,
    tolerance: Annotated[
        float,
        typer.Option(help="How large a difference --check lets pass.", min=0, metavar="NUMBER"),
    ] = 0.0,
    check: Annotated[
        bool, typer.Option("--check", help="Exit with 1 if a gate differs by more.")
    ] = False,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Which gates, units and timesteps changed between two states of a model.

    Examples:

    - `lstm-probe diff epoch-1.keras epoch-9.keras --probe x_test.npy`

    - `lstm-probe diff logs/run1@0 logs/run1@600`

    - `lstm-probe diff model.keras model.onnx --random 1,50,3 --check --tolerance 1e-5`
    """
    with one_line_errors(debug):
        from lstm_probe.analysis.change.compare import compare_looks

        def look(side: str) -> dict[str, Look]:
            path, step = _log_and_step(side)
            if path is not None:
                return _look_at_log(path, step, run, layer)
            check_probe(probe, random)
            limits = (max_memory, timeout)
            return _look_at_model(Path(side), probe, random, seed, config, layer, trusted, limits)

        changes = compare_looks(*_equally_exact(look(before), look(after)))
        if as_json:
            from lstm_probe.logs.stored.format import plain

            typer.echo(json.dumps(plain([vars(change) for change in changes]), indent=2))
        else:
            _print(changes)
        if check and any(not change.largest <= tolerance for change in changes):
            raise typer.Exit(CHECK_FAILED)


def _log_and_step(side: str) -> tuple[Path | None, int | None]:
    """The log directory and step that `LOGDIR@600` stands for; None for a model."""
    name, at, step = side.rpartition("@")
    if at and Path(name).is_dir() and step.isdigit():
        return Path(name), int(step)
    path = Path(side)
    if not path.is_dir():
        return None, None
    from lstm_probe.logs.events.event_file import event_files

    return (path if event_files(path, below=True) else None), None


def _look_at_log(
    path: Path, step: int | None, run: str | None, layers: Sequence[str] | None
) -> dict[str, Look]:
    from lstm_probe.analysis.change.compare import Look
    from lstm_probe.cli.logs import one_run
    from lstm_probe.logs.export import series_of

    looks = {}
    for series in series_of(one_run(path, run), layers=layers):
        capture = series.read(series.steps[-1] if step is None else step)
        labels = capture.labels
        looks[series.layer] = Look(capture.gates, units=labels["unit"], timesteps=labels["time"])
    return looks


def _equally_exact(
    before: dict[str, Look], after: dict[str, Look]
) -> tuple[dict[str, Look], dict[str, Look]]:
    """Both sides in float64. Where one log has a gate in float32 and the other in float16, both are
    taken in float16: what one of them has lost when it was stored is no change."""
    from dataclasses import replace

    import numpy as np

    from lstm_probe.logs.stored.precision import as_half

    def taken(side: dict[str, Look], other: dict[str, Look], layer: str) -> Look:
        gates = {}
        for letter, array in side[layer].gates.items():
            theirs = other[layer].gates.get(letter) if layer in other else None
            mixed = theirs is not None and {array.dtype, theirs.dtype} == stored
            gates[letter] = (as_half(array) if mixed else array).astype(np.float64)
        return replace(side[layer], gates=gates)

    stored = {np.dtype(np.float16), np.dtype(np.float32)}
    return (
        {layer: taken(before, after, layer) for layer in before},
        {layer: taken(after, before, layer) for layer in after},
    )


def _look_at_model(
    path: Path,
    probe: Path | None,
    random: str | None,
    seed: int,
    config: Path | None,
    layers: Sequence[str] | None,
    trusted: bool,
    limits: tuple[float | None, float | None],
) -> dict[str, Look]:
    from lstm_probe.analysis.change.compare import Look
    from lstm_probe.models import open_model

    memory, timeout = limits
    opened = open_model(
        path, config=config, layers=layers, trusted=trusted, max_memory=memory, timeout=timeout
    )
    analyses = opened.analyses(probe_for(opened, probe, random, seed))
    return {
        name: Look(analysis.trace.arrays, dict(analysis.snapshot.weights.named()))
        for name, analysis in analyses.items()
    }


def _print(changes: Sequence[GateChange]) -> None:
    import math

    from rich.text import Text

    from lstm_probe.cli.tables import console, number, table
    from lstm_probe.core.trace import title

    weighed = not all(math.isnan(change.weights) for change in changes)
    made = table(
        "layer", "gate", "change", "largest", "at", "units", "timesteps",
        *(["weights"] if weighed else []), folded=("layer", "gate", "at", "units", "timesteps"),
        caption="change: root mean square; t: timestep; units and timesteps that changed most",
    )  # fmt: skip
    for change in sorted(changes, key=lambda each: -each.rms):
        place = f"t {change.timestep}, unit {change.unit}"
        weights = "" if math.isnan(change.weights) else f"{100 * change.weights:.3g} %"
        made.add_row(
            Text(change.layer),
            title(change.gate),
            number(change.rms),
            number(change.largest),
            place if change.largest else "",
            ", ".join(map(str, change.units)),
            ", ".join(map(str, change.timesteps)),
            *([weights] if weighed else []),
        )
    out = console()
    out.print(made)
    if not any(change.largest for change in changes):
        out.print("nothing changed", style="green")
