"""The log of one training run."""

from __future__ import annotations

import logging
import math
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import count
from os import PathLike
from pathlib import Path

from tensorboard.compat.proto.summary_pb2 import Summary

from lstm_probe.analysis.alerts.board import Alert
from lstm_probe.analysis.analysis import Analysis
from lstm_probe.analysis.change.dynamics import Dynamics
from lstm_probe.analysis.change.spectra import SpectralNorms, spectral_radii
from lstm_probe.analysis.explained import Explained
from lstm_probe.analysis.outcomes import OutputRanges, outcomes_of
from lstm_probe.analysis.words.answers import Answer
from lstm_probe.core.arrays import Array
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.core.stopwatch import Stopwatch
from lstm_probe.core.warn import warn
from lstm_probe.logs.detail import MAX_BYTES, Detail, check_detail
from lstm_probe.logs.events.event_file import EventFile, event_files, last_step
from lstm_probe.logs.events.writing import is_being_written
from lstm_probe.logs.overview import overview
from lstm_probe.logs.stored.course import captures_value, point_of
from lstm_probe.logs.stored.names import OVERVIEW_TAG, RUN_NAME
from lstm_probe.logs.stored.run_course import RunCourse
from lstm_probe.logs.stored.values import (
    findings_value,
    gates_value,
    probe_value,
    weights_value,
)
from lstm_probe.logs.tags.diagnosis import (
    alert_values,
    answers_value,
    explained_value,
    weight_values,
)
from lstm_probe.logs.tags.pictures import picture_values
from lstm_probe.logs.tags.summaries import cost_values, layer_values
from lstm_probe.logs.tags.values import scalar, text
from lstm_probe.models.probe_data import ProbeData
from lstm_probe.pictures import HeatmapPainter

__all__ = ["RunLog", "check_log_dir"]

_log = logging.getLogger(__name__)

# Two letters or more: one is a drive of Windows. `Path("gs://b")` has lost a slash.
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/+")


class RunLog:
    """Writes analyses to a run of their own, `<log_dir>/lstm_probe`.

    A run whose steps went back would hide data in TensorBoard, and one that two trainings write
    would show neither. So a training gets the next free name, `lstm_probe_2`, where the directory's
    last one has ended at a later step, where it begins with step 0 as the last one did, and where
    the run is being written. One that goes on from an earlier step (a resumed training) continues
    the run.

    Args:
        log_dir: where the training's logs are; is made if it is missing.
        first_step: the step with which the training begins.
        detail: `scalars` logs numbers; `explorer` also every gate of every timestep, as histograms
            and for the gate explorer; `gates` also heatmaps for TensorBoard's Images tab; `full`
            also the gates in float32, the weights, and pictures of saturation and of gradients
            through time.
        pictures: False draws nothing at any level of detail.
        max_bytes: how many bytes the run may have, those of earlier trainings included. Beyond
            that only numbers are logged, and one warning says so. None for no limit.
        data: the probe's inputs and targets: they are written once, with the first capture, unless
            numbers alone are logged. They count in `max_bytes`, and are left out if they have no
            room there, which one warning says.

    Raises:
        LstmProbeError: the directory cannot be written to or is not one of this machine, or there
            is no such detail.

    Attributes:
        directory: that of the run.
        answers: what the gates of each layer say at the latest capture, by the layer's name; of a
            run that goes on, since it does.
    """

    def __init__(
        self,
        log_dir: str | PathLike[str],
        *,
        first_step: int = 0,
        detail: Detail = "gates",
        pictures: bool = True,
        max_bytes: int | None = MAX_BYTES,
        data: ProbeData | None = None,
    ) -> None:
        check_detail(detail)
        check_log_dir(log_dir)
        self._detail: Detail = detail
        self._max_bytes, self._data = max_bytes, data
        self._painter = HeatmapPainter() if pictures and detail in ("gates", "full") else None
        self._spectra: defaultdict[str, SpectralNorms] = defaultdict(SpectralNorms)
        self._overview_written = False
        self._course = RunCourse()
        self._ranges = OutputRanges()
        self.answers: dict[str, list[Answer]] = {}
        try:
            self.directory = _run_directory(Path(log_dir), first_step)
            self._bytes_before = sum(f.stat().st_size for f in event_files(self.directory))
            self._file = EventFile(self.directory)
        except OSError as error:
            raise LstmProbeError(
                f"The log directory cannot be written to. Received: log_dir={str(log_dir)!r} "
                f"({error.strerror or error}). Expected: a directory, or a path where one can be "
                "made. Choose another log_dir."
            ) from error

    def write(
        self,
        analyses: Iterable[Analysis],
        *,
        step: int,
        dynamics: Mapping[str, Dynamics] | None = None,
        alerts: Sequence[Alert] = (),
        others: Sequence[Alert] = (),
        training: Mapping[str, float] | None = None,
        remarks: Mapping[str, str] | None = None,
        outputs: Mapping[str, Array] | None = None,
        watch: Stopwatch | None = None,
    ) -> None:
        """Append all layers of one capture, as one record.

        Args:
            analyses: of all layers.
            step: the training step.
            dynamics: by layer, what changed since the capture before.
            alerts: those that begin to stand.
            others: those that are only noted, and those that have cleared.
            training: loss and metrics by name, as the training tells them.
            remarks: what a reader should know of layers, by name; the overview tells it.
            outputs: what the model itself gave for the probe, by the name of the output: logged
                with the gates.
            watch: measures how long drawing and writing take.

        Raises:
            OSError: the record could not be written; no part of it remains in the file.
        """
        self._keep_to_the_limit()
        analyses = list(analyses)
        changes = dynamics or {}
        watch = watch or Stopwatch()
        values: list[Summary.Value] = []
        ranges = self._ranges.add(outputs or {})
        if self._painter is not None and self._detail != "scalars":
            for analysis in analyses:
                values += picture_values(analysis, self._painter, detail=self._detail)
        watch.lap("draw")
        for analysis in analyses:
            layer = analysis.snapshot.layer
            values += layer_values(analysis, changes.get(layer), detail=self._detail)
            if self._detail != "scalars":
                raised = [alert for alert in alerts if alert.layer == layer]
                full = self._detail == "full"
                values.append(
                    gates_value(
                        analysis, alerts=raised, float32=full, outputs=outputs, ranges=ranges
                    )
                )
            if self._detail == "full":
                values.append(weights_value(analysis))
                weights = analysis.snapshot.weights
                norms, radii = self._spectra[layer].update(weights), spectral_radii(weights)
                values += weight_values(layer, changes.get(layer), norms, radii)
        data = self._data
        outcomes = (
            outcomes_of(outputs or {}, data.targets, data.groups, ranges)
            if data is not None and data.groups
            else []
        )
        summaries = [analysis.summary() for analysis in analyses]
        point = point_of(
            summaries,
            step=step,
            dynamics=changes,
            alerts=alerts,
            others=others,
            training=training,
            outcomes=outcomes,
        )
        self._course.add(point)
        self.answers = self._course.answers()
        values += [captures_value(point), answers_value(self.answers), *alert_values(alerts)]
        if not self._overview_written:
            values.append(text(OVERVIEW_TAG, overview(summaries, remarks or {})))
            values.extend(self._data_value())
        self._file.write(values, step=step)
        self._overview_written = True
        watch.lap("write")

    def write_cost(
        self, seconds: float, stages: Mapping[str, float], fraction: float, *, step: int
    ) -> None:
        """Append what a capture cost; with `detail="full"` its stages too.

        Args:
            seconds: of the training thread, the log record included.
            stages: seconds by stage, on whichever thread.
            fraction: what all captures have added to the training's time.
            step: the training step.
        """
        # Fewer charts for those who only want to know what it costs.
        shown = stages if self._detail == "full" else {}
        self._file.write(cost_values(seconds, shown, fraction), step=step)

    def write_explained(self, explained: Mapping[str, Explained], *, step: int) -> None:
        """Append what the layers compute: in sentences, and for the explorer where there is room.

        With numbers alone, the sentences alone are logged. Without the probe's own data, what is
        attributed to each input is left out.

        Args:
            explained: by the layer's name.
            step: the training step.
        """
        values = [explained_value(explained)]
        room = self._room
        for each in explained.values() if self._detail != "scalars" else ():
            value = findings_value(each, data=self._data is not None)
            room -= value.ByteSize()
            if room < 0:
                self._say_no_room("what the analyses found", value.ByteSize(), "fewer analyses")
                break
            values.append(value)
        self._file.write(values, step=step)

    def write_counts(self, captured: int, failed: int, skipped: int, *, step: int) -> None:
        """Append how many captures were logged, were lost to an error, and were left out.

        Args:
            captured: how many were logged.
            failed: how many were lost to an error.
            skipped: how many were left out.
            step: the training step.
        """
        counts = {"captured": captured, "failed": failed, "skipped": skipped}
        values = [
            scalar(f"probe/{name}", value, description="Captures, counted over the training.")
            for name, value in counts.items()
        ]
        self._file.write(values, step=step)

    def _data_value(self) -> Iterator[Summary.Value]:
        """The probe's own data, where it has room."""
        if self._data is None or self._detail == "scalars":
            return
        value = probe_value(self._data)
        if value.ByteSize() <= self._room:
            yield value
            return
        self._say_no_room(
            "the probe's own data", value.ByteSize(), "a smaller probe", ", or log_data=False"
        )

    def _say_no_room(self, what: str, size: int, instead: str, other: str = "") -> None:
        warn(
            _log,
            "lstm_probe: %s has no room in the log %s. Received: %.3g MB, and a limit of %.3g MB. "
            "Expected: %s, a larger max_log_bytes%s.",
            what,
            self.directory,
            size / 1e6,
            (self._max_bytes or 0) / 1e6,
            instead,
            other,
        )

    @property
    def _room(self) -> float:
        """How many bytes may still be written."""
        return math.inf if self._max_bytes is None else self._max_bytes - self._written

    @property
    def _written(self) -> int:
        return self._bytes_before + self._file.size

    def _keep_to_the_limit(self) -> None:
        limit, written = self._max_bytes, self._written
        if limit is None or written < limit or self._detail == "scalars":
            return
        self._detail = "scalars"
        warn(
            _log,
            "lstm_probe: the log %s has reached its limit of %.3g MB; from now on only numbers "
            "are logged. Capture less often, or raise max_log_bytes.",
            self.directory,
            limit / 1e6,
        )

    def close(self) -> None:
        """Close the file, until it is written again."""
        self._file.close()

    def __enter__(self) -> RunLog:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def check_log_dir(log_dir: str | PathLike[str]) -> None:
    """Make sure that a log directory is a path, not the address of something remote.

    Raises:
        LstmProbeError: it is an address such as `gs://bucket/logs`.

    Example:
        >>> check_log_dir("logs")
    """
    remote = _SCHEME.match(str(log_dir))
    if remote:
        raise LstmProbeError(
            f"The log directory is not on this machine. Received: log_dir={str(log_dir)!r}, an "
            f"address of {remote[0].rstrip('/')}//. Expected: a local directory: the log grows "
            "record by record, and such stores take whole files only. Log to a local directory "
            "and copy it there as the training goes on (gsutil rsync, aws s3 sync, hdfs dfs -put), "
            "or mount the store as a directory."
        )


def _run_directory(log_dir: Path, first_step: int) -> Path:
    for number in count(1):
        directory = log_dir / (RUN_NAME if number == 1 else f"{RUN_NAME}_{number}")
        last = last_step(directory)
        goes_on = last is None or (first_step > 0 and last <= first_step)
        if goes_on and not any(map(is_being_written, event_files(directory))):
            return directory
    raise AssertionError("count() has no end")
