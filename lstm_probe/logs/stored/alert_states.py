"""Which alerts of a run stand, from what the log says of each capture."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

from lstm_probe.logs.stored.point import Point

__all__ = ["AlertStates"]

#: Of more alerts the oldest are no longer told.
_MOST = 1000


class AlertStates:
    """Follows the alerts of a run from capture to capture.

    Example:
        >>> alert = {"rule": "dead_units", "layer": "memory", "step": 5, "text": "..."}
        >>> states = AlertStates()
        >>> states.add(Point(5, None, {}, [alert]))
        >>> [each["rule"] for each in states.standing]
        ['dead_units']
        >>> states.add(Point(9, None, {}, [], cleared=[alert]))
        >>> states.standing, [(each["state"], each["until"]) for each in states.told()]
        ([], [('cleared', 9)])
    """

    def __init__(self) -> None:
        self._raised: deque[dict[str, Any]] = deque(maxlen=_MOST)
        self._standing: dict[tuple[Any, ...], dict[str, Any]] = {}
        self._noted: list[dict[str, Any]] = []

    @property
    def standing(self) -> list[dict[str, Any]]:
        """The alerts that stand, in the order in which they began to."""
        return list(self._standing.values())

    def add(self, point: Point) -> None:
        """Go on by one capture."""
        for alert in point.cleared:
            ended = self._standing.pop(_key(alert), None)
            if ended is not None:
                ended |= {"state": "cleared", "until": point.step}
        for alert in point.alerts:
            self._standing[_key(alert)] = begun = _told(alert, point, "standing")
            self._raised.append(begun)
        self._noted = [_told(alert, point, "noted") for alert in point.noted]

    def told(self) -> list[dict[str, Any]]:
        """All alerts, the newest first; of those that were only noted, the ones that still are.

        Returns:
            The alerts as the log holds them, with a `state` (`standing`, `noted` or `cleared`) and,
            of those that have cleared, the step `until` which they stood.
        """
        told = [dict(alert) for alert in (*self._raised, *self._noted)]
        return sorted(told, key=lambda alert: -alert.get("until", alert["step"]))


def _told(alert: Mapping[str, Any], point: Point, state: str) -> dict[str, Any]:
    return {"step": point.step, **alert, "state": state}


def _key(alert: Mapping[str, Any]) -> tuple[Any, ...]:
    """What makes two alerts the same, as for `AlertBoard`."""
    by_gate = alert.get("rule") == "saturated_gates"
    return alert["layer"], alert.get("rule"), alert.get("gate") if by_gate else None
