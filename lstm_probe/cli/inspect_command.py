"""`lstm-probe inspect`: the gates of a saved model."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from lstm_probe.cli.failing import CHECK_FAILED, one_line_errors
from lstm_probe.cli.options import (
    AsJson,
    CellOptions,
    Config,
    Debug,
    Layers,
    MaxMemory,
    ProbeFile,
    RandomShape,
    Seed,
    Timeout,
    Trusted,
    WeightsOnly,
    cell_options,
    check_probe,
    probe_for,
)
from lstm_probe.cli.outputs import check_ending, new_runs_or_none, whole_file

if TYPE_CHECKING:
    from lstm_probe.analysis.alerts.board import Alert
    from lstm_probe.analysis.analysis import Analysis
    from lstm_probe.analysis.words.answers import Answer
    from lstm_probe.analysis.words.summary import LayerSummary
    from lstm_probe.analysis.words.values import ValueSummary
    from lstm_probe.models import Opened
    from lstm_probe.models.described import Contents

__all__ = ["inspect_model"]

_PLOTS = (".png", ".svg", ".pdf")


class _Findings(NamedTuple):
    model: Path
    opened: Opened
    analyses: Mapping[str, Analysis]
    alerts: Sequence[Alert]
    written: Sequence[Path]

    def summaries(self, *, thorough: bool = False) -> dict[str, LayerSummary]:
        """The summary of each layer; `thorough` as in `Analysis.summary`."""
        return {name: each.summary(thorough=thorough) for name, each in self.analyses.items()}

    def answers(self) -> dict[str, list[Answer]]:
        """What the gates of each layer say."""
        return {name: each.answers() for name, each in self.analyses.items()}

    def values(self) -> dict[str, dict[str, ValueSummary]]:
        """For each layer what the values of each array are, by letter."""
        from lstm_probe.analysis.words.values import summarise_values

        return {name: summarise_values(each.trace) for name, each in self.analyses.items()}


def inspect_model(
    model: Annotated[
        Path,
        typer.Argument(
            help=".keras, .h5, .weights.h5 (best with --config), a SavedModel, a TensorFlow or TF1 "
            "checkpoint, .onnx, a torch state dictionary (.pt, .safetensors), or .npz.",
            metavar="MODEL",
            show_default=False,
        ),
    ],
    probe: ProbeFile = None,
    random: RandomShape = None,
    seed: Seed = 0,
    config: Config = None,
    layer: Layers = None,
    cell: CellOptions = None,
    weights_only: WeightsOnly = False,
    trusted: Trusted = False,
    max_memory: MaxMemory = None,
    timeout: Timeout = None,
    log_dir: Annotated[
        Path | None, typer.Option(help="Log it, so that TensorBoard shows it.", metavar="DIR")
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(
            help="Draw all gates to a .png, .svg or .pdf; of several layers a file each (a .pdf "
            "has a page each).",
            metavar="FILE",
        ),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Exit with 1 on a parity mismatch or an alert.")
    ] = False,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Recompute every gate of a saved model for a probe, and compare with the model's own output.

    Without a probe, it lists the recurrent layers, their shapes, and what a probe must be like.

    A file of Keras is loaded if it names nothing but what Keras computes with; no code in it is
    run, unless you say `--trusted`. Where the file's own framework is installed it computes the
    probe too, and the table says how far NumPy is from it; weights alone are *not compared*.

    Examples:

    - `lstm-probe inspect model.keras`

    - `lstm-probe inspect model.keras --probe x_test.npy`

    - `lstm-probe inspect model.keras --random 1,50,3 --check`

    - `lstm-probe inspect weights.pt --random 1,50,3 --plot gates.png`

    - `lstm-probe inspect model.ckpt-600 --probe digits.npy --cell forget_bias=1`

    - `lstm-probe inspect model.keras --probe x.npy --log-dir logs/after`
    """
    with one_line_errors(debug):
        from lstm_probe.analysis.alerts.board import AlertBoard
        from lstm_probe.models import open_model

        lists = probe is None and random is None and log_dir is None and plot is None and not check
        if not lists:
            check_probe(probe, random)
        if plot is not None:
            check_ending(plot, _PLOTS)
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
        if lists:
            contents = opened.contents()
            _print_contents(model, opened, contents, as_json=as_json)
            return
        analyses = opened.analyses(probe_for(opened, probe, random, seed))
        board = AlertBoard()
        board.update(list(analyses.values()))
        alerts = [*board.standing, *board.noted]  # one look cannot tell what will pass
        written = [] if log_dir is None else [_log(log_dir, analyses, alerts, opened.step)]
        if plot is not None:
            written += _plot(plot, analyses)
        (_print_json if as_json else _print_tables)(
            _Findings(model, opened, analyses, alerts, written)
        )
        if check and (alerts or any(_mismatches(each.summary()) for each in analyses.values())):
            raise typer.Exit(CHECK_FAILED)


def _print_contents(model: Path, opened: Opened, contents: Contents, *, as_json: bool) -> None:
    from rich.text import Text

    from lstm_probe.cli.tables import console, contents_table
    from lstm_probe.logs.stored.format import plain

    if as_json:
        body = {
            "model": str(model),
            "kind": opened.kind,
            "step": opened.step,
            "notes": opened.notes,
            "layers": {each.name: vars(each) for each in contents.layers},
            "probe": list(contents.probe),
        }
        typer.echo(json.dumps(plain(body), indent=2))
        return
    out = console()
    out.print(Text(f"{model}: {opened.kind}, step {opened.step}"))
    out.print(contents_table(contents), "")
    for line in contents.probe:
        out.print(Text(f"probe: {line}"))
    for note in opened.notes:
        out.print(Text(f"note: {note}", style="dim"))


def _mismatches(summary: LayerSummary) -> bool:
    return summary.parity is not None and summary.parity.mismatch


def _log(
    log_dir: Path, analyses: Mapping[str, Analysis], alerts: Sequence[Alert], step: int
) -> Path:
    from lstm_probe.logs import RunLog

    with new_runs_or_none(log_dir), RunLog(log_dir, first_step=step, detail="full") as log:
        log.write(list(analyses.values()), step=step, others=alerts)
        return log.directory


def _plot(target: Path, analyses: Mapping[str, Analysis]) -> list[Path]:
    kind = target.suffix[1:].lower()
    if kind == "pdf":
        from matplotlib.backends.backend_pdf import PdfPages

        with whole_file(target) as path, PdfPages(path) as pages:
            for analysis in analyses.values():
                pages.savefig(analysis.trace.plot())
        return [target]
    written = []
    for name, analysis in analyses.items():
        end = "" if len(analyses) == 1 else "." + "".join(c if c.isalnum() else "_" for c in name)
        place = target.with_name(f"{target.stem}{end}{target.suffix}")
        with whole_file(place) as path:
            analysis.trace.plot().savefig(path, format=kind)
        written.append(place)
    return written


def _print_json(found: _Findings) -> None:
    from lstm_probe.cli.described import described
    from lstm_probe.logs.stored.format import plain

    body = {
        "model": str(found.model),
        "kind": found.opened.kind,
        "step": found.opened.step,
        "notes": found.opened.notes,
        **described(found.summaries(thorough=True), found.values(), found.alerts, found.answers()),
        "written": [str(path) for path in found.written],
    }
    typer.echo(json.dumps(plain(body), indent=2))


def _print_tables(found: _Findings) -> None:
    from rich.text import Text

    from lstm_probe.cli.tables import alert_lines, answer_lines, console, gate_table, layer_table

    out = console()
    out.print(Text(f"{found.model}: {found.opened.kind}, step {found.opened.step}"))
    for line in answer_lines(found.answers()):
        out.print(line)
    summaries = found.summaries()
    out.print(layer_table(summaries), "", gate_table(summaries, found.values()), "")
    for line in alert_lines(found.alerts):
        out.print(line)
    for note in found.opened.notes:
        out.print(Text(f"note: {note}", style="dim"))
    for path in found.written:
        out.print(Text(f"written: {path}"))
