"""See the gates of your LSTM while it trains.

These are the names that most programs need. What an analysis consists of is in
`lstm_probe.analysis`, weights of all layouts are in `lstm_probe.weights`, and what attaches to a
training is in `lstm_probe.callbacks`. NumPy is enough to import this; a framework is imported
by what needs it.

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
from lstm_probe.analysis import Analysis, Snapshot, analyse
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

if TYPE_CHECKING:
    from lstm_probe.analysis import Alert, AlertRules
    from lstm_probe.models import capture, explain, inspect

__version__ = "0.1.0"

__all__ = [
    "Alert",
    "AlertRules",
    "Analysis",
    "ConvLstmCell",
    "GateTrace",
    "GruCell",
    "LstmCell",
    "LstmProbeError",
    "SimpleRnnCell",
    "Snapshot",
    "__version__",
    "analyse",
    "bidirectional",
    "capture",
    "conv_lstm",
    "explain",
    "gru",
    "inspect",
    "lstm",
    "register_cell",
    "simple_rnn",
    "stack",
    "weights",
]

#: The package of each name that is imported when it is first used: `import lstm_probe` stays fast.
_HOMES = {
    "Alert": "lstm_probe.analysis",
    "AlertRules": "lstm_probe.analysis",
    "capture": "lstm_probe.models",
    "explain": "lstm_probe.models",
    "inspect": "lstm_probe.models",
}


addresses.serve()


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    if f"lstm_probe.{name}" in addresses.NAMES:
        return addresses.former(f"lstm_probe.{name}")
    if f"lstm_probe.{name}" in addresses.MODULES:
        return import_module(f"lstm_probe.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
