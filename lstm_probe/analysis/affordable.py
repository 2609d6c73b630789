"""How much of a probe an analysis is made of, so that it takes some seconds."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Final

from lstm_probe.analysis.analysis import Analysis
from lstm_probe.analysis.captured import captured
from lstm_probe.analysis.rest import Rest
from lstm_probe.analysis.snapshot import Snapshot
from lstm_probe.core.errors import LstmProbeError

__all__ = ["affordable"]

#: About how many multiplications an analysis may take: some seconds of one processor.
AFFORDABLE: Final = 6e10


def affordable(
    analysis: Analysis, rest: Rest | None, copies: int, name: str, notes: list[str]
) -> tuple[Analysis | Snapshot, Rest | None]:
    """A layer on as many sequences of the probe as can be analysed in some seconds.

    Args:
        analysis: the layer on the whole probe.
        rest: the part of the model after it, if it can be run.
        copies: how many copies of the probe the analysis runs through the layer.
        name: what is said to be made of fewer sequences; empty to say nothing.
        notes: gets that sentence.

    Returns:
        The layer, and the rest of the model, for these sequences.

    Raises:
        LstmProbeError: not even one sequence can be analysed in that time.

    Example:
        >>> import numpy as np
        >>> from lstm_probe import LstmCell, analyse, weights
        >>> cell = weights.from_keras(np.zeros((3, 8)), np.zeros((2, 8)))
        >>> x, h = np.zeros((4, 5, 3)), np.zeros((4, 5, 2))
        >>> seen = analyse(Snapshot(0, "memory", LstmCell(), cell, x=x, output=h))
        >>> len(affordable(seen, None, 10**8, "", [])[0].x)
        1
    """
    snapshot = analysis.snapshot
    batch, time_, features = snapshot.x.shape
    size = analysis.trace["h"].shape[-1]
    each = 8.0 * copies * time_ * size * (size + features)
    most = int(AFFORDABLE // each)
    if most >= batch:
        return analysis, rest
    if most == 0:
        raise LstmProbeError(
            f"It would take too long. Received: {batch} sequences of {time_} steps through "
            f"{size} units. Expected: a probe of fewer or shorter sequences, up to "
            f"{max(1, math.floor(AFFORDABLE / (each / time_)))} steps together."
        )
    if name:
        notes.append(f"{name.capitalize()} is made on the first {most} of {batch} sequences.")
    first = None if rest is None else rest.first(most, captured(analysis).output)
    return _first_sequences(snapshot, most), first


def _first_sequences(snapshot: Snapshot, count: int) -> Snapshot:
    """A snapshot of some of its sequences."""
    state = snapshot.initial_state
    return replace(
        snapshot,
        x=snapshot.x[:count],
        output=snapshot.output[:count],
        final_output=None if snapshot.final_output is None else snapshot.final_output[:count],
        mask=None if snapshot.mask is None else snapshot.mask[:count],
        initial_state=None if state is None else tuple(each[:count] for each in state),
    )
