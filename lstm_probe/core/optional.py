"""Libraries that are installed with an extra, imported when they are asked for."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from lstm_probe.core.errors import LstmProbeError

__all__ = ["optional_import"]


def optional_import(module: str, *, extra: str, purpose: str) -> ModuleType:
    """Import a library that not every installation has.

    Args:
        module: its name.
        extra: the extra of lstm_probe that installs it.
        purpose: what needs it, for the message.

    Raises:
        LstmProbeError: it is not installed, or cannot be imported.

    Example:
        >>> optional_import("json", extra="export", purpose="An example").__name__
        'json'
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise LstmProbeError(
            f"{purpose} needs {module}. Received: {error}. Expected: an installation with it: "
            f'pip install "lstm_probe[{extra}]".'
        ) from error
