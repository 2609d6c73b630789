"""See the gates of your LSTM while it trains.

The core needs NumPy only: weights, cells, traces, parity. The Keras callback is in
`lstm_probe.callbacks`.

Example:
    >>> import numpy as np
    >>> import lstm_probe
    >>> rng = np.random.default_rng(0)
    >>> cell = lstm_probe.weights.from_keras(rng.normal(size=(3, 8)), rng.normal(size=(2, 8)))
    >>> lstm_probe.lstm(rng.normal(size=(1, 5, 3)), cell).letters
    ('i', 'f', 'g', 'o', 'c', 'h')
"""

from typing import TYPE_CHECKING, Any

from lstm_probe import weights
from lstm_probe.analysis.analysis import Analysis, analyse
from lstm_probe.analysis.gradient.gradient import (
    Gradient,
    gradient_of_loss,
    gradient_through_time,
    jacobian_norms,
)
from lstm_probe.analysis.health.health import GateHealth, Health, measure_health, memory_horizon
from lstm_probe.analysis.parity.error import Parity, ParityError
from lstm_probe.analysis.parity.verdict import Verdict
from lstm_probe.analysis.snapshot import Snapshot
from lstm_probe.cells import (
    ConvLstmCell,
    GruCell,
    LstmCell,
    SimpleRnnCell,
    bidirectional,
    conv_lstm,
    gru,
    lstm,
    register_cell,
    simple_rnn,
    stack,
)
from lstm_probe.core import addresses
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.core.trace import GateTrace
from lstm_probe.weights import LstmWeights

if TYPE_CHECKING:
    from lstm_probe.analysis.alerts.board import (
        Alert,
        AlertBoard,
        AlertRules,
        Thresholds,
        find_alerts,
    )
    from lstm_probe.analysis.change.dynamics import Dynamics, measure_dynamics, measure_spectra
    from lstm_probe.analysis.change.spectra import SpectralNorms
    from lstm_probe.analysis.conventions.search import Convention, find_convention
    from lstm_probe.models import inspect
    from lstm_probe.models.files.onnx_cells import cell_from_onnx, mask_from_onnx

__version__ = "0.1.0"

__all__ = [
    "Alert",
    "AlertBoard",
    "AlertRules",
    "Analysis",
    "ConvLstmCell",
    "Convention",
    "Dynamics",
    "GateHealth",
    "GateTrace",
    "Gradient",
    "GruCell",
    "Health",
    "LstmCell",
    "LstmProbeError",
    "LstmWeights",
    "Parity",
    "ParityError",
    "SimpleRnnCell",
    "Snapshot",
    "SpectralNorms",
    "Thresholds",
    "Verdict",
    "__version__",
    "analyse",
    "bidirectional",
    "cell_from_onnx",
    "conv_lstm",
    "find_alerts",
    "find_convention",
    "gradient_of_loss",
    "gradient_through_time",
    "gru",
    "inspect",
    "jacobian_norms",
    "lstm",
    "mask_from_onnx",
    "measure_dynamics",
    "measure_health",
    "measure_spectra",
    "memory_horizon",
    "register_cell",
    "simple_rnn",
    "stack",
    "weights",
]

#: What is loaded when it is first asked for: `import lstm_probe` stays fast.
_HOMES = {
    **dict.fromkeys(
        ("Alert", "AlertBoard", "AlertRules", "Thresholds", "find_alerts"),
        "lstm_probe.analysis.alerts.board",
    ),
    **dict.fromkeys(("Convention", "find_convention"), "lstm_probe.analysis.conventions.search"),
    **dict.fromkeys(
        ("Dynamics", "measure_dynamics", "measure_spectra"), "lstm_probe.analysis.change.dynamics"
    ),
    **dict.fromkeys(("cell_from_onnx", "mask_from_onnx"), "lstm_probe.models.files.onnx_cells"),
    "inspect": "lstm_probe.models",
    "SpectralNorms": "lstm_probe.analysis.change.spectra",
}


addresses.serve()


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    if f"lstm_probe.{name}" in addresses.MOVED:
        return import_module(f"lstm_probe.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
