"""Candidates with other steps: their order, their mask, and what the layer outputs for them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from lstm_probe.analysis.conventions.weights import Candidate, change
from lstm_probe.analysis.snapshot import Snapshot

__all__ = ["directions", "inferred_masks", "last_outputs", "masks", "shifts"]


def masks(snapshot: Snapshot) -> Iterator[Candidate]:
    """A layer that outputs something else at masked steps, or ignores the mask.

    Args:
        snapshot: what was captured.
    """
    mask, zero = snapshot.mask, snapshot.zero_output_for_mask
    if mask is None or mask.all():
        return
    does = "repeats the last output at masked steps" if zero else "shows zeros at masked steps"
    yield change(snapshot, "mask", does, zero_output_for_mask=not zero)
    yield change(snapshot, "mask", "ignores the mask", mask=None)


def inferred_masks(seen: Snapshot) -> Iterator[Candidate]:
    """A mask that the snapshot does not hold, read from the output.

    A step that the framework skipped repeats the last output to the last bit, or outputs zeros.

    Args:
        seen: what was captured, in reading order.
    """
    output = seen.output
    zero = (output == 0).all(axis=2)
    repeated = np.zeros_like(zero)
    repeated[:, 1:] = (output[:, 1:] == output[:, :-1]).all(axis=2)
    leading = np.logical_and.accumulate(zero, axis=1)
    for skipped, zeros in ((repeated | leading, False), (zero, True)):
        if skipped.any() and not skipped.all():
            does = (
                "skips other steps than the mask says" if seen.mask is not None else "skips steps"
            )
            yield change(seen, "mask", does, mask=~skipped, zero_output_for_mask=zeros)


def last_outputs(snapshot: Snapshot) -> Iterator[Candidate]:
    """A layer whose steps are right, and whose last output is not that of its last step.

    Args:
        snapshot: what was captured.
    """
    if snapshot.final_output is None:
        return
    does = "gives another output as its last than that of the last step"
    same = (snapshot.output == snapshot.final_output[:, None]).all(axis=(0, 2))
    if same.any():
        does = f"gives as its last output that of timestep {int(np.flatnonzero(same)[0])}"
    yield change(snapshot, "last_output", does, final_output=None)


def directions(snapshot: Snapshot) -> Iterator[Candidate]:
    """A layer that begins at the other end, or outputs its steps in the other order.

    Args:
        snapshot: what was captured.
    """
    if snapshot.timesteps < 2:
        return
    does = "reads in the other direction"
    yield change(snapshot, "direction", does, reverse=not snapshot.reverse)
    turned = snapshot.output[:, ::-1]
    yield change(snapshot, "direction", "leaves its output reversed", output=turned)
    both = {"output": turned, "reverse": not snapshot.reverse}
    yield change(snapshot, "direction", f"{does}, and leaves its output reversed", **both)
    if snapshot.mask is not None:
        own_end = _rows_reversed(snapshot)
        yield change(snapshot, "direction", "begins each row at its own end", **own_end)


def _rows_reversed(snapshot: Snapshot) -> dict[str, Any]:
    """The arrays with each row reversed within its own length, as TF1, ONNX and torch do."""
    assert snapshot.mask is not None
    lengths = snapshot.mask.sum(axis=1)[:, None]
    steps = np.arange(snapshot.timesteps)
    index = np.where(steps < lengths, lengths - 1 - steps, steps)[:, :, None]
    return {
        "x": np.take_along_axis(snapshot.x, index, axis=1),
        "output": np.take_along_axis(snapshot.output, index, axis=1),
        "reverse": False,
    }


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
    for (steps, shown), name in (((front, back), "late"), ((back, front), "early")):
        mask = None if seen.mask is None else seen.mask[:, steps]
        moved = replace(seen, x=seen.x[:, steps], output=seen.output[:, shown], mask=mask)
        yield change(moved, "shift", f"shows its output one step {name}", final_output=None)
