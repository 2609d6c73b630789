"""The log of a training: event files for TensorBoard, and the report at the end.

A name is imported when it is first used: callbacks that are switched off import no TensorBoard.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lstm_probe.logs.events.event_file import EventFile, last_step
    from lstm_probe.logs.report import LayerReport, Report
    from lstm_probe.logs.run_log import RunLog

__all__ = ["EventFile", "LayerReport", "Report", "RunLog", "last_step"]

_HOMES = {
    "EventFile": "lstm_probe.logs.events.event_file",
    "LayerReport": "lstm_probe.logs.report",
    "Report": "lstm_probe.logs.report",
    "RunLog": "lstm_probe.logs.run_log",
    "last_step": "lstm_probe.logs.events.event_file",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
