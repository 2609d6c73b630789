"""An analysis as items: trace, parity, verdict, health, gradients and alerts."""

from __future__ import annotations

import base64
import io
import re
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
from masking import masked
from observations import Observations, attempt
from PIL import Image

import lstm_probe
from lstm_probe import Analysis, GateTrace

__all__ = [
    "alerts_as_data",
    "html_as_data",
    "note_analysis",
    "note_refusal",
    "note_trace",
    "picture",
    "record_as_data",
]

#: The first names the cause of a mismatch, and looks for it.
_ALL_RULES = (
    "parity_mismatch", "not_finite", "saturated_gates", "dead_units", "vanishing_gradient",
    "exploding_gradient", "unchanged_weights", "update_ratio", "short_memory",
)  # fmt: skip


def note_trace(seen: Observations, name: str, trace: GateTrace) -> None:
    """All arrays of a trace, and what describes them."""
    seen.note("trace", name, {letter: trace[letter] for letter in trace.letters})
    about = {
        "letters": trace.letters,
        "ranges": dict(trace.ranges),
        "cell": trace.cell,
        "layer": trace.layer,
        "step": trace.step,
        "mask": trace.mask,
        "repr": repr(trace),
    }
    seen.note("description", name, about)


def note_analysis(
    seen: Observations, name: str, analysis: Analysis, *, more: bool = False, cause: bool = True
) -> None:
    """Everything that an analysis says.

    Args:
        seen: where it is noted.
        name: the name of the items.
        analysis: of one layer.
        more: also the gradient of a loss, and the norms of the whole Jacobian matrices.
        cause: also what explains a mismatch, which takes a few tenths of a second to look for.
    """
    note_trace(seen, name, analysis.trace)
    seen.note("verdict", name, _verdict(analysis, cause))
    seen.note("parity", name, _parity(analysis))
    seen.note("health", name, _health(analysis))
    seen.note("gradient", name, _gradient(analysis))
    rules = _ALL_RULES if cause else _ALL_RULES[1:]
    seen.note("alerts", name, alerts_as_data(lstm_probe.find_alerts(analysis, rules=rules)))
    if more and analysis.gradient is not None:
        seen.note("gradient", f"{name}/more", _more_gradients(analysis))


def _verdict(analysis: Analysis, with_cause: bool) -> Any:
    verdict = None if analysis.parity is None else analysis.parity.verdict
    if verdict is None:
        return {"without": analysis.without_parity}
    place, cause = verdict.place, analysis.convention if with_cause else None
    return {
        "kind": verdict.kind,
        "precision": verdict.precision,
        "place": None if place is None else record_as_data(place),
        "text": str(verdict),
        "cause": None if cause is None else {"name": cause.name, "text": str(cause)},
        "bound": verdict.bound,
        "defect": verdict.defect,
        "excess": verdict.excess,
    }


def _parity(analysis: Analysis) -> Any:
    parity = analysis.parity
    if parity is None:
        return None
    exact = parity.float64
    size = "" if analysis.snapshot.dtype == "float64" else "narrow "
    errors = {"": exact, size + "same ": parity.same_dtype, size + "rounding ": parity.rounding}
    numbers = {
        f"{whose}{field}": getattr(error, field)
        for whose, error in errors.items()
        if error is not None
        for field in ("max_abs", "rms", "per_timestep")
    }
    # In float64 the error itself is noise; its unit is not.
    unit = exact.max_abs / parity.ulp if 0 < exact.max_abs < np.inf else None
    known = {"tolerance": parity.tolerance, "within": parity.within_tolerance, "unit": unit}
    return {**numbers, **known, "has rounding": parity.rounding is not None}


def _health(analysis: Analysis) -> Any:
    health = analysis.health
    fields = ("low", "high", "mean", "spread", "stuck", "saturated")
    return {
        "gates": {
            letter: {field: getattr(gate, field) for field in fields}
            for letter, gate in health.gates.items()
        },
        "steps": health.steps,
        "probe_length": health.probe_length,
        "horizon": health.horizon,
        "dead": health.dead,
        "copy_of": health.copy_of,
        "largest": health.largest,
        "not_finite": None if health.not_finite is None else record_as_data(health.not_finite),
    }


def _gradient(analysis: Analysis) -> Any:
    gradient = analysis.gradient
    if gradient is None:
        return None
    taken_in = gradient.by_unit.dtype

    def kept(array: Any) -> Any:
        """In the dtype in which it was taken: that says how exact it is."""
        return None if array is None else np.asarray(array).astype(taken_in)

    return {
        "hidden": kept(gradient.hidden),
        "cell": kept(gradient.cell),
        "by_unit": gradient.by_unit,
        "inputs": gradient.inputs,
        "decay": {letter: kept(value) for letter, value in gradient.decay.items()},
        "reach": gradient.reach,
        "memory": gradient.memory,
    }


def _more_gradients(analysis: Analysis) -> Any:
    snapshot, trace = analysis.snapshot, analysis.trace
    rng = np.random.default_rng(3)
    every, last = (
        rng.normal(size=snapshot.output.shape),
        rng.normal(size=snapshot.output[:, 0].shape),
    )
    found = {"jacobian_norms": lstm_probe.jacobian_norms(snapshot, trace)}
    for name, cotangent in (("every", every), ("last", last)):
        of_loss = lstm_probe.gradient_of_loss(snapshot, trace, cotangent)
        found[name] = record_as_data(of_loss)
    return found


def record_as_data(value: Any) -> Any:
    """Records, and records within mappings, as dictionaries."""
    if is_dataclass(value):
        return {each.name: record_as_data(getattr(value, each.name)) for each in fields(value)}
    if hasattr(value, "items"):
        return {name: record_as_data(each) for name, each in value.items()}
    return value


def alerts_as_data(alerts: Any) -> Any:
    """Alerts with their numbers and their words."""
    return [alert.plain() for alert in alerts]


def picture(data: bytes) -> np.ndarray:
    """A picture, decoded to its pixels: the bytes may be packed in many ways."""
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGBA"))


def html_as_data(text: str) -> Any:
    """A piece of HTML, its pictures decoded."""
    pattern = r"data:image/png;base64,([A-Za-z0-9+/=]+)"
    pictures = [picture(base64.b64decode(each)) for each in re.findall(pattern, text)]
    return {"text": masked(re.sub(pattern, "<picture>", text)), "pictures": pictures}


def note_refusal(seen: Observations, name: str, action: Any) -> None:
    """With which words something is refused; that it is not is kept as well."""

    def outcome() -> Any:
        return {"accepted": type(action()).__name__}

    seen.note("refusal", name, attempt(outcome))
