"""The rules about memory and the gradient through time: too short, vanished, exploded.

Source:
    Pascanu, Mikolov & Bengio 2013, "On the difficulty of training recurrent neural networks".
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from lstm_probe.analysis.alerts.advice import against_growth, for_a_longer_memory
from lstm_probe.analysis.alerts.alert import Alert, Thresholds, alert_about
from lstm_probe.analysis.alerts.training_state import TrainingState
from lstm_probe.analysis.analysis import Analysis
from lstm_probe.core.arrays import Array
from lstm_probe.core.precision import UNIT_ROUNDOFF

__all__ = ["exploding_gradient", "short_memory", "vanishing_gradient"]


def short_memory(
    analysis: Analysis, training: TrainingState, limits: Thresholds
) -> Iterator[Alert]:
    """Even the longest memory is short beside the probe, and the loss stands still."""
    health = analysis.health
    if health.horizon is None or health.probe_length < limits.min_steps:
        return
    longest = float(np.max(health.horizon))
    limit = _shortest(limits.horizon * health.probe_length, training, limits)
    if longest < limit:
        yield alert_about(
            analysis.snapshot,
            "short_memory",
            f"the longest memory fades to 1/e within {longest:.2g} of {health.probe_length} steps"
            f"{_while(training)}; healthy is at least {limit:.2g}",
            longest,
            limit,
            for_a_longer_memory(analysis),
            gate=None if analysis.snapshot.cell is None else analysis.snapshot.cell.keeper,
            unit=int(np.argmax(health.horizon)),
        )


def vanishing_gradient(
    analysis: Analysis, training: TrainingState, limits: Thresholds
) -> Iterator[Alert]:
    """Too many steps have a gradient that is lost in rounding, and the loss stands still."""
    norms = _memory_gradient(analysis)
    if norms is None or norms.size < limits.min_steps:
        return
    assert analysis.gradient is not None
    letter = analysis.gradient.memory
    lost = float((norms < UNIT_ROUNDOFF["float32"] * norms.max()).mean())
    # What fades by `decay` with each step has faded to 1/e after `horizon` of them.
    with np.errstate(divide="ignore"):
        horizon = float(-1 / np.log(min(analysis.gradient.decay[letter], 1.0)))
    if lost > limits.vanished and horizon < _shortest(np.inf, training, limits):
        yield alert_about(
            analysis.snapshot,
            "vanishing_gradient",
            f"|d {letter}_T / d {letter}_t| is lost in rounding at {lost:.0%} of all steps"
            f"{_while(training)}; healthy is at most {limits.vanished:.0%}",
            lost,
            limits.vanished,
            for_a_longer_memory(analysis),
        )


def exploding_gradient(analysis: Analysis, _: TrainingState, limits: Thresholds) -> Iterator[Alert]:
    """A gradient grows too much on its way back."""
    gradient = analysis.gradient
    if gradient is None:
        return
    for letter, norms in (("h", gradient.hidden), ("c", gradient.cell)):
        if norms is None or not (norms > limits.exploded).any():
            continue
        timestep, largest = int(np.nanargmax(norms)) % norms.shape[1], float(np.nanmax(norms))
        yield alert_about(
            analysis.snapshot,
            "exploding_gradient",
            f"|d {letter}_T / d {letter}_t| grows to {largest:.2g}; healthy is at most "
            f"{limits.exploded:g}",
            largest,
            limits.exploded,
            against_growth(analysis),
            timestep=timestep,
        )
        return


def _shortest(healthy: float, training: TrainingState, limits: Thresholds) -> float:
    """The shortest horizon that a layer may have.

    A task may need no memory. While the loss falls, or where it is not known, only a layer that
    forgets at once is worth a word: a new one does not.
    """
    return healthy if training.loss == "still" else min(healthy, limits.forgotten)


def _while(training: TrainingState) -> str:
    return ", and the loss stands still" if training.loss == "still" else ""


def _memory_gradient(analysis: Analysis) -> Array | None:
    """The norms of the gradient by the state with the longest memory.

    Returns:
        `(steps,)`, the largest norm over the sequences, at the steps that are valid in any of them;
        None if there is no gradient, no valid step, or a norm that is not finite.
    """
    gradient = analysis.gradient
    if gradient is None:
        return None
    norms = gradient.hidden if gradient.cell is None else gradient.cell
    if analysis.trace.mask is not None:
        norms = np.where(analysis.trace.mask, norms, 0.0)[:, analysis.trace.mask.any(axis=0)]
    return norms.max(axis=0) if norms.size and np.isfinite(norms).all() else None
