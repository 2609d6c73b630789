"""The text that opens a log: which layers were probed, with what, under which versions."""

from __future__ import annotations

import platform
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from lstm_probe import __version__
from lstm_probe.analysis.analysis import Analysis
from lstm_probe.cells import Cell

__all__ = ["overview"]

_FRAMEWORKS = ("tensorflow", "keras", "tf_keras", "jax", "torch", "tensorboard")


def overview(analyses: Sequence[Analysis]) -> str:
    """A Markdown text with a table: a column for each layer, a row for each property.

    Example:
        >>> overview([]).splitlines()[0]
        '### Probed layers'
    """
    columns = [_properties(analysis) for analysis in analyses]
    names = list(columns[0]) if columns else []
    rows = [[name, *(column[name] for column in columns)] for name in names]
    rows.insert(1, ["---"] * (len(columns) + 1))
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    return f"### Probed layers\n\n{table}\n\n### Versions\n\n{_versions()}\n"


def _properties(analysis: Analysis) -> dict[str, str]:
    snapshot = analysis.snapshot
    batch, time, inputs = snapshot.x.shape
    masked = 0 if snapshot.mask is None else int((~snapshot.mask).sum())
    return {
        "layer": f"`{snapshot.layer}`",
        "cell": _describe(snapshot.cell),
        "units": str(snapshot.output.shape[-1]),
        "inputs": str(inputs),
        "dtype": snapshot.dtype,
        "direction": "backward" if snapshot.reverse else "forward",
        "probe": f"{batch} sequence{'s' * (batch > 1)} of {time} timesteps, {masked} masked",
        "initial state": "zeros" if snapshot.initial_state is None else "given",
    }


def _describe(cell: Cell[Any] | None) -> str:
    """The cell's name, its activations, and what else differs from the defaults."""
    if cell is None:
        return "not recomputed: its recurrence is not known, see lstm_probe.register_cell"
    options: dict[str, Any] = vars(cell)
    shown = [
        f"{name} {_name(value)}"
        for name, value in options.items()
        if name.endswith("activation") or value != getattr(type(cell), name, None)
    ]
    return ", ".join([cell.name, *shown])


def _name(value: Any) -> str:
    return str(getattr(value, "__name__", value))


def _versions() -> str:
    # Only what the user has loaded is named; nothing is imported for it.
    loaded = {name: sys.modules.get(name) for name in _FRAMEWORKS}
    versions = {
        "lstm_probe": __version__,
        "Python": platform.python_version(),
        "numpy": np.__version__,
        **{name: getattr(module, "__version__", "?") for name, module in loaded.items() if module},
    }
    return ", ".join(f"{name} {version}" for name, version in versions.items())
