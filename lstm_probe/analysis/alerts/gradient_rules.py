"""The two rules about the gradient through time: it vanishes, or it explodes.

Source:
    Pascanu, Mikolov & Bengio 2013, "On the difficulty of training recurrent neural networks".
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from lstm_probe.analysis.alerts.alert import Alert, Thresholds, alert_about
from lstm_probe.analysis.analysis import Analysis
from lstm_probe.analysis.change.dynamics import Dynamics
from lstm_probe.core.arrays import Array
from lstm_probe.core.precision import UNIT_ROUNDOFF

__all__ = ["exploding_gradient", "vanishing_gradient"]


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


def vanishing_gradient(
    analysis: Analysis, _: Dynamics | None, limits: Thresholds
) -> Iterator[Alert]:
    """Too many steps have a gradient that is lost in rounding."""
    norms = _memory_gradient(analysis)
    if norms is None or norms.size < limits.min_steps:
        return
    lost = norms < UNIT_ROUNDOFF["float32"] * norms.max()
    if lost.mean() > limits.vanished:
        assert analysis.gradient is not None
        letter = analysis.gradient.memory
        yield alert_about(
            analysis.snapshot,
            "vanishing_gradient",
            f"|d {letter}_T / d {letter}_t| is lost in rounding at {lost.sum()} of {lost.size} "
            f"steps; per step back it shrinks to {analysis.gradient.decay[letter]:.2g}",
            float(lost.mean()),
            limits.vanished,
            "an LSTM or GRU; a forget bias near log(length of the sequences); shorter sequences",
        )


def exploding_gradient(
    analysis: Analysis, _: Dynamics | None, limits: Thresholds
) -> Iterator[Alert]:
    """A gradient grows too much on its way back."""
    gradient = analysis.gradient
    if gradient is None:
        return
    for letter, norms in (("h", gradient.hidden), ("c", gradient.cell)):
        if norms is None or not (norms > limits.exploded).any():
            continue
        timestep = int(np.nanargmax(norms)) % norms.shape[1]
        yield alert_about(
            analysis.snapshot,
            "exploding_gradient",
            f"|d {letter}_T / d {letter}_t| has grown; per step back by "
            f"{gradient.decay[letter]:.3g}",
            float(np.nanmax(norms)),
            limits.exploded,
            "clipnorm=1.0, an orthogonal recurrent kernel, or a lower learning rate",
            timestep=timestep,
        )
        return
