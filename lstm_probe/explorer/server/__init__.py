"""The explorer from a server of its own: `lstm-probe serve`, without TensorBoard."""

from lstm_probe.explorer.server.access import Access, new_token
from lstm_probe.explorer.server.application import Application
from lstm_probe.explorer.server.serving import Serving

__all__ = ["Access", "Application", "Serving", "new_token"]
