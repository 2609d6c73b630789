"""The addresses of the views of traces, analyses, reports and probes: figures, HTML, labelled data
and the explorer in a notebook.

A view imports the data that it shows, so the data must not import the view. A method such as
`GateTrace.plot` looks its view up by its address, as an entry point does. The view is imported when
somebody asks for it. No capture and no `analyse` asks for one.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any, Final

__all__ = ["VIEWS", "view"]

#: The module and the function of each view, by the method that calls it.
VIEWS: Final = {
    "GateTrace.plot": ("lstm_probe.pictures.figure", "plot_trace"),
    "GateTrace._repr_html_": ("lstm_probe.pictures.notebook", "trace_html"),
    "GateTrace.to_xarray": ("lstm_probe.logs.export.labelled", "to_xarray"),
    "GateTrace.to_dataframe": ("lstm_probe.logs.export.labelled", "to_dataframe"),
    "Analysis._repr_html_": ("lstm_probe.pictures.notebook", "analysis_html"),
    "show": ("lstm_probe.explorer.widget", "show"),
    "_repr_mimebundle_": ("lstm_probe.explorer.widget", "bundle"),
    "Explained._repr_html_": ("lstm_probe.pictures.notebook", "explained_html"),
}


def view(method: str) -> Callable[..., Any]:
    """Import the function of a view.

    Args:
        method: A key of `VIEWS`.

    Example:
        >>> view("GateTrace.plot").__name__
        'plot_trace'
    """
    module, function = VIEWS[method]
    found: Callable[..., Any] = getattr(import_module(module), function)
    return found
