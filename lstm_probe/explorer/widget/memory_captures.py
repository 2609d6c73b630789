"""Captures in memory: analyses that nobody has logged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lstm_probe.analysis.analysis import Analysis
from lstm_probe.explorer.requests import MissingError, Scope
from lstm_probe.logs.stored.course import point_of
from lstm_probe.logs.stored.format import as_json
from lstm_probe.logs.stored.point import Point, parse_point
from lstm_probe.logs.stored.values import gates_value, weights_value

__all__ = ["RUN", "MemoryCaptures"]

#: The name of the one run.
RUN = "analysis"


class MemoryCaptures:
    """Some analyses as the captures of one run, stored as a log would store them.

    Args:
        analyses: at least one; of a layer and step that come twice the last counts.
    """

    def __init__(self, analyses: Sequence[Analysis]) -> None:
        steps = sorted({each.snapshot.step for each in analyses})
        self._layers: dict[str, dict[int, Analysis]] = {}
        for each in sorted(analyses, key=lambda each: each.snapshot.step):
            self._layers.setdefault(each.snapshot.layer, {})[each.snapshot.step] = each
        self._points = [self._point(step) for step in steps]

    def _point(self, step: int) -> Point:
        summaries = [each[step].summary() for each in self._layers.values() if step in each]
        point = parse_point(as_json(point_of(summaries, step=step).as_data()))
        assert point is not None
        return point

    def runs(self, scope: Scope) -> list[dict[str, Any]]:
        """As `Captures.runs`."""
        names = sorted(self._layers)
        last = self._points[-1].step
        return [{"name": RUN, "layers": names, "weights": names, "last": last}]

    def layers(self, scope: Scope, run: str) -> dict[str, list[int]]:
        """As `Captures.layers`."""
        if run != RUN:
            raise MissingError(f"There is no such run. Received: {run!r}. Expected: {RUN!r}.")
        return {name: list(steps) for name, steps in self._layers.items()}

    def steps(self, scope: Scope, run: str, layer: str) -> list[int]:
        """As `Captures.steps`."""
        layers = self.layers(scope, run)
        if layer not in layers:
            raise MissingError(f"There is no such layer. Received: {layer!r}.")
        return layers[layer]

    def timeline(self, scope: Scope, run: str) -> list[Point]:
        """As `Captures.timeline`."""
        return self._points if run == RUN else []

    def findings_steps(self, scope: Scope, run: str, layer: str) -> list[int]:
        """As `Captures.findings_steps`: nothing has been asked for."""
        return []

    def findings(self, scope: Scope, run: str, layer: str, step: int) -> dict[str, Any]:
        """As `Captures.findings`."""
        raise MissingError(f"Nothing has been analysed. Received: step {step} of {layer!r}.")

    def capture(self, scope: Scope, run: str, layer: str, step: int) -> bytes:
        """As `Captures.capture`."""
        value = gates_value(self._analysis(scope, run, layer, step), float32=True)
        return bytes(value.tensor.string_val[0])

    def weights(self, scope: Scope, run: str, layer: str, step: int) -> bytes:
        """As `Captures.weights`."""
        value = weights_value(self._analysis(scope, run, layer, step))
        return bytes(value.tensor.string_val[0])

    def probe(self, scope: Scope, run: str) -> bytes:
        """As `Captures.probe`: analyses hold what layers read, and not what their model did."""
        return b""

    def _analysis(self, scope: Scope, run: str, layer: str, step: int) -> Analysis:
        if step not in self.steps(scope, run, layer):
            raise MissingError(f"There is no such capture. Received: step {step} of {layer!r}.")
        return self._layers[layer][step]
