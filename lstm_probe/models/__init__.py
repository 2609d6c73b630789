"""From models, live or out of files, to snapshots."""

from typing import TYPE_CHECKING, Any

from lstm_probe.models.files.onnx_cells import cell_from_onnx, mask_from_onnx
from lstm_probe.models.inspection import inspect, open_model
from lstm_probe.models.opened import Opened

if TYPE_CHECKING:
    from lstm_probe.models.live import capture

__all__ = ["Opened", "capture", "cell_from_onnx", "inspect", "mask_from_onnx", "open_model"]


def __getattr__(name: str) -> Any:
    if name != "capture":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from lstm_probe.models.live import capture  # needs Keras or PyTorch

    return capture


def __dir__() -> list[str]:
    return sorted(__all__)
