"""The text that opens a log: which layers were probed, with what, under which versions."""

from __future__ import annotations

import platform
import sys
from collections.abc import Mapping, Sequence

import numpy as np

from lstm_probe import __version__
from lstm_probe.analysis.words.phrases import cell_phrase, probe_phrase
from lstm_probe.analysis.words.summary import LayerSummary

__all__ = ["overview"]

_FRAMEWORKS = ("tensorflow", "keras", "tf_keras", "jax", "torch", "tensorboard")


def overview(summaries: Sequence[LayerSummary], remarks: Mapping[str, str] | None = None) -> str:
    """A Markdown text with a table: a column for each layer, a row for each property.

    Args:
        summaries: those of all layers.
        remarks: what the table does not tell of layers, by name.

    Example:
        >>> overview([]).splitlines()[0]
        '### Probed layers'
    """
    columns = [_properties(summary) for summary in summaries]
    names = list(columns[0]) if columns else []
    rows = [[name, *(column[name] for column in columns)] for name in names]
    rows.insert(1, ["---"] * (len(columns) + 1))
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    guessed = [f"- `{each.layer}`: {text}" for each in summaries for text in each.guessed]
    remarked = [f"- `{layer}`: {remark}" for layer, remark in (remarks or {}).items()]
    sections = [
        f"### Probed layers\n\n{table}",
        *(
            "\n".join([f"### {title}\n", *lines])
            for title, lines in (("Guessed", guessed), ("Remarks", remarked))
            if lines
        ),
        f"### Versions\n\n{_versions()}\n",
    ]
    return "\n\n".join(sections)


def _properties(summary: LayerSummary) -> dict[str, str]:
    return {
        "layer": f"`{summary.layer}`",
        "cell": cell_phrase(summary.cell),
        "units": str(summary.units),
        "inputs": str(summary.input_shape[-1]),
        "dtype": summary.dtype,
        "direction": "backward" if summary.reverse else "forward",
        "probe": probe_phrase(summary),
        "initial state": "zeros" if summary.starts_from_zeros else "given",
    }


def _versions() -> str:
    # Only frameworks that the program has loaded already are named: none is imported for this.
    loaded = {name: sys.modules.get(name) for name in _FRAMEWORKS}
    versions = {
        "lstm_probe": __version__,
        "Python": platform.python_version(),
        "numpy": np.__version__,
        **{name: getattr(module, "__version__", "?") for name, module in loaded.items() if module},
    }
    return ", ".join(f"{name} {version}" for name, version in versions.items())
