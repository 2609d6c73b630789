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
from lstm_probe.analysis.words.summary import LayerSummary, ParitySummary
from lstm_probe.core.arrays import Array
from lstm_probe.logs.stored.format import as_json
from lstm_probe.logs.stored.names import CAPTURES_TAG
from lstm_probe.logs.stored.point import Point
from lstm_probe.logs.stored.values import plugin_metadata
from lstm_probe.logs.tags.values import strings_value

__all__ = ["captures_value"]

#: The errors of at most so many stretches of timesteps are told.
_BINS = 64


def captures_value(
    summaries: Sequence[LayerSummary],
    *,
    step: int,
    dynamics: Mapping[str, Dynamics] | None = None,
    alerts: Sequence[Alert] = (),
    others: Sequence[Alert] = (),
    training: Mapping[str, float] | None = None,
) -> Summary.Value:
    """One point of the run's course.

    Args:
        summaries: those of all layers.
        step: the training step.
        dynamics: what changed in each layer since the capture before.
        alerts: those that begin to stand.
        others: those that are only noted, and those that have cleared.
        training: loss and metrics by name.
    """
    changes = dynamics or {}
    point = Point(
        step,
        next((summary.epoch for summary in summaries), None),
        {each.layer: _course(each, changes.get(each.layer)) for each in summaries},
        [alert.plain() for alert in alerts],
        noted=[alert.plain() for alert in others if alert.state == "noted"],
        cleared=[alert.plain() for alert in others if alert.state == "cleared"],
        training=training or {},
    )
    text = as_json(point.as_data()).encode()
    return strings_value(CAPTURES_TAG, plugin_metadata(DATA_CLASS_TENSOR), [text])


def _course(summary: LayerSummary, dynamics: Dynamics | None) -> dict[str, Any]:
    """The figures of a layer, by the names that `parse_point` knows."""
    gradient, parity = summary.gradient, summary.parity
    return {
        "saturated": {letter: gate.saturated for letter, gate in summary.gates.items()},
        "longest_horizon": summary.longest_horizon,
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
