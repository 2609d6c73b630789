"""The course of a run: a small text for each capture, which tells what the gates came to.

The texts are under one tag, `lstm_probe/captures`, so that a reader fetches all of them at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from tensorboard.compat.proto.summary_pb2 import DATA_CLASS_TENSOR, Summary

from lstm_probe.analysis.alerts.board import Alert
from lstm_probe.analysis.change.dynamics import Dynamics
from lstm_probe.analysis.outcomes import ProbeOutcome
from lstm_probe.analysis.words.answers import Answer, Figures, answers
from lstm_probe.analysis.words.summary import LayerSummary, ParitySummary
from lstm_probe.core.arrays import Array
from lstm_probe.logs.stored.alert_states import AlertStates
from lstm_probe.logs.stored.format import as_json
from lstm_probe.logs.stored.names import CAPTURES_TAG
from lstm_probe.logs.stored.point import Point
from lstm_probe.logs.stored.values import plugin_metadata
from lstm_probe.logs.tags.values import strings_value

__all__ = ["answers_at", "captures_value", "figures_of_point", "point_of"]

#: The errors of at most so many stretches of timesteps are told.
_BINS = 64


def point_of(
    summaries: Sequence[LayerSummary],
    *,
    step: int,
    dynamics: Mapping[str, Dynamics] | None = None,
    alerts: Sequence[Alert] = (),
    others: Sequence[Alert] = (),
    training: Mapping[str, float] | None = None,
    outcomes: Sequence[ProbeOutcome] = (),
) -> Point:
    """What is said of one capture.

    Args:
        summaries: those of all layers.
        step: the training step.
        dynamics: what changed in each layer since the capture before.
        alerts: those that begin to stand.
        others: those that are only noted, and those that have cleared.
        training: loss and metrics by name.
        outcomes: how the model does on each named probe.
    """
    changes = dynamics or {}
    return Point(
        step,
        next((summary.epoch for summary in summaries), None),
        {each.layer: _course(each, changes.get(each.layer)) for each in summaries},
        [alert.plain() for alert in alerts],
        noted=[alert.plain() for alert in others if alert.state == "noted"],
        cleared=[alert.plain() for alert in others if alert.state == "cleared"],
        training=training or {},
        outcomes=[each.plain() for each in outcomes],
    )


def captures_value(point: Point) -> Summary.Value:
    """One point of the run's course, as the log holds it."""
    text = as_json(point.as_data()).encode()
    return strings_value(CAPTURES_TAG, plugin_metadata(DATA_CLASS_TENSOR), [text])


def answers_at(points: Sequence[Point], layer: str, step: int) -> list[Answer]:
    """What the gates of a layer say at a step, from the course of its run.

    Args:
        points: the run's captures, by step.
        layer: the layer's name.
        step: the training step; what came later does not count.

    Returns:
        The sentences; none if the layer was not captured by then, or by an older version, which did
        not store what they are made of.
    """
    course: list[Figures] = []
    alerts = AlertStates()
    for point in points:
        if point.step > step:
            break
        alerts.add(point)
        figures = figures_of_point(point, layer)
        if figures is not None:
            course.append(figures)
    mine = [alert for alert in alerts.standing if alert["layer"] == layer]
    return answers(course, mine) if course else []


def figures_of_point(point: Point, layer: str) -> Figures | None:
    """The figures of a layer as a point holds them; None if it has too few for sentences."""
    stored = point.layers.get(layer, {})
    if not stored.keys() >= {"timesteps", "units"}:
        return None
    dead, units = float(stored.get("dead_units", 0)), int(stored["units"])
    # Numbers that are not finite are texts in a log.
    return Figures(
        step=point.step,
        timesteps=int(stored["timesteps"]),
        units=units,
        longest_horizon=_number(stored.get("longest_horizon")),
        longest_unit=stored.get("longest_unit"),
        gradient_reach=_number(stored.get("gradient_reach")),
        dead=round(dead * units),
        means={letter: float(mean) for letter, mean in stored.get("means", {}).items()},
        verdict=stored.get("verdict"),
        max_abs=_number(stored.get("max_abs")),
        training={name: float(value) for name, value in point.training.items()},
        outcomes=[_outcome(each) for each in point.outcomes],
    )


def _outcome(told: Mapping[str, Any]) -> ProbeOutcome:
    return ProbeOutcome(**{**told, "error": _number(told["error"])})


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


def _course(summary: LayerSummary, dynamics: Dynamics | None) -> dict[str, Any]:
    """The figures of a layer, by the names that `parse_point` knows."""
    gradient, parity = summary.gradient, summary.parity
    return {
        "timesteps": summary.probe_length,
        "units": summary.dead_of,
        "saturated": {letter: gate.saturated for letter, gate in summary.gates.items()},
        "means": {letter: gate.mean for letter, gate in summary.gates.items()},
        "longest_horizon": summary.longest_horizon,
        "longest_unit": summary.longest_unit,
        "dead_units": summary.dead_fraction,
        "gradient_reach": None if gradient is None else gradient.reach,
        "update_ratio": None if dynamics is None else dynamics.update_ratio,
        **({} if parity is None else _course_of_parity(parity)),
    }


def _course_of_parity(parity: ParitySummary) -> dict[str, Any]:
    return {
        "verdict": None if parity.verdict is None else parity.verdict.kind,
        "max_abs": parity.max_abs,
        "tolerance": parity.tolerance,
        "error_by_timestep": _binned(parity.per_timestep),
    }


def _binned(values: Array) -> list[float]:
    """At most 64 numbers to three digits: the largest value of each stretch of timesteps."""
    if len(values) > _BINS:
        values = np.maximum.reduceat(values, np.arange(_BINS) * len(values) // _BINS)
    return [float(f"{value:.3g}") for value in values.tolist()]
