"""`Reactions`: what happens when an alert is raised."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from lstm_probe.analysis.alerts.board import Alert, OnAlert
from lstm_probe.callbacks.recording.guard import Guard
from lstm_probe.core.warn import warn

__all__ = ["Reactions"]

_log = logging.getLogger(__name__)


class Reactions:
    """Warns of alerts, asks the training to stop, or calls a function with them.

    Args:
        on_alert: `"log"`, `"stop"` or the function.
        guard: the function is the user's: a failure of it is warned of, once.

    Attributes:
        stop_training: an alert has asked for it.

    Example:
        >>> from lstm_probe import Alert
        >>> alert = Alert("dead_units", "lstm", 100, "10 of 16 units never move", 0.6, 0.5, "wait")
        >>> reactions = Reactions("stop", Guard())
        >>> reactions.to([alert], hopeless=True)
        >>> reactions.stop_training
        True
    """

    def __init__(self, on_alert: OnAlert, guard: Guard) -> None:
        self._on_alert, self._guard = on_alert, guard
        self.stop_training = False

    def to(self, alerts: Iterable[Alert], *, hopeless: bool) -> None:
        """React to what begins to stand, and to the state of the whole.

        Args:
            alerts: those that begin to stand.
            hopeless: an illness stands, and so does the loss, if it is known.
        """
        for alert in alerts:
            self._to(alert)
        self.stop_training = self.stop_training or (hopeless and self._on_alert == "stop")

    def _to(self, alert: Alert) -> None:
        if callable(self._on_alert):
            on_alert = self._on_alert
            self._guard.run(f"calling on_alert at step {alert.step}", lambda: on_alert(alert))
            return
        warn(_log, "%s", alert)
