"""`Point`: what a log says of one capture of a run, and the check of one that is read back.

A run has one point for each capture, as JSON under the tag `lstm_probe/captures`. Whoever reads a
log, the command line or the gate explorer, gets its points from `parse_point`. A log may hold
anything, so every field is checked before it is used: its type, and that numbers are finite and
texts can be printed.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from lstm_probe.logs.stored.names import FORMAT

__all__ = ["Point", "is_number", "parse_point"]

#: JSON has no such numbers: they are written as texts.
_NOT_FINITE = ("nan", "inf", "-inf")
#: TensorBoard counts steps in this many bits, with a sign.
_STEP_BITS = 64
_Check: TypeAlias = Callable[[Any], bool]


@dataclass(frozen=True)
class Point:
    """One capture in the course of a run. Numbers that are not finite are texts, as in the log.

    Attributes:
        step: the training step.
        epoch: how many epochs the training had done; None if it has none.
        layers: for each layer the figures of its gates, by name.
        alerts: the alerts that begin to stand at this step; each has its `layer` and its `text`.
        noted: those that are only noted. Older logs have none, as of the two that follow.
        cleared: those that stood at the capture before and no longer do.
        training: the loss and the metrics of the training, by name.
        outcomes: how the model does on each of several named probes, as `ProbeOutcome.plain` gives
            them.

    Example:
        >>> Point(7, None, layers={}, alerts=()).as_data()
        {'format': 1, 'step': 7, 'epoch': None, 'layers': {}, 'alerts': []}
        >>> Point(7, None, layers={}, alerts=(), training={"loss": 0.5}).as_data()["training"]
        {'loss': 0.5}
    """

    step: int
    epoch: float | None
    layers: Mapping[str, Mapping[str, Any]]
    alerts: Sequence[Mapping[str, Any]]
    noted: Sequence[Mapping[str, Any]] = ()
    cleared: Sequence[Mapping[str, Any]] = ()
    training: Mapping[str, Any] = field(default_factory=dict)
    outcomes: Sequence[Mapping[str, Any]] = ()

    def as_data(self) -> dict[str, Any]:
        """The point as the log holds it."""
        return {
            "format": FORMAT,
            "step": self.step,
            "epoch": self.epoch,
            "layers": dict(self.layers),
            "alerts": list(self.alerts),
            **{name: list(each) for name, each in self._others.items() if each},
            **({"training": dict(self.training)} if self.training else {}),
            **({"outcomes": list(self.outcomes)} if self.outcomes else {}),
        }

    @property
    def _others(self) -> dict[str, Sequence[Mapping[str, Any]]]:
        return {"noted": self.noted, "cleared": self.cleared}


def parse_point(data: object) -> Point | None:
    """Read a point of a run's course.

    Args:
        data: JSON as UTF-8 bytes or as a text.

    Returns:
        The point with the fields that this version knows. None for anything that lstm_probe does
        not write, and for a point of a newer format.

    Example:
        >>> parse_point(b'{"format": 1, "step": 7, "epoch": 0.5, "layers": {}, "alerts": []}').epoch
        0.5
        >>> parse_point(b'{"format": 1, "step": "7", "layers": {}, "alerts": []}') is None
        True
    """
    try:
        text = data.decode() if isinstance(data, bytes) else data
        if not isinstance(text, str):
            return None
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not _is_point(found):
        return None
    return Point(
        found["step"],
        found.get("epoch"),
        {name: _known(layer, _LAYER) for name, layer in found["layers"].items()},
        alerts=_alerts(found, "alerts"),
        noted=_alerts(found, "noted"),
        cleared=_alerts(found, "cleared"),
        training=found.get("training", {}),
        outcomes=tuple(_known(each, _OUTCOME) for each in found.get("outcomes", ())),
    )


def is_number(value: Any) -> bool:
    """Whether a value from JSON is a finite number; True and False are none.

    Example:
        >>> is_number(0.5), is_number(True), is_number(10**400), is_number("1")
        (True, False, False, False)
    """
    if type(value) not in (int, float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer beyond float64
        return False


def _is_point(found: Any) -> bool:
    return (
        isinstance(found, dict)
        and type(found.get("format")) is int
        and 1 <= found["format"] <= FORMAT
        and _is_integer(found.get("step"))
        and _or_none(is_number)(found.get("epoch"))
        and _by_name(lambda layer: _has(layer, _LAYER))(found.get("layers"))
        and _all(_is_alert)(found.get("alerts"))
        and all(_all(_is_alert)(found.get(name, [])) for name in ("noted", "cleared"))
        and _by_name(_is_figure)(found.get("training", {}))
        and _all(lambda each: _has(each, _OUTCOME, *_OUTCOME))(found.get("outcomes", []))
    )


def _alerts(found: Mapping[str, Any], name: str) -> tuple[dict[str, Any], ...]:
    return tuple(_known(alert, _ALERT) for alert in found.get(name, ()))


def _is_alert(value: Any) -> bool:
    return _has(value, _ALERT, "layer", "text")


def _is_integer(value: Any) -> bool:
    return type(value) is int and value.bit_length() < _STEP_BITS


def _is_figure(value: Any) -> bool:
    return is_number(value) or (type(value) is str and value in _NOT_FINITE)


def _is_text(value: Any) -> bool:
    """Whether it is a text that can be printed: half a surrogate pair cannot."""
    if type(value) is not str:
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _or_none(check: _Check) -> _Check:
    return lambda value: value is None or check(value)


def _all(check: _Check) -> _Check:
    return lambda value: isinstance(value, list) and all(map(check, value))


def _by_name(check: _Check) -> _Check:
    return lambda value: (
        isinstance(value, dict) and all(map(_is_text, value)) and all(map(check, value.values()))
    )


#: The figures of a layer. Those of parity are missing where nothing was recomputed.
_LAYER: Mapping[str, _Check] = {
    "timesteps": _is_integer,
    "units": _is_integer,
    "saturated": _by_name(_is_figure),
    "means": _by_name(_is_figure),
    "longest_horizon": _or_none(_is_figure),
    "longest_unit": _or_none(_is_integer),
    "dead_units": _is_figure,
    "gradient_reach": _or_none(_is_figure),
    "update_ratio": _or_none(_is_figure),
    "verdict": _or_none(_is_text),
    "max_abs": _is_figure,
    "tolerance": _is_figure,
    "error_by_timestep": _all(_is_figure),
}
#: What is told of an alert. Older logs have fewer of these.
_ALERT: Mapping[str, _Check] = {
    "rule": _is_text,
    "layer": _is_text,
    "step": _is_integer,
    "what": _is_text,
    "value": _is_figure,
    "threshold": _is_figure,
    "advice": _is_text,
    "gate": _or_none(_is_text),
    "unit": _or_none(_is_integer),
    "timestep": _or_none(_is_integer),
    "text": _is_text,
    "state": _is_text,
    "tried": _is_text,
}

#: How the model does on a named probe.
_OUTCOME: Mapping[str, _Check] = {
    "output": _is_text,
    "probe": _is_text,
    "right": _or_none(_is_integer),
    "of": _is_integer,
    "error": _or_none(_is_figure),
    "by_step": lambda value: type(value) is bool,
}


def _has(record: Any, fields: Mapping[str, _Check], *needed: str) -> bool:
    """Whether it is a record whose known fields are right, with all that are needed."""
    return (
        isinstance(record, dict)
        and record.keys() >= {*needed}
        and all(check(record[name]) for name, check in fields.items() if name in record)
    )


def _known(record: Mapping[str, Any], fields: Mapping[str, _Check]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name in fields}
