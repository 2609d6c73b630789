"""`Source`: what a recorder captures. Each framework has one of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from lstm_probe.analysis.rest import Rest
from lstm_probe.analysis.snapshot import Snapshot
from lstm_probe.core.arrays import Array

__all__ = ["Source", "Taken", "outputs_of", "remarks_of", "rests_of"]


class Taken(Protocol):
    """What was taken hold of at one training step."""

    def snapshots(self) -> Sequence[Snapshot]:
        """Compute the snapshots of all probed layers, on any thread."""


class Source(Protocol):
    """A model at one moment of its training: a `KerasSource` or a `SessionSource`."""

    def take(self, step: int) -> Taken:
        """Take hold, on the training thread, of all that the next training step may change.

        Args:
            step: how many steps the model has been trained.
        """


def rests_of(source: Source, snapshots: Sequence[Snapshot]) -> tuple[Mapping[str, Rest], str]:
    """The part of the model after each layer, by name, and why some have none. Not every source
    can run it."""
    make = getattr(source, "rests", None)
    return ({}, "") if make is None else make(snapshots)


def remarks_of(taken: Taken) -> Mapping[str, str]:
    """What a reader of the log should know of layers, by name, when the snapshots have been made.
    Not every source has something to remark."""
    remarks: Mapping[str, str] = getattr(taken, "remarks", {})
    return remarks


def outputs_of(taken: Taken) -> Mapping[str, Array]:
    """What the model itself gave for the probe, by the name of the output, when the snapshots have
    been made. Not every source listens to it."""
    outputs: Mapping[str, Array] = getattr(taken, "outputs", {})
    return outputs
