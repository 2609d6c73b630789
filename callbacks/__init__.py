"""What attaches lstm_probe to a training run.

Frameworks are imported when a name that needs them is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lstm_probe.core import addresses

if TYPE_CHECKING:
    from lstm_probe.callbacks.keras_callback import ProbeCallback
    from lstm_probe.callbacks.session_hook import ProbeHook
    from lstm_probe.callbacks.torch_probe import TorchProbe
    from lstm_probe.logs.report import LayerReport, Report
    from lstm_probe.models.session.cells import legacy_cells
    from lstm_probe.models.session.fused import FusedCell

__all__ = [
    "FusedCell",
    "LayerReport",
    "ProbeCallback",
    "ProbeHook",
    "Report",
    "TorchProbe",
    "legacy_cells",
]

_HOMES = {
    "FusedCell": "lstm_probe.models.session.fused",
    "LayerReport": "lstm_probe.logs.report",
    "ProbeCallback": "lstm_probe.callbacks.keras_callback",
    "ProbeHook": "lstm_probe.callbacks.session_hook",
    "Report": "lstm_probe.logs.report",
    "TorchProbe": "lstm_probe.callbacks.torch_probe",
    "legacy_cells": "lstm_probe.models.session.cells",
}


def __getattr__(name: str) -> Any:
    if f"lstm_probe.callbacks.{name}" in addresses.NAMES:
        return addresses.former(f"lstm_probe.callbacks.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
