"""How a value changed over the training: slices through all captures of a layer."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from threading import Lock
from typing import Any

import numpy as np

from lstm_probe.core.arrays import Array
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.explorer.captures import Captures
from lstm_probe.explorer.computed import CKA, EXPONENTS, MOST_COMPARED, cka_rows, exponent_rows
from lstm_probe.explorer.indices import place_of
from lstm_probe.explorer.requests import MissingError, Scope
from lstm_probe.logs.stored.checked import read_capture
from lstm_probe.logs.stored.format import Stored, evenly, pack
from lstm_probe.logs.stored.precision import best_gate, precision_of

__all__ = ["History"]

#: A picture has at most this many columns. Of more captures some are taken, at even distances.
_MOST_STEPS = 400
#: So many bytes of captures stay in memory, so that the next click need not read them again.
_CACHE_BYTES = 256 * 2**20


class History:
    """The courses of values over the training, read from the stored captures.

    Args:
        source: where the captures are.
    """

    def __init__(self, source: Captures) -> None:
        self._source = source
        self._lock = Lock()
        self._unpacked: OrderedDict[tuple[Any, ...], tuple[int, Stored]] = OrderedDict()
        self._bytes = 0

    def of_cell(self, scope: Scope, run: str, layer: str, cell: tuple[int, int, int]) -> bytes:
        """All gates of one unit at one timestep, over the training.

        Args:
            scope: whose data.
            run: the run.
            layer: the layer.
            cell: sequence, timestep and unit, as original indices.

        Returns:
            A safetensors file: `steps` and `gates/<letter>`, one number for each step. Its header
            says the `precision` in which all of them were stored.

        Raises:
            MissingError: there is no such run or layer, or the cell was not kept.
        """
        steps: list[int] = []
        gates: dict[str, list[float]] = {}
        precision = "float32"
        for step, stored in self._captures(scope, run, layer):
            names = [name for name in stored.arrays if name.startswith("gates/")]
            places = {name: place_of(stored, name.removeprefix("gates/"), cell) for name in names}
            if not any(places.values()):
                continue
            steps.append(step)
            precision = min(precision, precision_of(stored))
            for name, place in places.items():
                # A projected h is narrower than the cell, so a unit may have gates and no h.
                gate = best_gate(stored, name.removeprefix("gates/"))
                value = float("nan") if place is None else float(gate[place])
                gates.setdefault(name, []).append(value)
        if not steps:
            raise MissingError(
                f"Nothing is stored there. Received: sequence, timestep and unit {cell} of layer "
                f"{layer!r}. Expected: indices that were kept."
            )
        arrays = {name: np.array(values, np.float32) for name, values in gates.items()}
        meta = {"layer": layer, "run": run, "precision": precision}
        return pack({"steps": np.array(steps, np.float64), **arrays}, meta)

    def of_array(self, scope: Scope, run: str, layer: str, name: str) -> bytes:
        """One array of every capture, such as `horizon`, one row for each step.

        Args:
            scope: whose data.
            run: the run.
            layer: the layer.
            name: the name of an array with one axis; `error_by_timestep`, of the summaries; or a
                curve of `computed.py`.

        Returns:
            A safetensors file: `steps`, and `values` of shape `(steps, length)`.

        Raises:
            MissingError: there is no such run, layer or array.
        """
        rows = dict(self._rows(scope, run, layer, name))
        width = max((len(row) for row in rows.values()), default=0)
        # The layer may have been built anew with another width.
        kept = {step: row for step, row in rows.items() if len(row) == width}
        if not kept or not width:
            raise MissingError(
                f"No capture has such an array. Received: {name[:80]!r} of layer {layer!r}. "
                "Expected: one that this kind of cell has."
            )
        values = np.array(list(kept.values()), np.float32)
        return pack({"steps": np.array(list(kept), np.float64), "values": values}, {"name": name})

    def _rows(self, scope: Scope, run: str, layer: str, name: str) -> Iterator[tuple[int, Array]]:
        if name == "error_by_timestep":
            timeline = self._source.timeline(scope, run)
            for index in evenly(len(timeline), _MOST_STEPS) if timeline else ():
                point = timeline[index]
                row = point.layers.get(layer, {}).get(name)
                if row:
                    yield point.step, np.array([float(number) for number in row])
            return
        if name == EXPONENTS:
            yield from exponent_rows(self._findings(scope, run, layer))
            return
        if name == CKA:
            captures = self._captures(scope, run, layer, MOST_COMPARED)
            last = self._source.steps(scope, run, layer)[-1]
            yield from cka_rows(captures, self._capture(scope, run, layer, last))
            return
        for step, stored in self._captures(scope, run, layer):
            array = stored.arrays.get(name)
            if array is not None and array.ndim == 1:
                yield step, array

    def _findings(
        self, scope: Scope, run: str, layer: str
    ) -> Iterator[tuple[int, Mapping[str, Any]]]:
        steps = self._source.findings_steps(scope, run, layer)
        for index in evenly(len(steps), _MOST_STEPS):
            try:
                yield steps[index], self._source.findings(scope, run, layer, steps[index])
            except LstmProbeError:
                continue  # what is damaged or gone leaves a gap

    def _captures(
        self, scope: Scope, run: str, layer: str, most: int = _MOST_STEPS
    ) -> Iterator[tuple[int, Stored]]:
        steps = self._source.steps(scope, run, layer)
        for index in evenly(len(steps), most):
            try:
                yield steps[index], self._capture(scope, run, layer, steps[index])
            except LstmProbeError:
                continue  # a capture that is damaged or gone leaves a gap

    def _capture(self, scope: Scope, run: str, layer: str, step: int) -> Stored:
        key = (scope.experiment, run, layer, step)
        with self._lock:
            if key in self._unpacked:
                self._unpacked.move_to_end(key)
                return self._unpacked[key][1]
        data = self._source.capture(scope, run, layer, step)
        stored = read_capture(data)
        with self._lock:
            if key not in self._unpacked:
                self._unpacked[key] = len(data), stored
                self._bytes += len(data)
            while self._bytes > _CACHE_BYTES:
                self._bytes -= self._unpacked.popitem(last=False)[1][0]
        return stored
