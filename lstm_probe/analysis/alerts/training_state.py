"""`TrainingState`: what the rules know of the training beyond what one capture shows."""

from __future__ import annotations

from dataclasses import dataclass

from lstm_probe.analysis.alerts.loss import LossState
from lstm_probe.analysis.change.dynamics import Dynamics

__all__ = ["TrainingState"]


@dataclass(frozen=True)
class TrainingState:
    """Where the training of a layer stands at a capture.

    Attributes:
        dynamics: what changed since the capture before; None if there is none.
        loss: whether the loss falls or stands still.
        began_at_zero: the arrays that held nothing but zeros at the first capture, by their names
            in logs: whatever such an array becomes, it becomes from nothing.

    Example:
        >>> TrainingState().loss
        'unknown'
    """

    dynamics: Dynamics | None = None
    loss: LossState = "unknown"
    began_at_zero: frozenset[str] = frozenset()
