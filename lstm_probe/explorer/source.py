"""Reading captures through TensorBoard, with either of its two loaders."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock
from typing import Any

import numpy as np
from tensorboard import errors
from tensorboard.data.provider import DataProvider, RunTagFilter

from lstm_probe.core.errors import LstmProbeError
from lstm_probe.explorer.requests import MissingError, Scope
from lstm_probe.logs.stored.findings import read_findings
from lstm_probe.logs.stored.names import (
    CAPTURE,
    CAPTURES_TAG,
    FINDINGS,
    PLUGIN,
    PROBE,
    PROBE_SERIES,
    WEIGHTS,
    layers_with,
    stored_tag,
)
from lstm_probe.logs.stored.point import Point, parse_point

__all__ = ["CaptureSource"]

#: The loaders sample when they read a log. From what they have kept, all is asked for.
_ALL = 10**6
#: The keys of blobs are remembered for at most this many series.
_MOST_SERIES = 512
#: Seen with tensorboard-data-server 0.7.2: its keys are JSON, which it reads without escapes.
_QUOTES = (
    "TensorBoard's data server cannot read names with a quote or a backslash. Received: {tag!r} in "
    "run {run!r}. Expected: other names; or start TensorBoard with --load_fast=false."
)


class CaptureSource:
    """The captures in the logs that TensorBoard has loaded.

    Args:
        provider: TensorBoard's data provider.
    """

    def __init__(self, provider: DataProvider) -> None:
        self._provider = provider
        self._lock = Lock()
        self._keys: dict[tuple[str, str, str], dict[int, str]] = {}
        self._timelines: dict[tuple[str, str], tuple[Any, list[Point]]] = {}

    def runs(self, scope: Scope) -> list[dict[str, Any]]:
        """Name, layers, layers with weights and last step of every run. No data is read."""
        found = self._provider.list_blob_sequences(
            scope.context, experiment_id=scope.experiment, plugin_name=PLUGIN
        )
        return [
            {
                "name": run,
                "layers": sorted(layers_with(CAPTURE, found[run])),
                "weights": sorted(layers_with(WEIGHTS, found[run])),
                "last": max(int(series.max_step or 0) for series in found[run].values()),
            }
            for run in sorted(found)
        ]

    def steps(self, scope: Scope, run: str, layer: str) -> list[int]:
        """The steps at which a layer was captured, in order.

        Raises:
            MissingError: there is no such run or layer.
        """
        return sorted(self._refresh(scope, run, stored_tag(layer, CAPTURE)))

    def layers(self, scope: Scope, run: str) -> dict[str, list[int]]:
        """The steps of each layer of a run. The layers are in the order of the model.

        Raises:
            MissingError: there is no such run.
        """
        found = self._provider.read_blob_sequences(
            scope.context, downsample=_ALL, **self._where(scope, run, None)
        ).get(run)
        if not found:
            raise MissingError(f"There is no such run, or not any more. Received: {run!r}.")
        points = self._points(scope, run, downsample=1)
        order = list(points[-1].layers) if points else []
        names = sorted(layers_with(CAPTURE, found))
        names.sort(key=lambda name: order.index(name) if name in order else len(order))
        return {
            name: sorted(datum.step for datum in found[stored_tag(name, CAPTURE)]) for name in names
        }

    def timeline(self, scope: Scope, run: str) -> list[Point]:
        """One point for every capture of a run, by step; empty if the run has none."""
        where = self._where(scope, run, CAPTURES_TAG)
        found = self._provider.list_tensors(scope.context, **where).get(run, {}).get(CAPTURES_TAG)
        if found is None:
            return []
        version, key = (found.max_step, found.max_wall_time), (scope.experiment, run)
        with self._lock:
            known = self._timelines.get(key)
        if known is not None and known[0] == version:
            return known[1]
        points = self._points(scope, run, downsample=_ALL)
        with self._lock:
            _make_room(self._timelines)
            self._timelines[key] = version, points
        return points

    def findings_steps(self, scope: Scope, run: str, layer: str) -> list[int]:
        """The steps at which a layer was analysed, in order; empty if there is nothing."""
        try:
            return sorted(self._refresh(scope, run, stored_tag(layer, FINDINGS)))
        except MissingError:
            return []

    def findings(self, scope: Scope, run: str, layer: str, step: int) -> dict[str, Any]:
        """What the analyses say of a layer at one of these steps.

        Raises:
            MissingError: there is nothing at this step, or not any more.
            LstmProbeError: the bytes are damaged.
        """
        return read_findings(self._blob(scope, run, stored_tag(layer, FINDINGS), step))

    def capture(self, scope: Scope, run: str, layer: str, step: int) -> bytes:
        """A layer's stored capture.

        Raises:
            MissingError: there is none at this step, or not any more.
        """
        return self._blob(scope, run, stored_tag(layer, CAPTURE), step)

    def weights(self, scope: Scope, run: str, layer: str, step: int) -> bytes:
        """A layer's stored weights.

        Raises:
            MissingError: there are none at this step, or not any more.
        """
        return self._blob(scope, run, stored_tag(layer, WEIGHTS), step)

    def probe(self, scope: Scope, run: str) -> bytes:
        """The stored inputs and targets of a run's probe, the latest; empty if it has none."""
        tag = stored_tag(PROBE_SERIES, PROBE)
        try:
            steps = self._refresh(scope, run, tag)
        except MissingError:
            return b""
        return self._blob(scope, run, tag, max(steps))

    def _points(self, scope: Scope, run: str, *, downsample: int) -> list[Point]:
        where = self._where(scope, run, CAPTURES_TAG)
        found = self._provider.read_tensors(scope.context, downsample=downsample, **where)
        arrays = (np.asarray(each.numpy) for each in found.get(run, {}).get(CAPTURES_TAG, []))
        points = (parse_point(array.item()) for array in arrays if array.size == 1)
        return [point for point in points if point is not None]

    def _where(self, scope: Scope, run: str, tag: str | None) -> dict[str, Any]:
        return {
            "experiment_id": scope.experiment,
            "plugin_name": PLUGIN,
            "run_tag_filter": RunTagFilter([run], None if tag is None else [tag]),
        }

    def _blob(self, scope: Scope, run: str, tag: str, step: int) -> bytes:
        for keys in (self._known(scope, run, tag), None):
            # A key is no longer valid when its step is dropped or its run is written anew.
            key = (self._refresh(scope, run, tag) if keys is None else keys).get(step)
            if key is not None:
                try:
                    return self._provider.read_blob(scope.context, blob_key=key)
                except (errors.NotFoundError, KeyError):
                    continue
                except errors.InvalidArgumentError as error:
                    raise LstmProbeError(_QUOTES.format(run=run, tag=tag)) from error
        raise MissingError(
            f"There is no such capture, or not any more. Received: step {step} of {tag!r} in run "
            f"{run!r}. Expected: one of those that TensorBoard holds; it drops some of very long "
            "logs (--samples_per_plugin=lstm_probe=N keeps N)."
        )

    def _known(self, scope: Scope, run: str, tag: str) -> dict[int, str]:
        with self._lock:
            return self._keys.get((scope.experiment, run, tag), {})

    def _refresh(self, scope: Scope, run: str, tag: str) -> dict[int, str]:
        series: Sequence[Any] = (
            self._provider.read_blob_sequences(
                scope.context, downsample=_ALL, **self._where(scope, run, tag)
            )
            .get(run, {})
            .get(tag, [])
        )
        keys = {datum.step: datum.values[0].blob_key for datum in series if datum.values}
        if not keys:
            raise MissingError(
                f"There is no such series, or not any more. Received: {tag!r} in run {run!r}. "
                "Expected: a run and layer that TensorBoard holds."
            )
        with self._lock:
            _make_room(self._keys)
            self._keys[scope.experiment, run, tag] = keys
        return keys


def _make_room(table: dict[Any, Any]) -> None:
    while len(table) >= _MOST_SERIES:
        table.pop(next(iter(table)))
