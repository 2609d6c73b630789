"""The phrases in which an analysis is told: of its cell, its probe and its verdict."""

from __future__ import annotations

from typing import Any

from lstm_probe.analysis.words.summary import LayerSummary
from lstm_probe.cells import Cell

__all__ = [
    "NOT_COMPARED",
    "NOT_RECOMPUTED",
    "ONLY_H",
    "cell_phrase",
    "probe_phrase",
    "verdict_phrase",
    "without_parity",
]

#: There is no parity error because the cell's recurrence is not known.
NOT_RECOMPUTED = "not recomputed"
#: There is no parity error because there was no output of a framework, or it was not judged.
NOT_COMPARED = "not compared"
#: What is left to see of a layer that was not recomputed.
ONLY_H = "only h is shown"


def without_parity(cell: Cell[Any] | None) -> str:
    """Why a layer has no parity error.

    Args:
        cell: the layer's cell; None if its recurrence is not known.

    Example:
        >>> without_parity(None)
        'not recomputed'
    """
    return NOT_RECOMPUTED if cell is None else NOT_COMPARED


def verdict_phrase(summary: LayerSummary) -> str:
    """The verdict with its place, or that there is none."""
    return NOT_COMPARED if summary.verdict is None else str(summary.verdict)


def cell_phrase(cell: Cell[Any] | None) -> str:
    """The cell's name, its activations, and every other option that is not the default.

    Example:
        >>> from lstm_probe import LstmCell
        >>> cell_phrase(LstmCell(cell_clip=3.0))
        'lstm, activation tanh, recurrent_activation sigmoid, cell_clip 3.0'
    """
    if cell is None:
        return f"{NOT_RECOMPUTED}: its recurrence is not known, see lstm_probe.register_cell"
    options: dict[str, Any] = vars(cell)
    shown = [
        f"{name} {getattr(value, '__name__', value)}"
        for name, value in options.items()
        if (name.endswith("activation") and value) or value != getattr(type(cell), name, None)
    ]
    return ", ".join([cell.name, *shown])


def probe_phrase(summary: LayerSummary) -> str:
    """How many sequences the probe has, how long they are, and how much of them is masked."""
    batch, time, _ = summary.input_shape
    return f"{batch} sequence{'s' * (batch > 1)} of {time} timesteps, {summary.masked} masked"
