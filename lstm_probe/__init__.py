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
from lstm_probe.core import addresses, views
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.core.trace import GateTrace

if TYPE_CHECKING:
    from lstm_probe.analysis import Alert, AlertRules
    from lstm_probe.models import Probes, capture, explain, inspect

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
    "Probes",
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
    "show",
    "simple_rnn",
    "stack",
    "weights",
]

#: The package of each name that is imported when it is first used: `import lstm_probe` stays fast.
_HOMES = {
    "Alert": "lstm_probe.analysis",
    "AlertRules": "lstm_probe.analysis",
    "Probes": "lstm_probe.models",
    "capture": "lstm_probe.models",
    "explain": "lstm_probe.models",
    "inspect": "lstm_probe.models",
}


def show(what: Any, *, view: str = "", height: int = 640) -> Any:
    """The gate explorer in a cell of a notebook: Jupyter, JupyterLab, VS Code, Colab or marimo.

    It needs the extra `lstm_probe[notebook]`. No server runs and no port is opened: the page asks
    the kernel over the notebook's own connection. While a training in the same kernel keeps it
    busy, new captures still appear. Where no widgets run, as on GitHub, there is a picture instead.

    Args:
        what: a log directory, a probe or its report, whose log is followed while it is written; or
            an analysis, or several as a list or by name.
        view: what is looked at first: a link, or the end of one, that "Copy link" made.
        height: pixels, 200 to 4000.

    Returns:
        The widget, which a notebook displays if it is what a cell ends with. `close()` ends it.

    Raises:
        LstmProbeError: anywidget is not installed, there is no such directory, or it is something
            else.

    Example:
        >>> lstm_probe.show(probe)                  # doctest: +SKIP
        >>> lstm_probe.show("logs/run1")            # doctest: +SKIP
    """
    return views.view("show")(what, view=view, height=height)


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
