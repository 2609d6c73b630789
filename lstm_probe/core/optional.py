"""Imports libraries that only an extra of lstm_probe installs."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from lstm_probe.core.errors import LstmProbeError

__all__ = ["optional_import"]


def optional_import(module: str, *, extra: str, purpose: str) -> ModuleType:
    """Import a library that may not be installed.

    Args:
        module: The name of the library.
        extra: The extra of lstm_probe that installs it.
        purpose: What needs the library. The message of the error begins with it.

    Raises:
        LstmProbeError: The library is not installed, or it cannot be imported.

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
