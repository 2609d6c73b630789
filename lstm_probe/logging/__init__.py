"""TensorBoard event files, written by ourselves."""

from lstm_probe.logging.event_file import EventFile, last_step
from lstm_probe.logging.run_log import RunLog

__all__ = ["EventFile", "RunLog", "last_step"]
