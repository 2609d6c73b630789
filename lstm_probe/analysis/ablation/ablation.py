"""`ablate`: what changes in a layer, and in the model's output, when a unit is taken away."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from lstm_probe.analysis.ablation.clamped import Clamps
from lstm_probe.analysis.ablation.effects import Effects, as_it_is, effects_of, root_mean
from lstm_probe.analysis.analysis import Analysis
from lstm_probe.analysis.captured import Captured, captured
from lstm_probe.analysis.rest import Rest
from lstm_probe.analysis.snapshot import Snapshot
from lstm_probe.analysis.words.ablation import told
from lstm_probe.analysis.words.answers import Answer
from lstm_probe.cells import Cell
from lstm_probe.core.arrays import Array
from lstm_probe.core.blas import on_one_blas_thread
from lstm_probe.core.errors import LstmProbeError

__all__ = ["Ablation", "Effects", "ablate"]


@dataclass(frozen=True, eq=False)
class Ablation:
    """What changes when each unit of a layer is taken away.

    Attributes:
        layer: the name of the layer.
        step: the training step.
        word: `unit` or `filter`.
        array: the letter of the one array that is clamped; None where units are taken away as a
            whole.
        letters: the arrays that are clamped.
        at_mean: the effects of clamping each unit to its mean over the probe.
        at_zero: the effects of clamping it to zero. A unit may be inert at its mean and vital at
            zero, as a flag that says "has begun".
        norm: the norm of `h` at the last step, over the sequences as the effects are.
        output_norm: the same of the model's output; None if it cannot be run.
        loss: the mean loss of the model as it is; None without a target.
        loss_name: what the loss is.
        output_name: what the rest of the model gives, in words.
        sequences: the number of sequences of the probe.

    Source:
        Lakretz et al. 2019, "The emergence of number and syntax units in LSTM language models",
        arXiv 1903.07435.

    Example:
        >>> import lstm_probe
        >>> rng = np.random.default_rng(0)
        >>> w = lstm_probe.weights.from_keras(rng.normal(size=(3, 8)), rng.normal(size=(2, 8)))
        >>> x = rng.normal(size=(4, 5, 3))
        >>> trace = lstm_probe.lstm(x, w)
        >>> seen = lstm_probe.Snapshot(0, "lstm", lstm_probe.LstmCell(), w, x=x, output=trace.h)
        >>> ablate(seen).at_mean.on_others.shape
        (2,)
    """

    layer: str
    step: int
    word: str
    array: str | None
    letters: tuple[str, ...]
    at_mean: Effects
    at_zero: Effects
    norm: float
    output_norm: float | None
    loss: float | None
    loss_name: str
    output_name: str
    sequences: int

    def sentences(self) -> list[Answer]:
        """What this says, with the numbers behind it."""
        return told(self.plain())

    def plain(self) -> dict[str, Any]:
        """All fields by name, with the named units of each clamp, for JSON."""
        clamps = {
            name: {**vars(each), "named": each.named, "ranked_by": each.ranked_by}
            for name, each in (("at_mean", self.at_mean), ("at_zero", self.at_zero))
        }
        return {**vars(self), **clamps}


@on_one_blas_thread
def ablate(
    seen: Analysis | Snapshot, *, array: str | None = None, rest: Rest | None = None
) -> Ablation:
    """Clamp each unit of a layer in turn, and run the recurrence again.

    All units are run at once, each in a copy of the probe, in float64. From the first step on the
    unit has the same value at each step that counts: its mean over the probe, or zero. All that the
    step computes from the clamped array follows: with `c` clamped, `h = o psi(c)` changes too. The
    initial state keeps its values.

    Args:
        seen: the layer on the probe.
        array: the letter of the array of which a unit is clamped, such as `f`. By default the unit
            is taken away as a whole: its states are clamped, for an LSTM `c` and `h`. Where `h` is
            a projection, `c` alone is clamped, and `h` follows.
        rest: the part of the model after the layer, if it can be run.

    Returns:
        The effects of each unit, or of each filter of a convolutional cell.

    Raises:
        LstmProbeError: the recurrence is not known, there is no such array, or no step counts.

    Source:
        Lakretz et al. 2019, arXiv 1903.07435, section 4.1.

    Example:
        >>> import lstm_probe
        >>> adds = lstm_probe.weights.from_keras(np.ones((1, 2)), np.diag([1.0, 0.0]))
        >>> x, cell = np.ones((1, 5, 1)), lstm_probe.SimpleRnnCell("linear")
        >>> h = cell.run(x, adds).h
        >>> seen = lstm_probe.Snapshot(0, "sums", cell, adds, x=x, output=h)
        >>> ablate(seen, rest=Rest(lambda h: h[:, -1, :1])).at_zero.on_output.tolist()
        [5.0, 0.0]
    """
    found = captured(seen)
    letters = _letters(found, array)
    means = {k: _by_unit(found, k) for k in letters}
    both = {k: np.concatenate([mean, np.zeros_like(mean)]) for k, mean in means.items()}
    units = [*range(found.units.count)] * 2
    outputs, loss = as_it_is(found, rest)
    at_mean, at_zero = effects_of(found, Clamps(units, both), rest)
    return Ablation(
        layer=found.snapshot.layer,
        step=found.snapshot.step,
        word=found.units.word,
        array=array,
        letters=letters,
        at_mean=at_mean,
        at_zero=at_zero,
        norm=root_mean(np.square(found.trace.final["h"]).sum(axis=-1)),
        output_norm=None if outputs is None else root_mean(np.square(outputs).sum(axis=-1)),
        loss=loss,
        loss_name="loss" if rest is None else rest.loss_name,
        output_name="" if rest is None else rest.name,
        sequences=len(found.snapshot.x),
    )


def _letters(seen: Captured, array: str | None) -> tuple[str, ...]:
    states = [letter for letter in seen.cell.states if letter in seen.trace.letters]
    given = seen.snapshot.initial_state
    if "h" not in states or len(given or states) != len(states):
        raise LstmProbeError(
            f"The states of layer {seen.snapshot.layer!r} are not known. Received: a cell whose "
            f"states are {', '.join(seen.cell.states)}. Expected: `h` among them, as "
            "register_cell(..., states=...) says."
        )
    own = [k for k in seen.trace.letters if k != "h" or not seen.units.projected]
    known = own if type(seen.cell).clamped_step is not Cell.clamped_step else states
    if array is None:
        return tuple(k for k in own if k in states)
    if array not in known:
        raise LstmProbeError(
            f"No such array can be clamped. Received: array={array!r}. Expected one of "
            f"{', '.join(known)}, or None for the unit as a whole."
        )
    return (array,)


def _by_unit(seen: Captured, letter: str) -> Array:
    """The mean of each unit over the steps that count; of a filter, over space too."""
    mean = seen.trace.valid(letter).mean(axis=0, dtype=np.float64)
    return np.bincount(seen.units.of_state, mean) / np.bincount(seen.units.of_state)
