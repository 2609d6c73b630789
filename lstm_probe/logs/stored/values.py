"""The arrays that a log stores for the gate explorer, reports and exports: gates and weights.

Each capture of each layer is a blob of its own, so that a reader fetches one step without the
others. Its tag is `<layer>/capture`; with `detail="full"` there is also `<layer>/weights`.

Source: tensorboard/data/provider.py; the classes of data in tensorboard/summary/_tf/summary.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
from tensorboard.compat.proto.summary_pb2 import (
    DATA_CLASS_BLOB_SEQUENCE,
    Summary,
    SummaryMetadata,
)

from lstm_probe.analysis.alerts.board import Alert
from lstm_probe.analysis.analysis import Analysis
from lstm_probe.analysis.explained import Explained
from lstm_probe.analysis.parity.error import Parity
from lstm_probe.analysis.words.summary import summarise_parity
from lstm_probe.core.arrays import Array
from lstm_probe.core.trace import GateTrace, title
from lstm_probe.logs.stored.findings import packed_findings
from lstm_probe.logs.stored.format import MAX_UNITS, evenly, keep, pack
from lstm_probe.logs.stored.labels import labels_header
from lstm_probe.logs.stored.names import (
    CAPTURE,
    FINDINGS,
    FORMAT,
    PLUGIN,
    PROBE,
    PROBE_SERIES,
    WEIGHTS,
    stored_tag,
)
from lstm_probe.logs.stored.precision import FLOAT32, as_half
from lstm_probe.logs.stored.probe import output_arrays, packed_probe
from lstm_probe.logs.tags.values import strings_value
from lstm_probe.models.probe_data import ProbeData

__all__ = ["findings_value", "gates_value", "plugin_metadata", "probe_value", "weights_value"]

_MAX_WEIGHTS = 128


def gates_value(
    analysis: Analysis,
    *,
    alerts: Sequence[Alert] = (),
    float32: bool = False,
    outputs: Mapping[str, Array] | None = None,
    ranges: Mapping[str, tuple[float, float]] | None = None,
) -> Summary.Value:
    """Every gate of a layer at one step, as a stored capture.

    Args:
        analysis: the layer's analysis.
        alerts: those that are new in this layer.
        float32: whether the gates are stored in float32 too, as `float32/<letter>` beside
            `gates/<letter>`, which all releases read.
        outputs: what the model itself gave for the probe, by the name of the output.
        ranges: the smallest and the largest number of each output so far, by its name.
    """
    arrays, scale = _gates(analysis, float32=float32)
    arrays.update(_by_timestep(analysis))
    arrays.update(_by_unit(analysis))
    shape, counts = _shape(analysis.trace), _counts(analysis.trace)
    kept = keep(shape, counts)
    given, told = output_arrays(outputs or {}, kept, shape[0], analysis.trace.groups or ())
    arrays.update(given)
    for each in told.get("outputs", []):
        if each["name"] in (ranges or {}):
            each["range"] = (ranges or {})[each["name"]]
    meta = {
        **_meta(analysis),
        "error_scale": scale,
        **labels_header(analysis.trace, kept),
        **told,
        "parity": _parity(analysis.parity),
        "alerts": [alert.plain() for alert in alerts],
    }
    return _blob(stored_tag(analysis.snapshot.layer, CAPTURE), pack(arrays, meta))


def probe_value(data: ProbeData) -> Summary.Value:
    """The inputs and the targets of the probe, which a run holds once.

    Args:
        data: of the probe.
    """
    return _blob(stored_tag(PROBE_SERIES, PROBE), packed_probe(data))


def findings_value(explained: Explained, *, data: bool = True) -> Summary.Value:
    """What the analyses say of one layer, for the explorer.

    Args:
        explained: what they say.
        data: as for `packed_findings`.
    """
    return _blob(stored_tag(explained.layer, FINDINGS), packed_findings(explained, data=data))


def weights_value(analysis: Analysis) -> Summary.Value:
    """The weights of a layer at one step, by gate.

    A matrix is stored as int8: 127 stands for its largest magnitude, which the header has.

    Args:
        analysis: the layer's analysis.
    """
    arrays: dict[str, Any] = {}
    scales: dict[str, float] = {}
    for name, array in analysis.snapshot.weights.named():
        # All axes of a kernel but the last are inputs, also those of a convolution.
        matrix = array.reshape(-1, array.shape[-1])
        if array.ndim < 2:
            arrays[name] = array.astype(np.float32)
            continue
        rows, columns = (evenly(size, _MAX_WEIGHTS) for size in matrix.shape)
        part = matrix[np.ix_(rows, columns)].astype(np.float32)
        with np.errstate(invalid="ignore"):
            finite = np.nan_to_num(part, nan=0.0, posinf=0.0, neginf=0.0)
            scales[name] = float(np.abs(finite).max(initial=0.0)) or 1.0
            # -128 stands for NaN and infinity.
            codes = np.where(np.isfinite(part), np.round(127 * finite / scales[name]), -128)
        arrays[name] = codes.astype(np.int8)
        arrays[f"rows/{name}"], arrays[f"columns/{name}"] = rows, columns
    meta = {**_meta(analysis), "scales": scales}
    return _blob(stored_tag(analysis.snapshot.layer, WEIGHTS), pack(arrays, meta))


def _blob(tag: str, data: bytes) -> Summary.Value:
    return strings_value(tag, plugin_metadata(DATA_CLASS_BLOB_SEQUENCE), [data], scalar=False)


@lru_cache(maxsize=8)
def plugin_metadata(data_class: Any) -> SummaryMetadata:
    """The metadata that tells TensorBoard to give a value to the gate explorer.

    Args:
        data_class: one of `DataClass`.
    """
    plugin_data = SummaryMetadata.PluginData(plugin_name=PLUGIN, content=str(FORMAT).encode())
    return SummaryMetadata(plugin_data=plugin_data, data_class=data_class)


def _meta(analysis: Analysis) -> dict[str, Any]:
    snapshot, trace = analysis.snapshot, analysis.trace
    return {
        "step": snapshot.step,
        "epoch": snapshot.epoch,
        "layer": snapshot.layer,
        "cell": snapshot.cell_name,
        "letters": trace.letters,
        "titles": {letter: title(letter) for letter in trace.letters},
        "ranges": {letter: trace.ranges[letter] for letter in trace.letters},
        "dtype": snapshot.dtype,
        "reverse": snapshot.reverse,
        "shape": snapshot.output.shape,
        **({"guessed": snapshot.guessed} if snapshot.guessed else {}),
    }


def _shape(trace: GateTrace) -> tuple[int, ...]:
    return trace[trace.letters[0]].shape


def _counts(trace: GateTrace) -> tuple[int, ...]:
    """How many sequences each named probe has."""
    return tuple(count for _, count in trace.groups or ())


def _gates(analysis: Analysis, *, float32: bool) -> tuple[dict[str, Any], float]:
    trace, snapshot, scale = analysis.trace, analysis.snapshot, 1.0
    first = keep(_shape(trace), _counts(trace))
    # A projected h has units of its own, of the same sequences and timesteps.
    of_h = (
        first
        if trace.h.shape[-1] == trace.units
        else replace(first, units=evenly(trace.h.shape[-1], MAX_UNITS))
    )
    arrays: dict[str, Any] = {
        "sequences": first.sequences,
        "timesteps": first.timesteps,
        "units": first.units,
    }
    for letter in trace.letters:
        part = (of_h if letter == "h" else first).of(trace[letter])
        arrays[f"gates/{letter}"] = as_half(part)
        if float32 and part.dtype != np.float16:
            with np.errstate(over="ignore"):
                arrays[f"{FLOAT32}{letter}"] = part.astype(np.float32)
    if of_h is not first:
        arrays["units/h"] = of_h.units
    if trace.mask is not None:
        arrays["mask"] = trace.mask[np.ix_(first.sequences, first.timesteps)].astype(np.uint8)
    if analysis.parity is not None:
        error, scale = _error(of_h.of(snapshot.output), of_h.of(trace.h), arrays.get("mask"))
        arrays["error/h"] = error
    return arrays, scale


def _error(theirs: Array, ours: Array, mask: Any) -> tuple[Array, float]:
    """The signed error `framework - NumPy`, divided by its largest magnitude, and that magnitude.

    The error is 0 at a masked step, and where both are NaN or the same infinity.
    """
    with np.errstate(invalid="ignore"):
        error = np.subtract(theirs, ours, dtype=np.float64)
    if mask is not None:
        error[mask == 0] = 0.0
    largest = _largest(error)
    if not math.isfinite(largest):
        error[(theirs == ours) | (np.isnan(theirs) & np.isnan(ours))] = 0.0
        largest = _largest(error[np.isfinite(error)])
    scale = largest or 1.0
    error /= scale
    return as_half(error), scale


def _largest(values: Array) -> float:
    """The largest magnitude. It is not finite if one of the values is not."""
    return float(max(values.max(initial=0.0), -values.min(initial=0.0)))


def _by_timestep(analysis: Analysis) -> Iterator[tuple[str, Any]]:
    if analysis.parity is not None:
        yield "error_by_timestep", analysis.parity.float64.per_timestep.astype(np.float32)
    gradient = analysis.gradient
    if gradient is not None:
        with np.errstate(over="ignore", invalid="ignore"):
            yield "gradient/h", gradient.hidden.mean(axis=0).astype(np.float32)
            if gradient.cell is not None:
                yield "gradient/c", gradient.cell.mean(axis=0).astype(np.float32)


def _by_unit(analysis: Analysis) -> Iterator[tuple[str, Any]]:
    health = analysis.health
    if health.horizon is not None:
        with np.errstate(over="ignore"):
            yield "horizon", health.horizon.astype(np.float32)
    for letter, gate in health.gates.items():
        yield f"mean/{letter}", gate.mean.astype(np.float32)
        yield f"saturated_low/{letter}", gate.low.astype(np.float32)
        yield f"saturated_high/{letter}", gate.high.astype(np.float32)


def _parity(parity: Parity | None) -> dict[str, Any] | None:
    if parity is None:
        return None
    found = summarise_parity(parity)
    verdict = found.verdict
    return {
        "max_abs": found.max_abs,
        "max_abs_same_dtype": found.max_abs_same_dtype,
        "rms": found.rms,
        "ulp": found.ulp,
        "tolerance": found.tolerance,
        "verdict": None if verdict is None else {"kind": verdict.kind, "text": str(verdict)},
    }
