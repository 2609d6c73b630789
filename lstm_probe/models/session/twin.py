"""Cells inside wrappers: the user's own cell objects run once more, and each is listened to.

The output of `MultiRNNCell` is that of its top cell, and `ResidualWrapper` hides what its cell
gave. The twin runs the same objects, so the same variables, on the same input.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

__all__ = ["Tap", "Twin", "build_twin"]

#: A symbolic tensor, or a list of them, one for each timestep.
Tensor = Any
_SCOPE = "lstm_probe"


@dataclass(frozen=True)
class Tap:
    """What one cell reads and gives: `(batch, time, width)`, or time-major like the twin."""

    cell: Any
    x: Tensor
    output: Tensor


@dataclass(frozen=True)
class Twin:
    """A second run of the user's cell.

    Attributes:
        taps: the cells inside, in the order in which they run.
        top: what the outermost cell gives.
        top_is_bare: the last cell's output is the outermost cell's: nothing is wrapped around it.
    """

    taps: list[Tap]
    top: Tensor
    top_is_bare: bool


def build_twin(
    cell: Any,
    leaves: Sequence[Any],
    x: Tensor,
    *,
    time_major: bool = False,
    sequence_length: Tensor | None = None,
    initial_state: Any = None,
    reverse: bool = False,
) -> Twin:
    """Add the twin's ops to the graph of `x`; no variable is made.

    Args:
        cell: the outermost cell.
        leaves: the cells inside it.
        x: `(batch, time, input)`, or `(time, batch, input)` if `time_major`.
        time_major: as in `dynamic_rnn`.
        sequence_length: `(batch,)` or None.
        initial_state: as in `dynamic_rnn`.
        reverse: each sequence is read from its end.
    """
    time_axis = 0 if time_major else 1
    with x.graph.as_default(), tf.name_scope(_SCOPE):
        first = x[0] if time_major else x[:, 0]
        state = initial_state
        if state is None:
            state = cell.zero_state(tf.shape(first)[0], first.dtype)
        with _tapped(leaves) as calls:
            top, _ = cell(first, state)  # one step alone tells the widths
        widths = [int(t.shape[-1]) for call in calls for t in (call.x, call.output)]
        widths.append(int(top.shape[-1]))
        outputs, _ = tf.compat.v1.nn.dynamic_rnn(
            _Listening(cell, leaves, sum(widths)),
            _reversed(x, sequence_length, time_axis) if reverse else x,
            sequence_length=sequence_length,
            initial_state=initial_state,
            dtype=first.dtype,
            time_major=time_major,
            scope=_SCOPE,
        )
        if reverse:
            outputs = _reversed(outputs, sequence_length, time_axis)
        parts = tf.split(outputs, widths, axis=2)
    taps = [Tap(c.cell, parts[2 * k], parts[2 * k + 1]) for k, c in enumerate(calls)]
    return Twin(taps, parts[-1], calls[-1].output is top)


class _Listening:
    """A cell around the user's, whose output is all that the cells inside read and gave."""

    def __init__(self, cell: Any, leaves: Sequence[Any], width: int) -> None:
        self._cell, self._leaves = cell, leaves
        self.output_size = width
        self.state_size = cell.state_size
        self.zero_state = cell.zero_state

    def __call__(self, inputs: Tensor, state: Any, scope: Any = None) -> tuple[Tensor, Any]:
        with _tapped(self._leaves) as calls:
            top, state = self._cell(inputs, state)
        parts = [tensor for call in calls for tensor in (call.x, call.output)]
        return tf.concat([*parts, top], axis=1), state


@contextmanager
def _tapped(leaves: Sequence[Any]) -> Iterator[list[Tap]]:
    """While the context lasts, every step of the cells is appended to the list it gives."""
    calls: list[Tap] = []
    unique = list({id(leaf): leaf for leaf in leaves}.values())
    try:
        for leaf in unique:
            # Past Keras's attribute tracking, which would keep what is put there.
            object.__setattr__(leaf, "call", _tap(leaf, calls))
        yield calls
    finally:
        for leaf in unique:
            if "call" in vars(leaf):
                object.__delattr__(leaf, "call")


def _tap(leaf: Any, calls: list[Tap]) -> Any:
    call = leaf.call

    def tap(inputs: Tensor, state: Any) -> Any:
        output, new_state = call(inputs, state)
        calls.append(Tap(leaf, inputs, output))
        return output, new_state

    return tf.autograph.experimental.do_not_convert(tap)


def _reversed(x: Tensor, sequence_length: Tensor | None, time_axis: int) -> Tensor:
    if sequence_length is None:
        return tf.reverse(x, [time_axis])
    return tf.reverse_sequence(x, sequence_length, seq_axis=time_axis, batch_axis=1 - time_axis)
