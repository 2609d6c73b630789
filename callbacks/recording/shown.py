"""What a probe shows of itself in a notebook."""

from __future__ import annotations

from typing import Any

from lstm_probe.core.views import view

__all__ = ["ShownInNotebooks"]


class ShownInNotebooks:
    """A probe at the end of a cell shows the gate explorer, if anywidget is installed."""

    def _repr_mimebundle_(self, **options: Any) -> Any:
        return view("_repr_mimebundle_")(self, **options)
