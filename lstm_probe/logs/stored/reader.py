"""Reading a log back, also while the training still writes it."""

from __future__ import annotations

from collections.abc import Iterator
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary

from lstm_probe.core.errors import LstmProbeError
from lstm_probe.logs.events.event_file import event_files
from lstm_probe.logs.events.records import read_records
from lstm_probe.logs.stored.checked import read_capture
from lstm_probe.logs.stored.findings import read_findings
from lstm_probe.logs.stored.format import Stored, unpack
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

__all__ = ["RunReader", "find_runs"]

_SCALARS = "scalars"
_PROBE_TAG = stored_tag(PROBE_SERIES, PROBE)
#: The ends of tags that have fewer values than captures, which are not dropped with these.
_ONCE = (f"/{PROBE}", f"/{FINDINGS}")


class _Place(NamedTuple):
    """Where a value is: the file, the offset of its record, and its number in that record."""

    path: Path
    offset: int
    number: int


class RunReader:
    """One run: a directory of event files that lstm_probe wrote.

    Only the places of the values are held in memory; arrays are read on request. A record that is
    cut off or damaged ends the reading of its file, as it does in TensorBoard.

    Args:
        directory: that of the event files.
        most: how many steps are kept at most; None for all. When there are more, every second one
            of those kept so far is dropped, so that a log that grows for days takes no more memory.
            Steps at which an alert begins, ends or is noted stay in the course.

    Example:
        >>> import tempfile
        >>> RunReader(Path(tempfile.mkdtemp())).layers
        ()
    """

    def __init__(self, directory: Path, *, most: int | None = None) -> None:
        self.directory = directory
        self._most = most
        self._blobs: dict[str, dict[int, _Place]] = {}
        self._scalars: dict[str, dict[int, float]] = {}
        # The texts of points that nobody has asked for yet, and the points of the others.
        self._unread: dict[int, bytes] = {}
        self._course: dict[int, Point] = {}
        self._read_to: dict[Path, int] = {}
        self.refresh()

    def refresh(self) -> None:
        """Read what has been written since the last time."""
        for path in event_files(self.directory):
            for offset, event, end in _events(path, self._read_to.get(path, 0)):
                self._read_to[path] = end
                for index, value in enumerate(event.summary.value):
                    self._add(value, event.step, _Place(path, offset, index))
                self._make_room()

    @property
    def is_stale(self) -> bool:
        """Whether a file that was read is gone or shorter now: what is known of it is not true."""
        try:
            return any(path.stat().st_size < end for path, end in self._read_to.items())
        except OSError:  # gone, or not to be read any more
            return True

    def _add(self, value: Summary.Value, step: int, place: _Place) -> None:
        plugin = value.metadata.plugin_data.plugin_name
        if plugin == _SCALARS and value.tensor.float_val:
            self._scalars.setdefault(value.tag, {})[step] = value.tensor.float_val[0]
        elif plugin == PLUGIN and value.tag == CAPTURES_TAG:
            strings = value.tensor.string_val
            if len(strings) == 1:
                self._unread[step] = strings[0]
        elif plugin == PLUGIN:
            self._blobs.setdefault(value.tag, {})[step] = place

    @property
    def _tables(self) -> tuple[dict[int, Any], ...]:
        """Everything that is known of captures, by step."""
        stored = (places for tag, places in self._blobs.items() if not tag.endswith(_ONCE))
        return self._unread, self._course, *stored

    def _make_room(self) -> None:
        """Drop every second step if there are too many."""
        if self._most is None or max(map(len, self._tables)) <= self._most:
            return
        steps = sorted({step for table in self._tables for step in table})
        told = {step for step, text in self._unread.items() if _tells_alerts(text)}
        told |= {step for step, point in self._course.items() if _has_alerts(point)}
        for step in steps[1:-1:2]:
            for tag, places in self._blobs.items():
                if not tag.endswith(_ONCE):
                    places.pop(step, None)
            for values in self._scalars.values():
                values.pop(step, None)
            if step not in told or len(told) > self._most // 2:
                self._unread.pop(step, None)
                self._course.pop(step, None)

    @property
    def layers(self) -> tuple[str, ...]:
        """The layers whose gates are stored."""
        return tuple(layers_with(CAPTURE, self._blobs))

    @property
    def weighted(self) -> tuple[str, ...]:
        """The layers whose weights are stored."""
        return tuple(layers_with(WEIGHTS, self._blobs))

    @property
    def scalars(self) -> tuple[str, ...]:
        """The tags of all scalars."""
        return tuple(self._scalars)

    @property
    def course(self) -> list[Point]:
        """One point for each capture, by step: verdict, error, saturation, alerts and so on."""
        for step, text in self._unread.items():
            point = parse_point(text)
            if point is not None:
                self._course[step] = point
        self._unread.clear()
        return [self._course[step] for step in sorted(self._course)]

    @property
    def latest(self) -> Point | None:
        """The last point of the course, which is read without the others; None if there is none."""
        for step in sorted({*self._unread, *self._course}, reverse=True):
            text = self._unread.pop(step, None)
            point = None if text is None else parse_point(text)
            if point is not None:
                self._course[step] = point
            if step in self._course:
                return self._course[step]
        return None

    @property
    def last_step(self) -> int | None:
        """The last step of which there is anything; None if there is nothing."""
        return max((max(table) for table in self._tables if table), default=None)

    def steps(self, layer: str) -> list[int]:
        """The steps at which a layer's gates were stored.

        Raises:
            LstmProbeError: there is no such layer.
        """
        return sorted(self._places(stored_tag(layer, CAPTURE)))

    def scalar(self, tag: str) -> dict[int, float]:
        """The values of a scalar by step; empty if there is no such tag."""
        return dict(sorted(self._scalars.get(tag, {}).items()))

    def capture(self, layer: str, step: int) -> Stored:
        """A layer's gates at a step.

        Raises:
            LstmProbeError: there is no such layer or step, or the bytes are damaged.
        """
        return read_capture(self._stored(stored_tag(layer, CAPTURE), step))

    def weights(self, layer: str, step: int) -> Stored:
        """A layer's weights at a step, if the log has them.

        Raises:
            LstmProbeError: there is no such layer or step, or the bytes are damaged.
        """
        return unpack(self._stored(stored_tag(layer, WEIGHTS), step))

    def probe(self) -> Stored | None:
        """The probe's own inputs and targets, as `packed_probe` stored them; None if the log has
        none. Of a run that was resumed, those of its latest part.

        Raises:
            LstmProbeError: the bytes are damaged.
        """
        data = self.probe_data()
        return unpack(data) if data else None

    def probe_data(self) -> bytes:
        """The same as the log holds it; empty if it has none."""
        places = self._blobs.get(_PROBE_TAG)
        return self._stored(_PROBE_TAG, max(places)) if places else b""

    def findings_steps(self, layer: str) -> list[int]:
        """The steps at which a layer was analysed, in order; empty if the log has nothing of it."""
        return sorted(self._blobs.get(stored_tag(layer, FINDINGS), ()))

    def findings(self, layer: str, step: int | None = None) -> dict[str, Any] | None:
        """What the analyses say of a layer, as `packed_findings` stored it.

        Args:
            layer: the layer's name.
            step: one of `findings_steps`; None for the latest.

        Returns:
            None if the log has nothing of it.

        Raises:
            LstmProbeError: the bytes are damaged, or there is no such step.
        """
        steps = self.findings_steps(layer)
        if not steps:
            return None
        chosen = steps[-1] if step is None else step
        return read_findings(self._stored(stored_tag(layer, FINDINGS), chosen))

    def data(self, layer: str, what: str, step: int) -> bytes:
        """What is stored of a layer at a step, as the log holds it; nothing in it is checked.

        Args:
            layer: the layer's name.
            what: `CAPTURE` or `WEIGHTS`.
            step: the training step.

        Raises:
            LstmProbeError: there is no such layer or step, or the file has been damaged since.
            OSError: the file cannot be read any more.
        """
        return self._stored(stored_tag(layer, what), step)

    def blob(self, tag: str, step: int) -> bytes:
        """As `data`, by the tag under which the log holds it."""
        return self._stored(tag, step)

    def _places(self, tag: str) -> dict[int, _Place]:
        if tag not in self._blobs:
            known = ", ".join(sorted(self._blobs)) or "none at all"
            raise LstmProbeError(
                f"The run {str(self.directory)!r} has no such series. Received: {tag!r}. "
                f"Expected one of: {known}."
            )
        return self._blobs[tag]

    def _stored(self, tag: str, step: int) -> bytes:
        places = self._places(tag)
        if step not in places:
            layer, _, what = tag.rpartition("/")
            near = min(places, key=lambda known: abs(known - step))
            raise LstmProbeError(
                f"{self.directory} has no {what} of layer {layer!r} at this step. Received: "
                f"{step}. Expected one of {len(places)} steps from {min(places)} to "
                f"{max(places)}; the nearest is {near}."
            )
        place = places[step]
        for _, event, _ in _events(place.path, place.offset):
            return b"".join(event.summary.value[place.number].tensor.string_val[:1])
        raise LstmProbeError(f"{place.path} has been damaged since it was read first.")


def find_runs(log_dir: str | PathLike[str]) -> dict[str, RunReader]:
    """The runs under a directory that have data of lstm_probe, by their path in it.

    Raises:
        LstmProbeError: there is no such directory.

    Example:
        >>> import tempfile
        >>> find_runs(tempfile.mkdtemp())
        {}
    """
    root = Path(log_dir)
    if not root.is_dir():
        raise LstmProbeError(
            f"There is no such log directory. Received: {str(root)!r}. Expected: the log_dir of "
            "a training, or a directory above it."
        )
    directories = sorted({path.parent for path in event_files(root, below=True)})
    readers = {str(path.relative_to(root)): RunReader(path) for path in directories}
    return {name: run for name, run in readers.items() if run.layers or run.course}


def _has_alerts(point: Point) -> bool:
    return bool(point.alerts or point.noted or point.cleared)


def _tells_alerts(text: bytes) -> bool:
    """The same of a point that has not been read, from how lstm_probe writes it."""
    return b'"alerts": []' not in text or b'"noted"' in text or b'"cleared"' in text


def _events(path: Path, offset: int) -> Iterator[tuple[int, Event, int]]:
    """The events of a file from an offset on, each between the offsets of its start and its end."""
    for start, data, end in read_records(path, offset):
        try:
            yield start, Event.FromString(data), end
        except DecodeError:
            return
