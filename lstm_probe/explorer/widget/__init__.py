"""The explorer in a cell of a notebook, over the notebook's own connection to its kernel."""

from lstm_probe.explorer.widget.showing import bundle, show

__all__ = ["bundle", "show"]
