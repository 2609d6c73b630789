"""Cells inside wrappers: the user's cells are run once more, and what each one does is recorded.

`MultiRNNCell` returns the output of its top cell alone, and `ResidualWrapper` hides the output of
the cell that it wraps. So a twin is added to the graph: the same cell objects, and so the same
variables, run on the same input.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import tensorflow as tf

from lstm_probe.models.session.wrappers import all_cells

__all__ = ["Tap", "Twin", "build_twin"]

#: A symbolic tensor, or a list of them, one for each timestep.
Tensor = Any
_SCOPE = "lstm_probe"
_CACHED_SCOPES = ("rnncell_scope", "_always_reuse_variable_scope")
_PARTS = ("x", "output", "given", "returned")


@dataclass(frozen=True)
class Tap:
    """What one cell reads and returns.

    Attributes:
        cell: the cell.
        x: `(batch, time, width)`, or time-major if the twin is; in one step, `(batch, width)`.
        output: the same form.
        given: the states before the steps, joined along the width, in the same form; None if
            nobody asks for states.
        returned: the states after the steps, likewise.
        first: the state before the first step, as the cell takes it.
    """

    cell: Any
    x: Tensor
    output: Tensor
    given: Tensor
    returned: Tensor
    first: Any = None

    def parts(self, with_states: bool) -> list[Tensor]:
        """The tensors of one step."""
        return [self.x, self.output, *([self.given, self.returned] if with_states else [])]


@dataclass(frozen=True)
class Twin:
    """A second run of the user's cell.

    Attributes:
        taps: the cells inside it, in the order in which they run.
        top: the output of the outermost cell.
        top_is_bare: whether that is the output of the last cell inside, with no wrapper around it.
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
    with_states: bool = False,
) -> Twin:
    """Add the twin's ops to the graph of `x`, without making variables.

    Args:
        cell: the outermost cell.
        leaves: the cells inside it.
        x: `(batch, time, input)`, or `(time, batch, input)` if `time_major`.
        time_major: as in `dynamic_rnn`.
        sequence_length: `(batch,)`, as in `dynamic_rnn`, or None.
        initial_state: as in `dynamic_rnn`, or None.
        reverse: whether each sequence is read from its end.
        with_states: whether the states of the cells inside are recorded.
    """
    time_axis = 0 if time_major else 1
    with x.graph.as_default(), tf.name_scope(_SCOPE), _without_cached_scopes(cell):
        first = x[0] if time_major else x[:, 0]
        state = initial_state
        if state is None:
            state = cell.zero_state(tf.shape(first)[0], first.dtype)
        with _tapped(leaves) as calls:
            top, _ = cell(first, state)  # a single step shows the widths
        widths = [int(t.shape[-1]) for call in calls for t in call.parts(with_states)]
        widths.append(int(top.shape[-1]))
        outputs, _ = tf.compat.v1.nn.dynamic_rnn(
            _Listening(cell, leaves, sum(widths), with_states),
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
    count = 4 if with_states else 2
    taps = [
        replace(call, **dict(zip(_PARTS, parts[count * k : count * (k + 1)], strict=False)))
        for k, call in enumerate(calls)
    ]
    return Twin(taps, parts[-1], calls[-1].output is top)


class _Listening:
    """A cell around the user's. It returns all that the cells inside read and returned."""

    def __init__(self, cell: Any, leaves: Sequence[Any], width: int, with_states: bool) -> None:
        self._cell, self._leaves, self._with_states = cell, leaves, with_states
        self.output_size = width
        self.state_size = cell.state_size
        self.zero_state = cell.zero_state

    def __call__(self, inputs: Tensor, state: Any, scope: Any = None) -> tuple[Tensor, Any]:
        with _tapped(self._leaves) as calls:
            top, state = self._cell(inputs, state)
        parts = [tensor for call in calls for tensor in call.parts(self._with_states)]
        return tf.concat([*parts, top], axis=1), state


@contextmanager
def _without_cached_scopes(cell: Any) -> Iterator[None]:
    """While the context lasts, cells do not remember the graph in which they were called first.

    That may be the graph of a loop's body. Entering a scope that was made there makes it the
    default graph again (`variable_scope.__enter__` in tensorflow/python/ops/variable_scope.py).
    """
    every = [layer for each in all_cells(cell) for layer in _layers_of(each)]
    kept = [
        (vars(layer), name, vars(layer).pop(name))
        for layer in every
        for name in _CACHED_SCOPES
        if name in vars(layer)
    ]
    try:
        yield
    finally:
        for layer in every:
            for name in _CACHED_SCOPES:
                vars(layer).pop(name, None)
        for attributes, name, scope in kept:
            attributes[name] = scope


def _layers_of(cell: Any) -> list[Any]:
    """The cell, and all layers inside it."""
    return list(cell._flatten_layers()) if hasattr(cell, "_flatten_layers") else [cell]


@contextmanager
def _tapped(leaves: Sequence[Any]) -> Iterator[list[Tap]]:
    """A context in which each step of the cells is appended to the list that it gives."""
    calls: list[Tap] = []
    unique = list({id(leaf): leaf for leaf in leaves}.values())
    try:
        for leaf in unique:
            # object.__setattr__ avoids the attribute tracking of Keras, which would keep the value.
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
        given, returned = (tf.concat(tf.nest.flatten(each), 1) for each in (state, new_state))
        calls.append(Tap(leaf, inputs, output, given, returned, state))
        return output, new_state

    return tf.autograph.experimental.do_not_convert(tap)


def _reversed(x: Tensor, sequence_length: Tensor | None, time_axis: int) -> Tensor:
    if sequence_length is None:
        return tf.reverse(x, [time_axis])
    return tf.reverse_sequence(x, sequence_length, seq_axis=time_axis, batch_axis=1 - time_axis)
