"""The layers above a layer as its rest, where their weights are known: NumPy runs them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from lstm_probe.analysis.analysis import Analysis
from lstm_probe.analysis.gradient.of_loss import gradient_of_loss
from lstm_probe.analysis.rest import Rest, RestError
from lstm_probe.analysis.snapshot import Snapshot
from lstm_probe.core.arrays import Array
from lstm_probe.core.trace import GateTrace

__all__ = ["rests_through_layers"]

#: What these rests give.
NAME: Final = "the last h of the layers above"
#: How far an input may be from the output that it is: the rounding of float32.
_ROUNDING: Final = 1e-5


@dataclass(frozen=True, eq=False)
class _Reader:
    """A layer that reads the output of another one.

    Attributes:
        analysis: the layer that reads.
        columns: the features of its input that are the other's output.
    """

    analysis: Analysis
    columns: slice

    def run(self, output: Array) -> tuple[Snapshot, GateTrace]:
        """The layer on its own input, with other numbers where it reads the output."""
        snapshot = self.analysis.snapshot
        x = snapshot.x.astype(np.float64)
        x[..., self.columns] = output
        assert snapshot.cell is not None
        trace = snapshot.cell.run(
            x,
            snapshot.weights,
            initial_state=snapshot.initial_state,
            mask=snapshot.mask,
            dtype=np.float64,
            reverse=snapshot.reverse,
        )
        return replace(snapshot, x=x), trace


def rests_through_layers(analyses: Mapping[str, Analysis]) -> dict[str, Rest]:
    """For each layer whose output other layers read, what these make of it.

    A layer is read where its output stands among the features of another's input, as in a stack. A
    layer that is read together with another one, as the two directions of a bidirectional layer
    are, is followed only where its readers are the last.

    Args:
        analyses: the layers of a model by name, in the order in which it runs them.

    Returns:
        By the names of the layers that are followed. What a rest gives is the last `h` of the
        layers at the top.

    Example:
        >>> rests_through_layers({})
        {}
    """
    known = [each for each in analyses.values() if each.snapshot.cell is not None]
    found: dict[str, Rest] = {}
    for index in reversed(range(len(known))):
        readers = _readers(known[index], known[index + 1 :])
        above = [found.get(reader.analysis.snapshot.layer) for reader in readers]
        if readers and (len(readers) == 1 or not any(above)):
            found[known[index].snapshot.layer] = _rest(
                [
                    (reader, rest or _last(reader.analysis))
                    for reader, rest in zip(readers, above, strict=True)
                ]
            )
    return found


def _readers(lower: Analysis, others: Sequence[Analysis]) -> list[_Reader]:
    output = _shown(lower.snapshot, lower.trace)
    width, found = output.shape[2], []
    for other in others:
        x = other.snapshot.x
        if x.shape[:2] != output.shape[:2]:
            continue
        for first in range(x.shape[2] - width + 1):
            columns = slice(first, first + width)
            if np.allclose(x[..., columns], output, rtol=0, atol=_ROUNDING):
                found.append(_Reader(other, columns))
                break
    return found if output.any() else []


def _shown(snapshot: Snapshot, trace: GateTrace) -> Array:
    return trace.shown(
        zero_output_for_mask=snapshot.zero_output_for_mask,
        initial_output_for_mask=snapshot.initial_output_for_mask,
    )


def _last(analysis: Analysis) -> Rest:
    """The last step of a layer at the top."""
    last = analysis.snapshot.last

    def back(h: Array, by_output: Array) -> Array:
        found = np.zeros(h.shape)
        found[:, last] = by_output
        return found

    return Rest(lambda h: h[:, last], back)


def _rest(readers: Sequence[tuple[_Reader, Rest]]) -> Rest:
    def outputs(h: Array) -> Array:
        parts = [rest.outputs(_shown(*reader.run(h))) for reader, rest in readers]
        return np.concatenate(parts, axis=1)

    def back(h: Array, by_output: Array) -> Array:
        total, start = np.zeros(h.shape), 0
        for reader, rest in readers:
            snapshot, trace = reader.run(h)
            shown = _shown(snapshot, trace)
            stop = start + rest.outputs(shown).shape[1]
            assert rest.back is not None
            gradient = gradient_of_loss(snapshot, trace, rest.back(shown, by_output[:, start:stop]))
            if gradient is None:
                raise RestError(
                    f"There is no gradient through layer {snapshot.layer!r}. Received: "
                    f"{snapshot.cell!r:.80}. Expected: a cell whose derivatives are known."
                )
            total += gradient.inputs[..., reader.columns]
            start = stop
        return total

    return Rest(outputs, back, name=NAME)
