"""What a snapshot means: recomputed gates, the proof that they are true, and what they say.

What is seldom needed is imported from its own file: alerts, conventions, changes.
"""

from lstm_probe.analysis.analysis import Analysis, analyse
from lstm_probe.analysis.gradient.gradient import (
    Gradient,
    LossGradient,
    gradient_of_loss,
    gradient_through_time,
    jacobian_norms,
)
from lstm_probe.analysis.health.health import GateHealth, Health, measure_health, memory_horizon
from lstm_probe.analysis.parity.error import Parity, ParityError
from lstm_probe.analysis.parity.verdict import Place, Verdict
from lstm_probe.analysis.snapshot import Snapshot

__all__ = [
    "Analysis",
    "GateHealth",
    "Gradient",
    "Health",
    "LossGradient",
    "Parity",
    "ParityError",
    "Place",
    "Snapshot",
    "Verdict",
    "analyse",
    "gradient_of_loss",
    "gradient_through_time",
    "jacobian_norms",
    "measure_health",
    "memory_horizon",
]
