"""What a page is made of, seen as one of TensorBoard's data providers.

The code that answers TensorBoard's requests answers for the page as well when it reads this
provider, so that a report and the tab cannot say different things about the same log.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from tensorboard.data.provider import (
    BlobReference,
    BlobSequenceDatum,
    BlobSequenceTimeSeries,
    RunTagFilter,
    TensorDatum,
    TensorTimeSeries,
)

from lstm_probe.logs.stored.names import CAPTURES_TAG

__all__ = ["HeldCaptures"]

#: A report keeps no times, and nothing that the page asks for depends on them.
_NO_TIME = 0.0
_UNDESCRIBED = {"plugin_content": b"", "description": "", "display_name": ""}


@dataclass(frozen=True)
class HeldCaptures:
    """The series that a page holds, and those that its curves are computed from.

    It has the methods of `tensorboard.data.provider.DataProvider` that `CaptureSource` calls.

    Attributes:
        blobs: the steps of each series of captures, of weights and of findings, by run and tag.
        points: the summary of each capture, sorted by step, by run.
        read: gives the bytes of a blob, of its run, tag and step.
    """

    blobs: Mapping[str, Mapping[str, Sequence[int]]]
    points: Mapping[str, Sequence[Mapping[str, Any]]]
    read: Callable[[str, str, int], bytes]

    def list_blob_sequences(
        self, ctx: object = None, *, run_tag_filter: RunTagFilter | None = None, **_: object
    ) -> dict[str, dict[str, BlobSequenceTimeSeries]]:
        """The series of blobs, by run and tag."""
        return {
            run: {
                tag: BlobSequenceTimeSeries(
                    max_step=max(steps), max_wall_time=_NO_TIME, max_length=1, **_UNDESCRIBED
                )
                for tag, steps in tags.items()
            }
            for run, tags in self._chosen(self.blobs, run_tag_filter).items()
        }

    def read_blob_sequences(
        self, ctx: object = None, *, run_tag_filter: RunTagFilter | None = None, **_: object
    ) -> dict[str, dict[str, list[BlobSequenceDatum]]]:
        """The steps of the series of blobs, by run and tag."""
        return {
            run: {
                tag: [
                    BlobSequenceDatum(each, _NO_TIME, [BlobReference(json.dumps([run, tag, each]))])
                    for each in steps
                ]
                for tag, steps in tags.items()
            }
            for run, tags in self._chosen(self.blobs, run_tag_filter).items()
        }

    def read_blob(self, ctx: object = None, *, blob_key: str) -> bytes:
        """The bytes of a blob; `blob_key` is that of `read_blob_sequences`.

        Raises:
            LstmProbeError: they cannot be read.
        """
        return self.read(*json.loads(blob_key))

    def list_tensors(
        self, ctx: object = None, *, run_tag_filter: RunTagFilter | None = None, **_: object
    ) -> dict[str, dict[str, TensorTimeSeries]]:
        """The series of summaries, by run and tag."""
        return {
            run: {
                tag: TensorTimeSeries(
                    max_step=points[-1]["step"], max_wall_time=_NO_TIME, **_UNDESCRIBED
                )
                for tag, points in tags.items()
            }
            for run, tags in self._chosen(self._summaries, run_tag_filter).items()
        }

    def read_tensors(
        self,
        ctx: object = None,
        *,
        downsample: int,
        run_tag_filter: RunTagFilter | None = None,
        **_: object,
    ) -> dict[str, dict[str, list[TensorDatum]]]:
        """The last `downsample` summaries, each as JSON, by run and tag."""
        return {
            run: {
                tag: [
                    TensorDatum(each["step"], _NO_TIME, np.array(json.dumps(each), object))
                    for each in points[-downsample:]
                ]
                for tag, points in tags.items()
            }
            for run, tags in self._chosen(self._summaries, run_tag_filter).items()
        }

    @property
    def _summaries(self) -> dict[str, dict[str, Sequence[Mapping[str, Any]]]]:
        return {run: {CAPTURES_TAG: points} for run, points in self.points.items() if points}

    @staticmethod
    def _chosen(series: Mapping[str, Mapping[str, Any]], wanted: RunTagFilter | None) -> Any:
        """The runs and tags that a filter lets through; runs without any are left out."""
        runs = None if wanted is None else wanted.runs
        tags = None if wanted is None else wanted.tags
        kept = {
            run: {tag: each for tag, each in theirs.items() if tags is None or tag in tags}
            for run, theirs in series.items()
            if runs is None or run in runs
        }
        return {run: theirs for run, theirs in kept.items() if theirs}
