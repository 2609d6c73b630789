"""`Report`: what a probe has captured, for the end of a training."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from lstm_probe.analysis.analysis import Analysis
from lstm_probe.analysis.parity.verdict import KINDS
from lstm_probe.analysis.words.answers import Answer
from lstm_probe.analysis.words.phrases import NOT_COMPARED, NOT_RECOMPUTED, ONLY_H
from lstm_probe.core.views import view
from lstm_probe.logs.look import how_to_look

__all__ = ["LayerReport", "Report"]

# The median is that of the latest captures, so that a long training takes no more memory.
_COSTS_KEPT = 1000
# A layer begins without a verdict, and keeps the worst that it gets.
_FROM_BEST = ("", *KINDS)


@dataclass
class LayerReport:
    """What was captured of one layer.

    Attributes:
        cell: the cell's name.
        units: the number of units.
        captures: how many captures were logged.
        max_abs_error: the largest parity error of all captures.
        last_abs_error: the largest parity error of the latest capture.
        verdict: the worst of all captures: `match`, `reduced precision` or `mismatch`; empty if
            nothing was recomputed.
        guessed: sentences that say what was guessed, as of weights without their model.
        answers: what the gates say at the latest capture, in sentences.
    """

    cell: str
    units: int
    verdict: str = ""
    captures: int = 0
    max_abs_error: float = 0.0
    last_abs_error: float = 0.0
    guessed: tuple[str, ...] = ()
    answers: tuple[Answer, ...] = ()


@dataclass
class Report:
    """What a probe has captured; printed, it is a table.

    Attributes:
        layers: by name.
        captured: how many captures were logged.
        failed: how many were lost to an error; a warning told of each.
        skipped: how many were left out, to keep to the budget or because too many were waiting
            for the background thread.
        directory: where the log is.
        remarks: what the table does not tell of layers, by name: why one is not shown, or not as a
            whole.

    Example:
        >>> print(Report())
        no captures
    """

    layers: dict[str, LayerReport] = field(default_factory=dict)
    captured: int = 0
    failed: int = 0
    skipped: int = 0
    directory: Path | None = None
    remarks: dict[str, str] = field(default_factory=dict)
    _costs: deque[float] = field(default_factory=lambda: deque(maxlen=_COSTS_KEPT), repr=False)

    @property
    def due(self) -> int:
        """How many captures the schedule asked for."""
        return self.captured + self.failed + self.skipped

    @property
    def capture_ms(self) -> float:
        """The median cost of a capture, in milliseconds of the training thread."""
        return median(self._costs) if self._costs else 0.0

    def add(
        self,
        analyses: Iterable[Analysis],
        milliseconds: float,
        answers: Mapping[str, Sequence[Answer]] | None = None,
    ) -> None:
        """Count one capture that was logged.

        Args:
            analyses: of all layers.
            milliseconds: what the capture cost the training thread.
            answers: what the gates of each layer say, by its name, as `RunLog.answers` tells.
        """
        self.captured += 1
        self._costs.append(milliseconds)
        for analysis in analyses:
            summary = analysis.summary()
            layer = self.layers.setdefault(
                summary.layer, LayerReport(summary.cell_name, summary.units)
            )
            layer.captures += 1
            layer.guessed = summary.guessed
            layer.answers = tuple((answers or {}).get(summary.layer, ()))
            if summary.parity is not None:
                layer.last_abs_error = summary.parity.max_abs
                layer.max_abs_error = max(layer.max_abs_error, layer.last_abs_error)
                kind = "match" if summary.verdict is None else summary.verdict.kind
                layer.verdict = max(layer.verdict, kind, key=_FROM_BEST.index)

    def _repr_mimebundle_(self, **options: Any) -> Any:
        return view("_repr_mimebundle_")(self, **options)

    def __str__(self) -> str:
        if not self.layers:
            return "no captures"
        header = ("layer", "cell", "units", "captures", "parity error (last, largest)", "verdict")
        rows = [header, *(_row(name, layer) for name, layer in self.layers.items())]
        widths = [max(len(row[column]) for row in rows) for column in range(len(header))]
        lines = [
            "  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)) for row in rows
        ]
        lines.insert(1, "  ".join("-" * width for width in widths))
        lines.append(
            f"{self.captured} of {self.due} captures, {self.capture_ms:.1f} ms each (median)"
        )
        lines += [f"{name}: {text}" for name, each in self.layers.items() for text in each.guessed]
        lines += [f"{layer}: {remark}" for layer, remark in self.remarks.items()]
        for name, each in self.layers.items():
            if each.answers:
                lines += ["", f"{name}:", *(f"  {answer}" for answer in each.answers)]
        if self.directory is not None:
            lines += ["", *how_to_look(self.directory.parent)]
        return "\n".join(line.rstrip() for line in lines)


def _row(name: str, layer: LayerReport) -> tuple[str, ...]:
    if not layer.verdict:
        why = ONLY_H if layer.cell == NOT_RECOMPUTED else NOT_COMPARED
        return name, layer.cell, str(layer.units), str(layer.captures), "", why
    errors = f"{layer.last_abs_error:.1e}, {layer.max_abs_error:.1e}"
    verdict = layer.verdict.upper() if layer.verdict == "mismatch" else layer.verdict
    return name, layer.cell, str(layer.units), str(layer.captures), errors, verdict
