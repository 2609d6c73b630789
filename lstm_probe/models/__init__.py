"""From models, live or out of files, to snapshots."""

from typing import TYPE_CHECKING, Any

from lstm_probe.models.files.onnx_cells import cell_from_onnx, mask_from_onnx
from lstm_probe.models.inspection import inspect, open_model
from lstm_probe.models.named_probes import Probes
from lstm_probe.models.opened import Opened

if TYPE_CHECKING:
    from lstm_probe.models.explaining import explain
    from lstm_probe.models.live import capture

__all__ = [
    "Opened",
    "Probes",
    "capture",
    "cell_from_onnx",
    "explain",
    "inspect",
    "mask_from_onnx",
    "open_model",
]

#: The module of each name that is imported when it is first used.
_HOMES = {"capture": "lstm_probe.models.live", "explain": "lstm_probe.models.explaining"}


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
