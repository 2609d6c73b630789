"""One picture of a whole training: the gates of a layer at a few steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_probe.core.errors import LstmProbeError
from lstm_probe.logs.stored.format import Stored, evenly
from lstm_probe.logs.stored.labels import stored_labels
from lstm_probe.logs.stored.reader import RunReader

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw_contact_sheet"]

_COLUMN, _ROW = 2.3, 1.5
_STEPS = 6
_MOST_LABELS = 24


def draw_contact_sheet(run: RunReader, layer: str, *, steps: Sequence[int] | None = None) -> Figure:
    """Draw a grid: a row for each gate, a column for each of some steps, one colour scale a row.

    Args:
        run: as `find_runs` returns it.
        layer: the layer.
        steps: which steps; six of them, evenly spaced, by default.

    Returns:
        A matplotlib figure of the first sequence that belongs to no window.

    Raises:
        LstmProbeError: there is no such layer or step.
    """
    from matplotlib.figure import Figure

    from lstm_probe.pictures.figure import name_timesteps

    known = run.steps(layer)
    chosen = [known[k] for k in evenly(len(known), _STEPS)] if steps is None else list(steps)
    if not chosen:
        raise LstmProbeError(f"There is nothing to draw. Received: no steps of layer {layer!r}.")
    captures = [run.capture(layer, step) for step in chosen]
    letters = list(captures[-1].meta["letters"])
    figure = Figure(figsize=(1.6 + _COLUMN * len(chosen), 1.0 + _ROW * len(letters)))
    figure.suptitle(f"{layer}: {_verdict(captures[-1])}")
    words = _words(captures[-1])
    grid = _grid(figure, len(letters), len(chosen), below=0.055 * max(map(len, words), default=0))
    for row, letter in enumerate(letters):
        _draw_row(figure, list(grid[row]), captures, letter)
    for axes, capture in zip(grid[0], captures, strict=False):
        axes.set_title(f"step {capture.meta['step']}", fontsize=9)
    for axes, capture in zip(grid[-1, :-1], captures, strict=True):
        axes.set_xlabel("timestep", fontsize=8)
        axes.tick_params(labelbottom=True)
        if _words(capture):
            name_timesteps(axes, _words(capture), most=_MOST_LABELS, size=6)
    return figure


def _words(capture: Stored) -> list[str]:
    """The names of the first sequence's timesteps; none if they have no names."""
    from lstm_probe.pictures.ticks import drawn_labels

    rows = stored_labels(capture).rows
    return [] if rows is None else list(drawn_labels(rows[0]))


def _grid(figure: Figure, rows: int, columns: int, *, below: float) -> Any:
    """Axes for the heatmaps, and in the last column for the colour bars. Their places are reckoned
    here: matplotlib's own layout takes longer than the drawing. Names of timesteps need inches
    below the heatmaps."""
    width, height = figure.get_size_inches()
    figure.set_size_inches(width, height := height + below)
    grid: Any = figure.subplots(
        rows, columns + 1, squeeze=False,
        width_ratios=[*[1.0] * columns, 0.06],
        gridspec_kw={
            "left": 0.75 / width, "right": 1 - 0.45 / width, "wspace": 0.1,
            "bottom": (0.5 + below) / height, "top": 1 - 0.65 / height, "hspace": 0.12,
        },
    )  # fmt: skip
    for axes in grid[:, :-1].flat:
        axes.tick_params(labelsize=7, labelbottom=False, labelleft=False)
    return grid


def _verdict(capture: Stored) -> str:
    parity = capture.meta.get("parity")
    if not parity:
        return "not compared"
    verdict = (parity.get("verdict") or {}).get("text", "not judged")
    return f"parity error {float(parity['max_abs']):.2g}, {verdict}"


def _draw_row(figure: Figure, row: list[Axes], captures: list[Stored], letter: str) -> None:
    from lstm_probe.pictures.palette import colour_map
    from lstm_probe.pictures.scale import Scale

    interval = captures[-1].meta["ranges"].get(letter)
    scale = Scale(None if interval is None else (interval[0], interval[1]))
    image = None
    *heatmaps, beside = row
    for axes, capture in zip(heatmaps, captures, strict=True):
        values = capture.arrays[f"gates/{letter}"][0].astype(np.float64)
        finite = np.where(np.isfinite(values), values, np.nan)
        image = axes.imshow(
            finite.T, cmap=colour_map(), norm=scale.norm(), aspect="auto",
            interpolation="nearest",
        )  # fmt: skip
    heatmaps[0].set_ylabel(f"{capture.meta['titles'].get(letter, letter)}\nunit", fontsize=8)
    heatmaps[0].tick_params(labelleft=True)
    assert image is not None
    bar = figure.colorbar(image, cax=beside)
    bar.set_ticks(list(scale.ticks), labels=list(scale.tick_labels))
    bar.minorticks_off()
    bar.ax.tick_params(labelsize=7)
