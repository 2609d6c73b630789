"""What a snapshot means: the recomputed gates, the proof that they are true, and what they say.

`analyse` turns a snapshot into an `Analysis`: the trace of all gates, the parity error with its
verdict, the health of the gates and the gradient through time. What an analysis does not need, such
as alerts and learning dynamics, is imported when its name is first used.

Example:
    >>> import numpy as np
    >>> from lstm_probe.analysis import Snapshot, analyse, find_alerts
    >>> from lstm_probe.cells import LstmCell
    >>> from lstm_probe.weights import from_keras
    >>> weights = from_keras(np.zeros((3, 8)), np.zeros((2, 8)))
    >>> x, h = np.zeros((1, 5, 3)), np.zeros((1, 5, 2))
    >>> analysis = analyse(Snapshot(0, "memory", LstmCell(), weights, x=x, output=h))
    >>> str(analysis.parity.verdict), [alert.rule for alert in find_alerts(analysis)]
    ('match', ['dead_units'])
"""

from typing import TYPE_CHECKING, Any

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
from lstm_probe.analysis.words.answers import Answer

if TYPE_CHECKING:
    from lstm_probe.analysis.ablation.ablation import Ablation, ablate
    from lstm_probe.analysis.alerts.alert import Alert, Thresholds
    from lstm_probe.analysis.alerts.board import AlertBoard, AlertRules, find_alerts
    from lstm_probe.analysis.attribution.attribution import Attribution, attribute
    from lstm_probe.analysis.change.dynamics import Dynamics, measure_dynamics, measure_spectra
    from lstm_probe.analysis.change.spectra import SpectralNorms
    from lstm_probe.analysis.conventions.search import Convention, find_convention
    from lstm_probe.analysis.geometry.cka import linear_cka, participation_ratio
    from lstm_probe.analysis.geometry.geometry import Geometry, measure_geometry
    from lstm_probe.analysis.need.need import Need, measure_need
    from lstm_probe.analysis.stability.fixed_points import FixedPoints, find_fixed_points
    from lstm_probe.analysis.stability.lyapunov import Lyapunov, lyapunov_exponents
    from lstm_probe.analysis.stability.spectrum import JacobianSpectrum, jacobian_spectrum
    from lstm_probe.analysis.stability.stability import Stability, measure_stability
    from lstm_probe.analysis.stability.structures import Structure
    from lstm_probe.analysis.tracking.result import Tracking
    from lstm_probe.analysis.tracking.tracking import track

__all__ = [
    "Ablation",
    "Alert",
    "AlertBoard",
    "AlertRules",
    "Analysis",
    "Answer",
    "Attribution",
    "Convention",
    "Dynamics",
    "FixedPoints",
    "GateHealth",
    "Geometry",
    "Gradient",
    "Health",
    "JacobianSpectrum",
    "LossGradient",
    "Lyapunov",
    "Need",
    "Parity",
    "ParityError",
    "Place",
    "Snapshot",
    "SpectralNorms",
    "Stability",
    "Structure",
    "Thresholds",
    "Tracking",
    "Verdict",
    "ablate",
    "analyse",
    "attribute",
    "find_alerts",
    "find_convention",
    "find_fixed_points",
    "gradient_of_loss",
    "gradient_through_time",
    "jacobian_norms",
    "jacobian_spectrum",
    "linear_cka",
    "lyapunov_exponents",
    "measure_dynamics",
    "measure_geometry",
    "measure_health",
    "measure_need",
    "measure_spectra",
    "measure_stability",
    "memory_horizon",
    "participation_ratio",
    "track",
]

#: The module of each name that is imported when it is first used: `import lstm_probe` stays fast.
_HOMES = {
    **dict.fromkeys(("Ablation", "ablate"), "lstm_probe.analysis.ablation.ablation"),
    **dict.fromkeys(("Alert", "Thresholds"), "lstm_probe.analysis.alerts.alert"),
    **dict.fromkeys(
        ("AlertBoard", "AlertRules", "find_alerts"), "lstm_probe.analysis.alerts.board"
    ),
    **dict.fromkeys(("Attribution", "attribute"), "lstm_probe.analysis.attribution.attribution"),
    **dict.fromkeys(("Convention", "find_convention"), "lstm_probe.analysis.conventions.search"),
    **dict.fromkeys(
        ("Dynamics", "measure_dynamics", "measure_spectra"), "lstm_probe.analysis.change.dynamics"
    ),
    "Tracking": "lstm_probe.analysis.tracking.result",
    "track": "lstm_probe.analysis.tracking.tracking",
    "SpectralNorms": "lstm_probe.analysis.change.spectra",
    **dict.fromkeys(
        ("FixedPoints", "find_fixed_points"), "lstm_probe.analysis.stability.fixed_points"
    ),
    **dict.fromkeys(
        ("JacobianSpectrum", "jacobian_spectrum"), "lstm_probe.analysis.stability.spectrum"
    ),
    **dict.fromkeys(("Geometry", "measure_geometry"), "lstm_probe.analysis.geometry.geometry"),
    **dict.fromkeys(("linear_cka", "participation_ratio"), "lstm_probe.analysis.geometry.cka"),
    **dict.fromkeys(("Need", "measure_need"), "lstm_probe.analysis.need.need"),
    **dict.fromkeys(("Stability", "measure_stability"), "lstm_probe.analysis.stability.stability"),
    "Structure": "lstm_probe.analysis.stability.structures",
    **dict.fromkeys(("Lyapunov", "lyapunov_exponents"), "lstm_probe.analysis.stability.lyapunov"),
}


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
