"""Candidates with other steps: their order, their mask, and what the layer outputs for them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from lstm_probe.analysis.conventions.candidate import Candidate, Convention, change
from lstm_probe.analysis.parity.error import difference
from lstm_probe.analysis.snapshot import Snapshot
from lstm_probe.core.arrays import BoolArray
from lstm_probe.core.precision import UNIT_ROUNDOFF

__all__ = ["directions", "inferred_masks", "last_outputs", "masks", "shifts"]

#: Two outputs of one step that differ by at most so many roundoffs are the same.
_SAME = 4.0


def masks(snapshot: Snapshot) -> Iterator[Candidate]:
    """A layer that outputs something else at masked steps, or ignores the mask.

    Args:
        snapshot: what was captured.
    """
    mask, zero = snapshot.mask, snapshot.zero_output_for_mask
    if mask is None or mask.all():
        return
    does = "repeats the last output at masked steps" if zero else "shows zeros at masked steps"
    yield change("mask", does, zero_output_for_mask=not zero)
    yield change("mask", "ignores the mask", mask=None)
    if snapshot.initial_state is not None and not mask[:, 0].all():
        initial = snapshot.initial_output_for_mask
        shown = "zeros" if initial else "the initial state"
        does = f"shows {shown} before the first valid step"
        changes = {"initial_output_for_mask": not initial, "zero_output_for_mask": False}
        yield change("mask", does, **changes)


def inferred_masks(seen: Snapshot) -> Iterator[Candidate]:
    """A mask that the snapshot does not hold, read from the output.

    A step that the framework skipped repeats the last output to the last bit, or outputs zeros.

    Args:
        seen: what was captured, in reading order.
    """
    does = "skips other steps than the mask says" if seen.mask is not None else "skips steps"
    for zeros in (False, True):
        skipped = _skipped(seen, zeros=zeros)
        if skipped.any() and not skipped.all():

            def reread(part: Snapshot, zeros: bool = zeros) -> Snapshot:
                mask = ~_skipped(part, zeros=zeros)
                return replace(part, mask=mask, zero_output_for_mask=zeros)

            yield Candidate(Convention("mask", does), reread)


def _skipped(seen: Snapshot, *, zeros: bool) -> BoolArray:
    """Which steps show zeros, or repeat the last output; `(batch, time)`."""
    output = seen.output
    zero = (output == 0).all(axis=2)
    if zeros:
        return np.asarray(zero, np.bool_)
    repeated = np.zeros_like(zero)
    repeated[:, 1:] = (output[:, 1:] == output[:, :-1]).all(axis=2)
    return np.asarray(repeated | np.logical_and.accumulate(zero, axis=1), np.bool_)


def last_outputs(snapshot: Snapshot) -> Iterator[Candidate]:
    """A layer whose steps are right, and whose last output is that of another step.

    Args:
        snapshot: what was captured.
    """
    final = snapshot.final_output
    if final is None:
        return
    least = _SAME * UNIT_ROUNDOFF[snapshot.dtype] * (1 + np.abs(final[:, None]))
    every = np.broadcast_to(final[:, None], snapshot.output.shape)
    same = (difference(snapshot.output, every) <= least).all(axis=(0, 2))
    for timestep in np.flatnonzero(same)[:1]:
        does = f"gives as its last output that of timestep {int(timestep)}"
        yield change("last_output", does, final_output=None)


def directions(seen: Snapshot) -> Iterator[Candidate]:
    """A layer that begins at the other end, or outputs its steps in the other order.

    Args:
        seen: what was captured.
    """
    if seen.timesteps < 2:
        return
    does = "reads in the other direction"

    def turned(part: Snapshot) -> Snapshot:
        return replace(part, reverse=not part.reverse)

    def left_reversed(part: Snapshot) -> Snapshot:
        return replace(part, output=part.output[:, ::-1])

    def both(part: Snapshot) -> Snapshot:
        return left_reversed(turned(part))

    leaves = "leaves its output reversed"
    for words, reread in ((does, turned), (leaves, left_reversed), (f"{does}, and {leaves}", both)):
        yield Candidate(Convention("direction", words), reread, aligned=False)
    if seen.mask is not None:
        own_end = Convention("direction", "begins each row at its own end")
        yield Candidate(own_end, _rows_reversed, aligned=False)


def _rows_reversed(part: Snapshot) -> Snapshot | None:
    """Each row reversed within its own length, as TF1, ONNX and torch do."""
    if part.mask is None:
        return None
    lengths = part.mask.sum(axis=1)[:, None]
    steps = np.arange(part.timesteps)
    index = np.where(steps < lengths, lengths - 1 - steps, steps)[:, :, None]
    return replace(
        part,
        x=np.take_along_axis(part.x, index, axis=1),
        output=np.take_along_axis(part.output, index, axis=1),
        reverse=False,
    )


def shifts(seen: Snapshot) -> Iterator[Candidate]:
    """Outputs that are shifted by one timestep, to a later or an earlier one.

    The step that has no output is left out. Where outputs are early, that is the first step, so
    that the states after it are not known; the caller infers them.

    Args:
        seen: what was captured, in reading order.
    """
    if seen.timesteps < 3:
        return
    front, back = slice(None, -1), slice(1, None)
    for steps, shown, name in ((front, back, "late"), (back, front, "early")):

        def reread(part: Snapshot, steps: slice = steps, shown: slice = shown) -> Snapshot:
            return replace(
                part,
                x=part.x[:, steps],
                output=part.output[:, shown],
                mask=None if part.mask is None else part.mask[:, steps],
                final_output=None,
            )

        does = f"shows its output one step {name}"
        yield Candidate(Convention("shift", does), reread, aligned=False)
