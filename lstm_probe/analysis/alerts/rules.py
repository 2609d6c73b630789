"""The rules of the alerts: which number each looks at, and what it advises to try."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import isnan
from typing import TypeAlias

import numpy as np

from lstm_probe.analysis.alerts.advice import against_dead_units, against_jumps, against_saturation
from lstm_probe.analysis.alerts.alert import Alert, Thresholds, alert_about
from lstm_probe.analysis.alerts.gradient_rules import (
    exploding_gradient,
    short_memory,
    vanishing_gradient,
)
from lstm_probe.analysis.alerts.training_state import TrainingState
from lstm_probe.analysis.analysis import Analysis
from lstm_probe.analysis.health.health import dead_units
from lstm_probe.core.arrays import Array

__all__ = ["RULES", "Rule"]


#: A rule looks at one layer, and gives an alert if it applies.
Rule: TypeAlias = "Callable[[Analysis, TrainingState, Thresholds], Iterator[Alert]]"


def _not_finite(analysis: Analysis, _: TrainingState, limits: Thresholds) -> Iterator[Alert]:
    """The probe brings out a NaN or an infinity somewhere in the layer."""
    found = analysis.health.not_finite
    if found is None:
        return
    yield alert_about(
        analysis.snapshot,
        "not_finite",
        f"the probe brings out NaN or infinity, brought in by: {found.source}",
        1.0,
        0.0,
        _NOT_FINITE_ADVICE.get(found.source, "a lower learning rate, or clipnorm=1.0"),
        gate=found.letter,
        unit=found.unit,
        timestep=found.timestep,
    )


_NOT_FINITE_ADVICE = {
    "input": "look at the data or the layer before this one",
    "overflow": "smaller inputs, or activations that are bounded",
    "framework": "a wider dtype: in float64 the values are finite",
}


def _parity_mismatch(analysis: Analysis, _: TrainingState, limits: Thresholds) -> Iterator[Alert]:
    """The framework computes something else than NumPy."""
    verdict = None if analysis.parity is None else analysis.parity.verdict
    if verdict is None or verdict.kind != "mismatch":
        return
    cause, place = analysis.convention, verdict.place
    yield alert_about(
        analysis.snapshot,
        "parity_mismatch",
        f"the framework does not compute what the pictures show: its error is {verdict.excess:.2g} "
        "times what rounding explains" + ("" if cause is None else f"; {cause}"),
        verdict.excess,
        1.0,
        "do not trust the pictures; describe the cell as the framework computes it",
        gate=None if place is None else place.gate,
        unit=None if place is None else place.unit,
        timestep=None if place is None else place.timestep,
    )


def _saturated_gates(
    analysis: Analysis, training: TrainingState, limits: Thresholds
) -> Iterator[Alert]:
    """A gate is nearly always shut or open, so that it passes no gradient."""
    limit = limits.saturated
    if training.loss == "falling":
        limit = max(limit, limits.saturated_while_learning)
    cell = analysis.snapshot.cell
    keeper = None if cell is None else cell.keeper
    gates = analysis.health.gates
    if analysis.health.probe_length < 2:  # of one step nobody can say "always"
        return
    for letter, gate in gates.items():
        saturated, ends = gate.saturated, "shut or open"
        if letter == keeper:
            saturated, ends = gate.low, "shut"
        if letter == "i" and "f" in gates:  # a unit that keeps its state need not write to it
            saturated = gate.high + np.maximum(gate.low - gates["f"].high, 0)
        value = _mean(saturated)
        if value > limit:
            yield alert_about(
                analysis.snapshot,
                "saturated_gates",
                f"the gate is nearly {ends} at {value:.0%} of all steps; healthy is at most "
                f"{limit:.0%}",
                value,
                limit,
                against_saturation(analysis, letter),
                gate=letter,
                unit=int(np.argmax(saturated)),
            )


def _dead_units(analysis: Analysis, training: TrainingState, limits: Thresholds) -> Iterator[Alert]:
    """Too many units have a hidden state that does not move along the probe."""
    dead = dead_units(analysis.snapshot, analysis.health)
    limit = limits.dead
    may_live = getattr(analysis.snapshot.cell, "activation", None) == "relu"
    if training.loss == "falling" or may_live:
        limit = max(limit, limits.dead_while_learning)
    if dead.mean() > limit:
        yield alert_about(
            analysis.snapshot,
            "dead_units",
            f"h does not move along the probe in {dead.mean():.0%} of {dead.size} units; healthy "
            f"is at most {limit:.0%}",
            float(dead.mean()),
            limit,
            against_dead_units(analysis),
            unit=int(np.argmax(dead)),
        )


def _unchanged(analysis: Analysis, training: TrainingState, limits: Thresholds) -> Iterator[Alert]:
    """No weight has changed, although the training has gone on."""
    dynamics = training.dynamics
    if dynamics is not None and dynamics.unchanged:
        yield alert_about(
            analysis.snapshot,
            "unchanged_weights",
            f"no weight has changed in {dynamics.steps} training steps",
            0.0,
            0.0,
            "trainable=True, a learning rate above 0, a loss that depends on this layer",
        )


def _update_ratio(
    analysis: Analysis, training: TrainingState, limits: Thresholds
) -> Iterator[Alert]:
    """A kernel changes too much with each training step."""
    dynamics = training.dynamics
    if dynamics is None:
        return
    ratios = {  # a bias often begins at zero, so that its first change is all of it
        name: ratio
        for name in dynamics.arrays.keys() - training.began_at_zero
        if "bias" not in name and not isnan(ratio := dynamics.ratio_per_step(name))
    }
    name = max(sorted(ratios), key=ratios.__getitem__, default=None)
    if name is not None and ratios[name] > limits.update_ratio:
        yield alert_about(
            analysis.snapshot,
            "update_ratio",
            f"{name} changes by {ratios[name]:.2g} of its norm with each step; healthy is at most "
            f"{limits.update_ratio:g}",
            ratios[name],
            limits.update_ratio,
            against_jumps(ratios[name], limits.steady),
            gate=_gate_named(name, analysis),
        )


def _gate_named(name: str, analysis: Analysis) -> str | None:
    """The gate that an array such as `kernel/2_f` belongs to, if it is one of the cell's."""
    letter = name.rpartition("_")[2] if "/" in name else ""
    return letter if letter in analysis.trace.letters else None


#: All rules by name, the most serious first.
RULES: dict[str, Rule] = {
    "not_finite": _not_finite,
    "parity_mismatch": _parity_mismatch,
    "exploding_gradient": exploding_gradient,
    "vanishing_gradient": vanishing_gradient,
    "saturated_gates": _saturated_gates,
    "dead_units": _dead_units,
    "short_memory": short_memory,
    "unchanged_weights": _unchanged,
    "update_ratio": _update_ratio,
}


def _mean(values: Array) -> float:
    return float(values.mean()) if values.size else float("nan")
