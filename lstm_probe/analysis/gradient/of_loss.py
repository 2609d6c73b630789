"""The gradient of a loss with respect to the states and inputs of a layer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lstm_probe.analysis.gradient.sequence import run_of, to_input_time, to_states
from lstm_probe.analysis.snapshot import Snapshot
from lstm_probe.cells.walk import walk_back
from lstm_probe.core.arrays import Array
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.core.trace import GateTrace

__all__ = ["LossGradient", "gradient_of_loss"]


@dataclass(frozen=True, eq=False)
class LossGradient:
    """The gradient of a loss `L` with respect to what a layer computes and reads, in float64.

    All arrays are in the order of the input's time.

    Attributes:
        hidden: `(batch, time, units)`, `d L / d h_t`.
        cell: `(batch, time, units)`, `d L / d c_t`; None for a cell without a cell state.
        inputs: `(batch, time, input)`, `d L / d x_t`.

    Example:
        >>> zeros = np.zeros((1, 5, 2))
        >>> LossGradient(hidden=zeros, cell=None, inputs=np.zeros((1, 5, 3))).inputs.shape
        (1, 5, 3)
    """

    hidden: Array
    cell: Array | None
    inputs: Array


def gradient_of_loss(
    snapshot: Snapshot, trace: GateTrace, cotangent: npt.ArrayLike
) -> LossGradient | None:
    """Take the gradient of a loss back through a layer.

    Args:
        snapshot: what was captured.
        trace: its gates, recomputed in float64.
        cotangent: `d L / d output`: `(batch, time, units)` in the order of the input's time, or
            `(batch, units)` for the step that the layer computes last.

    Returns:
        The gradient; None for a cell whose derivatives are not known.

    Raises:
        LstmProbeError: the cotangent does not fit the output.

    Source:
        Werbos 1990, "Backpropagation through time: what it does and how to do it".

    Example:
        >>> import lstm_probe
        >>> rng = np.random.default_rng(0)
        >>> w = lstm_probe.weights.from_keras(rng.normal(size=(3, 8)), rng.normal(size=(2, 8)))
        >>> x = rng.normal(size=(1, 5, 3))
        >>> trace = lstm_probe.lstm(x, w)
        >>> seen = lstm_probe.Snapshot(0, "lstm", lstm_probe.LstmCell(), w, x=x, output=trace.h)
        >>> gradient_of_loss(seen, trace, np.ones((1, 2))).inputs.shape
        (1, 5, 3)
    """
    by_output = _of_all_steps(np.asarray(cotangent, np.float64), snapshot)
    run = run_of(snapshot, trace)
    if run is None or snapshot.cell is None:
        return None
    with np.errstate(all="ignore"):
        reading = by_output[:, ::-1] if snapshot.reverse else by_output
        seeds = {k: np.zeros((1, 1, *state.shape)) for k, state in run.initial.items()}
        seeds["h"] = to_states(reading.swapaxes(0, 1), run, snapshot)[:, None]
        walk = walk_back(snapshot.cell, run, seeds, inputs=True)
    states = {k: to_input_time(v[:, 0], snapshot) for k, v in walk.states.items()}
    assert walk.inputs is not None
    inputs = to_input_time(walk.inputs[:, 0], snapshot)
    return LossGradient(states["h"], states.get("c"), inputs)


def _of_all_steps(cotangent: Array, snapshot: Snapshot) -> Array:
    """The cotangent as `(batch, time, units)`; that of the last step is zero at all others."""
    batch, time, units = snapshot.output.shape
    if cotangent.shape == (batch, time, units):
        return cotangent
    if cotangent.shape != (batch, units):
        raise LstmProbeError(
            f"The cotangent does not fit the output of layer {snapshot.layer!r}. Received: shape "
            f"{cotangent.shape}. Expected: (batch, time, units) = {(batch, time, units)}, or "
            f"{(batch, units)} for the last step."
        )
    by_output = np.zeros((batch, time, units))
    by_output[:, snapshot.last] = cotangent
    return by_output
