"""The rules of the alerts: which number each looks at, and what it advises to try."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import isnan
from typing import TypeAlias

import numpy as np

from lstm_probe.analysis.alerts.alert import Alert, Thresholds, alert_about
from lstm_probe.analysis.alerts.gradient_rules import exploding_gradient, vanishing_gradient
from lstm_probe.analysis.analysis import Analysis
from lstm_probe.analysis.change.dynamics import Dynamics
from lstm_probe.core.arrays import Array

__all__ = ["RULES", "Rule"]


#: A rule looks at one layer, and gives an alert if it applies. The dynamics are None at the first
#: capture of a layer.
Rule: TypeAlias = "Callable[[Analysis, Dynamics | None, Thresholds], Iterator[Alert]]"


def _not_finite(analysis: Analysis, _: Dynamics | None, limits: Thresholds) -> Iterator[Alert]:
    """The probe brings out a NaN or an infinity somewhere in the layer."""
    found = analysis.health.not_finite
    if found is None:
        return
    yield alert_about(
        analysis.snapshot,
        "not_finite",
        f"the first NaN or infinity of the probe, brought in by: {found.source}",
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


def _parity_mismatch(analysis: Analysis, _: Dynamics | None, limits: Thresholds) -> Iterator[Alert]:
    """The framework computes something else than NumPy."""
    verdict = None if analysis.parity is None else analysis.parity.verdict
    if verdict is None or verdict.kind != "mismatch":
        return
    cause, place = analysis.convention, verdict.place
    yield alert_about(
        analysis.snapshot,
        "parity_mismatch",
        "the framework does not compute what the pictures show"
        + ("" if cause is None else f"; {cause}"),
        verdict.excess,
        1.0,
        "do not trust the pictures; describe the cell as the framework computes it",
        gate=None if place is None else place.gate,
        unit=None if place is None else place.unit,
        timestep=None if place is None else place.timestep,
    )


def _saturated_gates(analysis: Analysis, _: Dynamics | None, limits: Thresholds) -> Iterator[Alert]:
    """A gate is nearly always shut or open, so that it passes no gradient."""
    cell = analysis.snapshot.cell
    keeper = None if cell is None else cell.keeper
    gates = analysis.health.gates
    for letter, gate in gates.items():
        saturated = gate.low if letter == keeper else gate.saturated
        if letter == "i" and "f" in gates:  # a unit that keeps its state need not write to it
            saturated = gate.high + np.maximum(gate.low - gates["f"].high, 0)
        value = _mean(saturated)
        if value > limits.saturated:
            yield alert_about(
                analysis.snapshot,
                "saturated_gates",
                f"nearly shut at {_mean(gate.low):.0%} of all steps, nearly open at "
                f"{_mean(gate.high):.0%}",
                value,
                limits.saturated,
                "a lower learning rate, inputs of unit variance, smaller or decayed weights",
                gate=letter,
                unit=int(np.argmax(saturated)),
            )


def _dead_units(analysis: Analysis, _: Dynamics | None, limits: Thresholds) -> Iterator[Alert]:
    """Too many units have a hidden state that does not move along the probe."""
    dead = analysis.health.dead
    if dead.mean() > limits.dead:
        yield alert_about(
            analysis.snapshot,
            "dead_units",
            f"h does not move along the probe in {dead.sum()} of {dead.size} units",
            float(dead.mean()),
            limits.dead,
            "a lower learning rate, tanh instead of relu, or fewer units",
            unit=int(np.argmax(dead)),
        )


def _unchanged(
    analysis: Analysis, dynamics: Dynamics | None, limits: Thresholds
) -> Iterator[Alert]:
    """No weight has changed, although the training has gone on."""
    if dynamics is not None and dynamics.unchanged:
        yield alert_about(
            analysis.snapshot,
            "unchanged_weights",
            f"no weight has changed in {dynamics.steps} training steps",
            0.0,
            0.0,
            "trainable=True; a loss that depends on this layer; a look at its gradient",
        )


def _update_ratio(
    analysis: Analysis, dynamics: Dynamics | None, limits: Thresholds
) -> Iterator[Alert]:
    """A kernel changes too much with each training step."""
    if dynamics is None:
        return
    ratios = {  # a bias often begins at zero, so that its first change is all of it
        name: ratio
        for name in dynamics.arrays
        if "bias" not in name and not isnan(ratio := dynamics.ratio_per_step(name))
    }
    name = max(ratios, key=ratios.__getitem__, default=None)
    if name is not None and ratios[name] > limits.update_ratio:
        letter = name.rpartition("_")[2] if "/" in name else None
        yield alert_about(
            analysis.snapshot,
            "update_ratio",
            f"{name} changes by {ratios[name]:.2g} of its norm with each step",
            ratios[name],
            limits.update_ratio,
            "a lower learning rate, or warming it up",
            gate=letter,
        )


def _short_memory(analysis: Analysis, _: Dynamics | None, limits: Thresholds) -> Iterator[Alert]:
    """Even the longest memory is short beside the probe."""
    health = analysis.health
    if health.horizon is None or health.probe_length < limits.min_steps:
        return
    longest = float(np.max(health.horizon))
    limit = limits.horizon * health.probe_length
    if longest < limit:
        yield alert_about(
            analysis.snapshot,
            "short_memory",
            f"the longest memory fades to 1/e within {longest:.2g} of {health.probe_length} steps",
            longest,
            limit,
            "a larger forget bias (chrono initialisation: log of the lengths that matter)",
            gate=None if analysis.snapshot.cell is None else analysis.snapshot.cell.keeper,
            unit=int(np.argmax(health.horizon)),
        )


#: All rules by name, the most serious first.
RULES: dict[str, Rule] = {
    "not_finite": _not_finite,
    "parity_mismatch": _parity_mismatch,
    "exploding_gradient": exploding_gradient,
    "vanishing_gradient": vanishing_gradient,
    "saturated_gates": _saturated_gates,
    "dead_units": _dead_units,
    "short_memory": _short_memory,
    "unchanged_weights": _unchanged,
    "update_ratio": _update_ratio,
}


def _mean(values: Array) -> float:
    return float(values.mean()) if values.size else float("nan")
