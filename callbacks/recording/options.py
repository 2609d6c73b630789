"""`Options`: what the Keras callback and the session hook hand on to the recorder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lstm_probe.analysis.alerts.board import OnAlert
from lstm_probe.logs.run_log import MAX_BYTES
from lstm_probe.logs.tags.summaries import Detail

__all__ = ["Options"]


@dataclass(frozen=True)
class Options:
    """How captures are taken and logged.

    Attributes:
        write_images: whether heatmaps are drawn.
        on_alert: what to do when an alert is raised: `log` a warning, log it and `stop` the
            training, or call a function with it; or `AlertRules` with one of these.
        detail: how much is logged: `scalars`, `gates` or `full`.
        max_overhead: the part of the training's time that captures may take; None for no limit.
        background: whether a thread of its own does what the training need not wait for.
        labels: a name for each timestep of the probe; None for numbers.
        max_log_bytes: how large the log may grow; from there on only numbers are logged.
    """

    write_images: bool = True
    on_alert: OnAlert = "log"
    detail: Detail = "gates"
    max_overhead: float | None = 0.01
    background: bool = False
    labels: Sequence[str] | None = None
    max_log_bytes: int | None = MAX_BYTES
