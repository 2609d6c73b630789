"""Where the views of a trace and of an analysis are: figures, notebook HTML and labelled data.

Views stand above the data that they show and import it. The data, which lies below, must not import
them in turn. So a method such as `GateTrace.plot` looks its view up by its address, as an entry
point does. The view is imported when somebody asks for it; no capture and no `analyse` does.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any, Final

__all__ = ["VIEWS", "view"]

#: The module and the function of each view, by the method that shows it.
VIEWS: Final = {
    "GateTrace.plot": ("lstm_probe.pictures.figure", "plot_trace"),
    "GateTrace._repr_html_": ("lstm_probe.pictures.notebook", "trace_html"),
    "GateTrace.to_xarray": ("lstm_probe.logs.export.labelled", "to_xarray"),
    "GateTrace.to_dataframe": ("lstm_probe.logs.export.labelled", "to_dataframe"),
    "Analysis._repr_html_": ("lstm_probe.pictures.notebook", "analysis_html"),
}


def view(method: str) -> Callable[..., Any]:
    """Import the function that draws or tabulates.

    Args:
        method: a key of `VIEWS`.

    Example:
        >>> view("GateTrace.plot").__name__
        'plot_trace'
    """
    module, function = VIEWS[method]
    found: Callable[..., Any] = getattr(import_module(module), function)
    return found
