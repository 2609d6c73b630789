"""`RunCourse`: what the gates say, while the run is written."""

from __future__ import annotations

from lstm_probe.analysis.words.answers import Answer, Figures, answers
from lstm_probe.logs.stored.alert_states import AlertStates
from lstm_probe.logs.stored.course import figures_of_point
from lstm_probe.logs.stored.point import Point

__all__ = ["RunCourse"]

#: Of more captures every other one is forgotten, so that a long training takes no more memory.
_MOST = 256


class _Thinned:
    """The figures of one layer, evenly spaced over its captures, and those of the latest."""

    def __init__(self) -> None:
        self._kept: list[Figures] = []
        self._latest: Figures | None = None
        self._seen, self._every = 0, 1

    def add(self, figures: Figures) -> None:
        if self._latest is not None and self._latest.step != figures.step:
            if self._seen % self._every == 0:
                self._kept.append(self._latest)
            self._seen += 1
            if len(self._kept) == _MOST:
                del self._kept[1::2]
                self._every *= 2
        self._latest = figures

    @property
    def all(self) -> list[Figures]:
        return [*self._kept, *([] if self._latest is None else [self._latest])]


class RunCourse:
    """Follows the captures of a run, and tells what its layers' gates say at the latest.

    `answers_at` says the same from a log. Beyond 256 captures it knows more of them than this
    does, so that the steps between which a gate has moved may be told more exactly.

    Example:
        >>> course = RunCourse()
        >>> figures = {"timesteps": 9, "units": 3, "longest_horizon": 2.5, "longest_unit": 1}
        >>> course.add(Point(5, None, {"memory": figures}, []))
        >>> [str(answer) for answer in course.answers()["memory"]]
        ['The longest memory is 2.5 of 9 steps (unit 1).', 'Nothing is wrong.']
    """

    def __init__(self) -> None:
        self._layers: dict[str, _Thinned] = {}
        self._alerts = AlertStates()

    def add(self, point: Point) -> None:
        """Go on by one capture; one at the same step as the last takes its place."""
        self._alerts.add(point)
        for layer in point.layers:
            figures = figures_of_point(point, layer)
            if figures is not None:
                self._layers.setdefault(layer, _Thinned()).add(figures)

    def answers(self) -> dict[str, list[Answer]]:
        """What the gates of each layer say at its latest capture, by the layer's name."""
        standing = self._alerts.standing
        return {
            layer: answers(course.all, [alert for alert in standing if alert["layer"] == layer])
            for layer, course in self._layers.items()
        }
