"""What an analysis is given: an `Analysis`, or a `Snapshot` that is recomputed for it."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np

from lstm_probe.analysis.analysis import Analysis
from lstm_probe.analysis.recomputation import recompute
from lstm_probe.analysis.snapshot import Snapshot
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.core.trace import GateTrace

__all__ = ["Subject", "traced"]

#: An analysis, or the snapshot of which it would be made.
Subject: TypeAlias = Analysis | Snapshot


def traced(subject: Subject) -> tuple[Snapshot, GateTrace]:
    """The snapshot and its gates in float64.

    Args:
        subject: an analysis, whose gates are taken as they are; or a snapshot, which is recomputed.

    Raises:
        LstmProbeError: it is neither, or the cell of the snapshot is not known.

    Example:
        >>> from lstm_probe import LstmCell, weights
        >>> cell = weights.from_keras(np.zeros((3, 8)), np.zeros((2, 8)))
        >>> x, h = np.zeros((1, 5, 3)), np.zeros((1, 5, 2))
        >>> traced(Snapshot(0, "memory", LstmCell(), cell, x=x, output=h))[1].letters
        ('i', 'f', 'g', 'o', 'c', 'h')
    """
    if isinstance(subject, Analysis):
        return subject.snapshot, subject.trace
    if not isinstance(subject, Snapshot):
        raise LstmProbeError(
            f"There is nothing to analyse. Received: {type(subject).__name__}. Expected: an "
            "Analysis, as lstm_probe.analyse and lstm_probe.inspect return it, or a Snapshot."
        )
    if subject.cell is None:
        raise LstmProbeError(
            f"The recurrence of layer {subject.layer!r} is not known. Received: a snapshot without "
            "a cell. Expected: a cell such as LstmCell(), or one that lstm_probe.register_cell "
            "has made known."
        )
    trace, _, _ = recompute(subject, subject.cell, np.dtype(np.float64))
    return subject, trace
