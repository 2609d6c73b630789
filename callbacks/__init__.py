"""What attaches lstm_probe to a training run.

Frameworks are imported when a name that needs them is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lstm_probe.callbacks.keras_callback import ProbeCallback
    from lstm_probe.callbacks.session_hook import ProbeHook
    from lstm_probe.models.keras.reader import capture
    from lstm_probe.models.session.cells import legacy_cells
    from lstm_probe.models.session.fused import FusedCell

__all__ = ["FusedCell", "ProbeCallback", "ProbeHook", "capture", "legacy_cells"]

_HOMES = {
    "FusedCell": "lstm_probe.models.session.fused",
    "ProbeCallback": "lstm_probe.callbacks.keras_callback",
    "ProbeHook": "lstm_probe.callbacks.session_hook",
    "capture": "lstm_probe.models.keras.reader",
    "legacy_cells": "lstm_probe.models.session.cells",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
