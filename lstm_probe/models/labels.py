"""`ProbeLabels`: names of a probe's timesteps and sequences, and which of them a layer gets."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from lstm_probe.core.arrays import BoolArray
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.core.groups import Groups, called, total
from lstm_probe.core.trace import GateTrace
from lstm_probe.core.warn import warn
from lstm_probe.models.texts import ProbeTexts

__all__ = ["ProbeLabels"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ProbeLabels:
    """The labels of a probe: names of the timesteps of each sequence, and names of the sequences.

    Attributes:
        rows: for each sequence the names of its timesteps; a single row if `shared`; no row if the
            timesteps have no names.
        shared: whether the single row holds for every sequence.
        names: the name of each sequence; none if they have no names.
        sequences: how many sequences the probe has; None if that is not known.
        timesteps: how many timesteps it has; None if that is not known.
        at_end: for each row, whether it names the last timesteps where it is shorter than the
            sequence, because the sequence is padded at its beginning.
        groups: the named probes whose sequences these are; None if it is one without a name.
        texts: the words of a probe of texts, where no labels are given; None where there are none.
    """

    rows: tuple[tuple[str, ...], ...] = ()
    shared: bool = False
    names: tuple[str, ...] = ()
    sequences: int | None = None
    timesteps: int | None = None
    at_end: tuple[bool, ...] = ()
    groups: Groups | None = None
    texts: ProbeTexts | None = None

    def on(self, trace: GateTrace) -> GateTrace:
        """A layer's trace with the labels that belong to it.

        A layer that reads other sequences than the probe's, or another number of timesteps, gets
        none: they would stand under what they do not name.

        Args:
            trace: the layer's trace.

        Example:
            >>> trace = GateTrace({"h": np.zeros((1, 3, 2))}, {"h": None})
            >>> ProbeLabels((("good", "film"),)).on(trace).labels
            (('good', 'film', ''),)
        """
        batch, time = trace[trace.letters[0]].shape[:2]
        if self.sequences not in (None, batch):
            return trace
        groups = self.groups if self.groups and total(self.groups) == batch else None
        beginnings = () if self.texts is None else self.texts.names
        names = self.names or beginnings or (called(groups) if groups else ())
        return replace(
            trace,
            labels=self._labels(batch, time, trace.mask),
            sequence_names=names if len(names) == batch else None,
            groups=groups,
        )

    def check(self, traces: Iterable[GateTrace]) -> None:
        """Check that there is a layer that the labels belong to, at the first capture.

        Where they fit the probe but no layer, as behind a convolution with strides, a warning says
        that they are not shown.

        Args:
            traces: those of all layers.

        Raises:
            LstmProbeError: the probe did not tell its size, and no layer reads as many sequences
                and timesteps as there are labels for.
        """
        traces = list(traces)
        labelled = [self.on(trace) for trace in traces]
        fits = not self.rows or any(trace.labels for trace in labelled)
        if fits and (not self.names or any(trace.sequence_names for trace in labelled)):
            return
        sizes = sorted({trace[trace.letters[0]].shape[:2] for trace in traces})
        if self.sequences is not None and (self.timesteps is not None or not self.rows):
            warn(
                _log,
                "lstm_probe: the labels fit the probe, but no layer reads as many sequences and "
                "timesteps as it has, so they are not shown. The layers read %s.",
                " and ".join(f"{batch} x {time}" for batch, time in sizes),
            )
            return
        raise LstmProbeError(
            f"The labels do not fit the probe. Received: {self._described()}. Expected: labels "
            f"for {' or '.join(f'{b} sequences of {t} timesteps' for b, t in sizes)}: one list for "
            "all sequences, or one list for each, and as many names as sequences."
        )

    def _described(self) -> str:
        lengths = ", ".join(str(len(row)) for row in self.rows) or "no"
        kind = "in one list for all sequences" if self.shared else "in a list for each sequence"
        return f"{lengths} labels {kind}, {len(self.names)} names"

    def _labels(
        self, batch: int, time: int, mask: BoolArray | None
    ) -> tuple[tuple[str, ...], ...] | None:
        if not self.rows and self.texts is not None and len(self.texts.words) == batch:
            return self.texts.labels(time, mask)
        rows = self.rows * batch if self.shared else self.rows
        longest = max(map(len, rows), default=0)
        if len(rows) != batch or longest > time or self.timesteps not in (None, time):
            return None
        if self.shared:
            return rows if longest == time else None
        at_end = self.at_end or (False,) * batch
        return tuple(
            _placed(row, time, None if mask is None else mask[k], at_end[k])
            for k, row in enumerate(rows)
        )


def _placed(
    row: tuple[str, ...], time: int, mask: BoolArray | None, at_end: bool
) -> tuple[str, ...]:
    """The labels of a sequence, one for each timestep. Those of a shorter sequence stand at the
    steps that count where there are as many of them; else the padding is where the probe has it."""
    missing = ("",) * (time - len(row))
    if missing and mask is not None and np.count_nonzero(mask) == len(row):
        words = iter(row)
        return tuple(next(words) if counts else "" for counts in mask.tolist())
    return missing + row if at_end else row + missing
