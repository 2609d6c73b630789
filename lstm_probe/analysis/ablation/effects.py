"""What a clamp changes: in the other units, in the model's output, and in its loss."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lstm_probe.analysis.ablation.clamped import Clamps, Deviation, deviations
from lstm_probe.analysis.ablation.standing_out import standing_out
from lstm_probe.analysis.captured import Captured
from lstm_probe.analysis.rest import Rest
from lstm_probe.core.arrays import Array
from lstm_probe.core.masks import emitted

__all__ = ["Effects", "as_it_is", "effects_of", "root_mean"]


@dataclass(frozen=True, eq=False)
class Effects:
    """What changes when each unit is clamped to one value. All arrays are float64, 0 or more.

    "Changes by" stands for the root of the mean square over the sequences of the probe, of the
    Euclidean norm over values.

    Attributes:
        values: by the letter of each array that is clamped, `(units,)`: to what each unit is
            clamped.
        on_others: `(units,)`: by how much the other units of `h` change at the last step.
        on_itself: `(units,)`: by how much the unit's own `h` changes there; NaN where `h` is a
            projection.
        by_time: `(units, time)`: by how much the other units change at each step, in the order of
            the input's time. NaN at a step that counts in no sequence.
        on_each: `(units, output)`: by how much each value of `h` changes at the last step.
        on_output: `(units,)`: by how much the model's output changes; None if it cannot be run.
        loss: `(units,)`: the mean loss over the sequences, of any sign; None without a target.
    """

    values: dict[str, Array]
    on_others: Array
    on_itself: Array
    by_time: Array
    on_each: Array
    on_output: Array | None = None
    loss: Array | None = None

    @property
    def ranked_by(self) -> Array:
        """`(units,)`: the effect on the model's output where it is known, else on other units."""
        return self.on_others if self.on_output is None else self.on_output

    @property
    def named(self) -> tuple[int, ...]:
        """The few units whose effect is several times that of all others; often none."""
        return standing_out(self.ranked_by)


def as_it_is(seen: Captured, rest: Rest | None) -> tuple[Array | None, float | None]:
    """The model's output with nothing clamped, `(batch, outputs)`, and its loss."""
    if rest is None:
        return None, None
    outputs = rest.rows(seen.output)
    return outputs, _loss(rest, outputs)


def root_mean(squares: Array) -> float:
    """The root of a mean of squares."""
    return float(np.sqrt(squares.mean()))


def effects_of(seen: Captured, clamps: Clamps, rest: Rest | None) -> list[Effects]:
    """The effects of the clamps, of which the first half are means and the second zeros.

    Args:
        seen: the layer on the probe.
        clamps: each unit twice.
        rest: the part of the model after the layer, or None.
    """
    parts = [
        (*_of_states(seen, each), *_of_rest(seen, each, rest)) for each in deviations(seen, clamps)
    ]
    columns = [
        None if column[0] is None else np.concatenate(column) for column in zip(*parts, strict=True)
    ]
    count = seen.units.count
    return [
        Effects(
            {letter: values[half] for letter, values in clamps.values.items()},
            *(None if each is None else each[half] for each in columns),  # type: ignore[arg-type]
        )
        for half in (slice(None, count), slice(count, None))
    ]


def _of_states(seen: Captured, part: Deviation) -> tuple[Array, Array, Array, Array]:
    """The effects on `h` of a group of units: on others, on itself, by time, and on each value."""
    squares = np.square(part.clamped - part.free)  # (time, copies, batch, output)
    own = seen.units.of_output == np.asarray(part.units)[:, None, None]  # (copies, 1, output)
    of_others = np.where(own, 0.0, squares).sum(axis=-1)
    itself = np.where(own, squares[-1], 0.0).sum(axis=-1)
    counts = seen.valid()[:, :: -1 if seen.snapshot.reverse else 1].T[:, None]  # (time, 1, batch)
    with np.errstate(invalid="ignore"):
        by_time = np.sqrt((of_others * counts).sum(axis=-1) / counts.sum(axis=-1))
    flip = slice(None, None, -1 if seen.snapshot.reverse else 1)
    return (
        np.sqrt(of_others[-1].mean(axis=-1)),
        np.sqrt(itself.mean(axis=-1)) * (np.nan if seen.units.projected else 1.0),
        by_time.T[:, flip],
        np.sqrt(squares[-1].mean(axis=1)),
    )


def _of_rest(
    seen: Captured, part: Deviation, rest: Rest | None
) -> tuple[Array | None, Array | None]:
    """The change of the model's output, and the loss, of a group of units."""
    if rest is None:
        return None, None
    changes, losses, last = [], [], part.free.shape[1] - 1
    for k in range(len(part.units)):
        if k <= last:
            free = _output_of(seen, part.free[:, k], rest)
        same = np.array_equal(part.clamped[:, k], part.free[:, min(k, last)])
        found = free if same else _output_of(seen, part.clamped[:, k], rest)
        changes.append(root_mean(np.square(found - free).sum(axis=-1)))
        losses.append(_loss(rest, found))
    known = [each for each in losses if each is not None]
    return np.array(changes), np.array(known) if known else None


def _output_of(seen: Captured, h: Array, rest: Rest) -> Array:
    """The model's output, of `h` as `(time, batch, output)` in the order of reading."""
    snapshot = seen.snapshot
    flip = slice(None, None, -1 if snapshot.reverse else 1)
    output = emitted(
        h.swapaxes(0, 1),
        None if snapshot.mask is None else snapshot.mask[:, flip],
        zero_output_for_mask=snapshot.zero_output_for_mask,
        initial_output_for_mask=snapshot.initial_output_for_mask,
    )
    return rest.rows(np.ascontiguousarray(output[:, flip]))


def _loss(rest: Rest, outputs: Array) -> float | None:
    return None if rest.losses is None else float(np.mean(rest.losses(outputs)))
