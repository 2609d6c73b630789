"""The log of a training: TensorBoard event files, written by ourselves, and the report."""

from lstm_probe.logs.events.event_file import EventFile, last_step
from lstm_probe.logs.report import LayerReport, Report
from lstm_probe.logs.run_log import RunLog

__all__ = ["EventFile", "LayerReport", "Report", "RunLog", "last_step"]
