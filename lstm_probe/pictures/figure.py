"""`plot_trace`: the gates of one sequence as a matplotlib figure, for paper and notebook."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import MaxNLocator

from lstm_probe.core.arrays import Array, BoolArray
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.core.trace import GateTrace, title
from lstm_probe.pictures.palette import HATCH, colour_map, hex_colour
from lstm_probe.pictures.scale import OUTSIDE, Scale
from lstm_probe.pictures.text import heading, notes
from lstm_probe.pictures.ticks import drawn_labels, drawn_name, every

__all__ = ["name_timesteps", "plot_trace"]

_ONE_SIZE: Final = (10.0, 4.2)
_CELL_SIZE: Final = (6.5, 3.0)
#: Timesteps and units up to which each cell has at least a pixel on the screen; beyond, neighbours
#: are averaged, where sharp edges would leave some cells out.
_MAX_CRISP: Final = (480, 190)
#: For how many names of timesteps one large heatmap has room, and one of several.
_MOST_LABELS: Final = (60, 36)
#: Names of up to so many characters are written level.
_LEVEL: Final = 3
_NOTE_SIZE: Final = 8.0
_NOTE_COLOUR: Final = "0.4"


class _NotebookFigure(Figure):
    """A figure that notebooks can show without pyplot: it has no window, and makes its own PNG."""

    def _repr_png_(self) -> bytes:
        file = BytesIO()
        self.savefig(file, format="png")
        return file.getvalue()


def plot_trace(trace: GateTrace, letters: Sequence[str], *, sequence: int = 0) -> Figure:
    """Draw heatmaps, units over timesteps, on the same colour scales as the logged pictures.

    Args:
        trace: arrays of `(batch, time, units)`.
        letters: which arrays; one gives one large heatmap, several a grid of two columns.
        sequence: which sequence of the batch.

    Returns:
        A figure that pyplot does not know of: it is freed with its last reference.

    Raises:
        LstmProbeError: no such letter or sequence, or arrays without timesteps or units.

    Example:
        >>> trace = GateTrace({"f": np.full((1, 5, 2), 0.5)}, {"f": (0.0, 1.0)}, layer="lstm")
        >>> plot_trace(trace, "f").axes[0].get_title()
        'lstm  ·  forget gate f'
    """
    _check(trace, letters, sequence)
    mask = None if trace.mask is None else np.asarray(trace.mask[sequence], np.bool_)
    if len(letters) == 1:
        figure = _new_figure(*_ONE_SIZE)
        axes = [figure.add_subplot()]
        titles = [heading(trace.layer, letters[0], trace.step) + _named(trace, sequence)]
    else:
        rows = -(-len(letters) // 2)
        figure = _new_figure(2 * _CELL_SIZE[0], rows * _CELL_SIZE[1])
        axes = [figure.add_subplot(rows, 2, place + 1) for place in range(len(letters))]
        titles = [title(letter) for letter in letters]
        figure.suptitle(heading(trace.layer, step=trace.step) + _named(trace, sequence))
    for axis, letter, text in zip(axes, letters, titles, strict=True):
        scale = Scale(trace.ranges.get(letter))
        values = trace[letter][sequence]
        image = _draw_heatmap(axis, values, scale=scale, mask=mask)
        bar = figure.colorbar(image, ax=axis, label=title(letter) + scale.note, pad=0.02)
        bar.set_ticks(list(scale.ticks), labels=list(scale.tick_labels))
        bar.minorticks_off()
        _draw_title(axis, text, notes(scale.positions(values), mask, scale))
        if trace.labels is not None:
            most = _MOST_LABELS[0 if len(letters) == 1 else 1]
            name_timesteps(axis, trace.labels[sequence], most=most)
    return figure


def name_timesteps(
    axes: Axes, labels: Sequence[str], *, most: int, size: float = _NOTE_SIZE
) -> None:
    """Write names instead of numbers at the timesteps of a heatmap.

    Args:
        axes: those of the heatmap.
        labels: a name for each timestep; nothing stands where it is empty.
        most: how many there is room for; of more, some are written at even distances.
        size: of the letters, in points.
    """
    words = drawn_labels(labels)
    named = [index for index in range(0, len(words), every(most, len(words))) if words[index]]
    long = max(map(len, words), default=0) > _LEVEL
    axes.set_xticks(
        named,
        [words[index] for index in named],
        rotation=90 if long else 0,
        fontsize=size,
        parse_math=False,
    )


def _named(trace: GateTrace, sequence: int) -> str:
    """The end of a title that names the sequence."""
    if trace.sequence_names is None:
        return ""
    name = drawn_name(trace.sequence_names[sequence]) or f"sequence {sequence}"
    return "  \N{MIDDLE DOT}  " + name.replace("$", r"\$")


def _new_figure(width: float, height: float) -> Figure:
    padding = ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.06)
    return _NotebookFigure(figsize=(width, height), layout=padding)


def _check(trace: GateTrace, letters: Sequence[str], sequence: int) -> None:
    if not letters:
        raise LstmProbeError(
            f"There is nothing to plot. Received: no letters. "
            f"Expected some of {', '.join(trace.letters)}."
        )
    batch = max(len(trace[letter]) for letter in letters)
    if not 0 <= sequence < batch:
        raise LstmProbeError(
            f"The trace has no such sequence. Received: {sequence}. "
            f"Expected: from 0 to {batch - 1}, the batch has {batch}."
        )
    if 0 in (trace.timesteps, trace.units):
        raise LstmProbeError(
            f"There is nothing to plot. Received: {trace.timesteps} timesteps of {trace.units} "
            "units. Expected: neither zero."
        )


def _draw_heatmap(axes: Axes, values: Array, *, scale: Scale, mask: BoolArray | None) -> AxesImage:
    timesteps, units = values.shape
    crisp = timesteps <= _MAX_CRISP[0] and units <= _MAX_CRISP[1]
    image = axes.imshow(
        _plottable(values, scale).T,
        cmap=colour_map(),
        norm=scale.norm(),
        aspect="auto",
        origin="upper",
        interpolation="nearest" if crisp else "antialiased",
        interpolation_stage="data",  # means of values, as in the pictures: of colours, purple
    )
    if mask is not None and not mask.all():
        _hatch(axes, mask, units=units)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(
            MaxNLocator("auto", integer=True, steps=[1, 2, 5, 10], min_n_ticks=1)
        )
    axes.set_xlabel("timestep")
    axes.set_ylabel("unit")
    axes.grid(False)
    return image


def _plottable(values: Array, scale: Scale) -> Array:
    """The values as matplotlib can draw them: infinity becomes NaN, and a value that only rounding
    led out of the interval is put back onto its end."""
    positions = scale.positions(values)
    plottable = np.where(np.isnan(positions), np.nan, values)
    if scale.interval is None:
        return plottable
    return np.where(positions == OUTSIDE, plottable, np.clip(plottable, *scale.interval))


def _hatch(axes: Axes, mask: BoolArray, *, units: int) -> None:
    edges = np.flatnonzero(np.diff(~mask, prepend=False, append=False)).reshape(-1, 2)
    axes.broken_barh(
        [(start - 0.5, end - start) for start, end in edges.tolist()],
        (-0.5, units),
        facecolor=hex_colour(HATCH[1]),
        edgecolor=hex_colour(HATCH[0]),
        hatch="////",
        linewidth=0,
    )
    axes.set(xlim=(-0.5, len(mask) - 0.5), ylim=(units - 0.5, -0.5))


def _draw_title(axes: Axes, text: str, note: str) -> None:
    axes.set_title(text, pad=18 if note else None)
    if note:
        axes.annotate(
            note,
            (0.5, 1),
            xytext=(0, 5),
            xycoords="axes fraction",
            textcoords="offset points",
            ha="center",
            fontsize=_NOTE_SIZE,
            color=_NOTE_COLOUR,
        )
