"""What can be said of a log: which unit follows which series, and how the states lie."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from lstm_probe.analysis.explained import Explained, Finding, check_names
from lstm_probe.analysis.geometry.geometry import geometry_of
from lstm_probe.analysis.tracking.tracking import track
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.core.trace import GateTrace
from lstm_probe.logs.export.captures import Capture, Series, series_of
from lstm_probe.logs.stored.reader import RunReader
from lstm_probe.models.explaining import Explanations

__all__ = ["explain_run"]

_WITHOUT_MODEL: Final = (
    "A log holds gates, and not the weights and the input of the layer, which this takes: explain "
    "the saved model."
)
_WITHOUT_LABELS: Final = (
    "There are no labels, and a log does not hold what the layer reads: give series to look for."
)
#: The analyses that take the gates alone.
_OF_GATES: Final = ("tracking", "geometry")


def explain_run(
    run: RunReader,
    *,
    labels: Mapping[str, Any] | None = None,
    layers: Sequence[str] | None = None,
    analyses: Sequence[str] | None = None,
    progress: Callable[[str, str], None] | None = None,
) -> Explanations:
    """Analyse what the layers of a run computed at its last capture, as far as its log tells.

    Args:
        run: as `find_runs` returns it.
        labels: series, by name, each `(batch, time)` or `(batch,)` of the whole probe.
        layers: which layers; all by default.
        analyses: as for `lstm_probe.explain`; only `tracking` and `geometry` can be made.
        progress: is called with the layer and the analysis before it is made.

    Raises:
        LstmProbeError: there is no such layer or analysis, or the labels do not fit the probe.
    """
    names, found = check_names(analyses), Explanations()
    for series in series_of(run, layers=layers):
        step = series.steps[-1]
        missing = {name: _WITHOUT_MODEL for name in names if name not in _OF_GATES}
        if "tracking" in names and labels is None:
            missing["tracking"] = _WITHOUT_LABELS
        asked = [name for name in names if name not in missing]
        findings, notes = dict[str, Finding](), list[str]()
        if asked:
            capture = series.read(step)
            reverse = run.capture(series.layer, step).meta.get("reverse") is True
            trace = _trace(series, capture, reverse=reverse)
            notes += _of_units(capture)
        for name in asked:
            if progress is not None:
                progress(series.layer, name)
            if name == "tracking":
                findings[name] = track(trace, _kept(labels or {}, capture))
            else:
                findings[name] = geometry_of(trace, step=step, mask=trace.mask)
        found[series.layer] = Explained(series.layer, step, findings, missing, tuple(notes))
    return found


def _trace(series: Series, capture: Capture, *, reverse: bool) -> GateTrace:
    return GateTrace(
        {letter: array.astype(np.float64) for letter, array in capture.gates.items()},
        dict.fromkeys(capture.gates),
        cell=series.cell,
        mask=None if capture.mask is None else capture.mask != 0,
        layer=series.layer,
        step=capture.step,
        reverse=reverse,
    )


def _kept(labels: Mapping[str, Any], capture: Capture) -> dict[str, Any]:
    """The labels of the sequences and timesteps that the log keeps."""
    rows, columns = capture.labels["sequence"], capture.labels["time"]
    found = {}
    for name, given in labels.items():
        array = np.asarray(given)
        if array.ndim not in (1, 2) or len(array) <= rows.max(initial=0):
            raise LstmProbeError(
                f"The labels {name!r} do not fit the probe of the log. Received: shape "
                f"{array.shape}. Expected: (batch, time) or (batch,), with at least "
                f"{int(rows.max(initial=0)) + 1} sequences."
            )
        part = array[rows]
        wide = part.ndim == 2 and part.shape[1] > columns.max(initial=0)
        found[name] = part[:, columns] if wide else part
    return found


def _of_units(capture: Capture) -> list[str]:
    units = capture.labels["unit"]
    if (units == np.arange(len(units))).all():
        return []
    first = ", ".join(str(int(each)) for each in units[:4])
    return [f"Units are counted among the {len(units)} that the log keeps: {first} and so on."]
