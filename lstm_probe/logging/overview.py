"""The text that opens a log: which layers were probed, with what, under which versions."""

from __future__ import annotations

import platform
import sys
from collections.abc import Sequence

import numpy as np

from lstm_probe._version import __version__
from lstm_probe.analysis import Analysis

__all__ = ["overview"]

_FRAMEWORKS = ("tensorflow", "keras", "tf_keras", "jax", "torch", "tensorboard")


def overview(analyses: Sequence[Analysis]) -> str:
    """A Markdown text with a table of the layers.

    Example:
        >>> overview([]).splitlines()[0]
        '### Probed layers'
    """
    header = ["layer", "cell", "units", "inputs", "timesteps", "sequences", "masked steps", "dtype"]
    rows = [header, ["---"] * len(header), *map(_row, analyses)]
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    return f"### Probed layers\n\n{table}\n\n### Versions\n\n{_versions()}\n"


def _row(analysis: Analysis) -> list[str]:
    snapshot = analysis.snapshot
    batch, time, inputs = snapshot.x.shape
    masked = 0 if snapshot.mask is None else int((~snapshot.mask).sum())
    numbers = [snapshot.weights.units, inputs, time, batch, masked]
    cell = f"`{snapshot.cell}`"
    return [f"`{snapshot.layer}`", cell, *map(str, numbers), snapshot.dtype]


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
