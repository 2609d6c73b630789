"""Listening to what a model's recurrent layers read and return while the model is traced."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import keras

from lstm_probe.callbacks.keras_backend import read
from lstm_probe.callbacks.keras_cells import cells_of

__all__ = ["Call", "tapped"]

#: A tensor of the backend, symbolic while the model is traced.
Tensor = Any


@dataclass(frozen=True)
class Call:
    """One call of a layer, as one of its cells sees it.

    Attributes:
        layer: the layer.
        cell: the cell.
        suffix: what tells the cells of a stack apart, such as `/cell_2`; empty for a single cell.
        x: `(batch, time, ...)`, what the cell reads.
        output: `(batch, time, ...)`, its outputs, in the order in which the layer computes.
        final_output: `(batch, ...)`, what the layer returned if that was its last step only.
        mask: `(batch, time)` or None.
        initial_state: one tensor for each state of the cell, or None for zeros.
    """

    layer: keras.layers.RNN
    cell: Any
    suffix: str
    x: Tensor
    output: Tensor
    final_output: Tensor | None
    mask: Tensor | None
    initial_state: list[Tensor] | None


@contextmanager
def tapped(layers: Sequence[keras.layers.RNN]) -> Iterator[list[Call]]:
    """While the context lasts, every call of the layers is appended to the list it gives.

    Each layer's `call` is overlaid on the instance and uncovered again. The layer runs as it is;
    one that returns its last step only, or hides what happens between stacked cells, runs once
    more to tell.
    """
    calls: list[Call] = []
    with ExitStack() as overlays:
        for layer in layers:
            overlays.enter_context(_overlaid(layer, _Tap(layer, calls)))
        yield calls


@contextmanager
def _overlaid(target: Any, call: Callable[..., Any]) -> Iterator[None]:
    """While the context lasts, the object's `call` is another one."""
    # Past Keras's attribute tracking, which would keep what is put there.
    object.__setattr__(target, "call", call)
    try:
        yield
    finally:
        object.__delattr__(target, "call")


class _Tap:
    """Stands in for a layer's `call`."""

    def __init__(self, layer: keras.layers.RNN, calls: list[Call]) -> None:
        self._layer = layer
        self._call = layer.call
        self._signature = inspect.signature(layer.call)
        self._calls = calls

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        layer, cells = self._layer, cells_of(self._layer)
        given = self._signature.bind(*args, **kwargs).arguments
        state = self._initial_state(given)
        if state is not None:
            given["initial_state"] = state
        result = self._call(**given)
        output = self._output(result)
        final_output = None if layer.return_sequences else output
        if len(cells) > 1:
            outputs = self._between(given, cells)
        else:
            outputs = [output if layer.return_sequences else self._all_steps(given)]
        x, mask = given["sequences"], given.get("mask")
        mask = mask[0] if isinstance(mask, (list, tuple)) else mask
        states = _by_cell(state, cells)
        for index, cell in enumerate(cells):
            is_last = index == len(cells) - 1
            self._calls.append(
                Call(
                    layer,
                    cell,
                    "" if len(cells) == 1 else f"/cell_{index + 1}",
                    x,
                    outputs[index],
                    final_output if is_last else None,
                    mask,
                    states[index],
                )
            )
            x = outputs[index]
        return result

    def _initial_state(self, given: dict[str, Any]) -> Any:
        """What the layer starts from, read now: a stateful layer moves its states on."""
        layer, state = self._layer, given.get("initial_state")
        if state is None and layer.stateful:
            state = layer.states
        if state is None and _starts_elsewhere(layer.cell):
            state = layer.get_initial_state(keras.ops.shape(given["sequences"])[0])
        return None if state is None else keras.tree.map_structure(read, list(_listed(state)))

    def _output(self, result: Any) -> Tensor:
        return result[0] if self._layer.return_state else result

    def _all_steps(self, given: dict[str, Any]) -> Tensor:
        layer, before = self._layer, self._layer.return_sequences
        layer.return_sequences = True
        try:
            return self._output(self._call(**given))
        finally:
            layer.return_sequences = before

    def _between(self, given: dict[str, Any], cells: Sequence[Any]) -> list[Tensor]:
        """The outputs of every cell of a stack: the stack is made to return them side by side."""
        stack = _StackTap(self._layer.cell, cells)
        with _overlaid(self._layer.cell, stack):
            joined = self._all_steps(given)
        ends = [sum(stack.widths[: k + 1]) for k in range(len(cells) - 1)]
        return list(keras.ops.split(joined, ends, axis=-1))


class _StackTap:
    """Stands in for the `call` of stacked cells and returns the outputs of all of them."""

    def __init__(self, stack: Any, cells: Sequence[Any]) -> None:
        self._call = stack.call
        self._cells = cells
        self.widths: list[int] = []

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        outputs: list[Tensor] = []
        with ExitStack() as overlays:
            for cell in self._cells:
                overlays.enter_context(_overlaid(cell, _recording(cell.call, outputs)))
            _, states = self._call(*args, **kwargs)
        self.widths = [int(output.shape[-1]) for output in outputs]
        return keras.ops.concatenate(outputs, axis=-1), states


def _recording(call: Callable[..., Any], outputs: list[Tensor]) -> Callable[..., Any]:
    def recorded(*args: Any, **kwargs: Any) -> Any:
        result = call(*args, **kwargs)
        outputs.append(result[0])
        return result

    return recorded


def _starts_elsewhere(cell: Any) -> bool:
    """Whether a cell has a say in its initial state; Keras's own start from zeros."""
    return hasattr(cell, "get_initial_state") and not type(cell).__module__.startswith("keras.")


def _listed(state: Any) -> Any:
    return state if isinstance(state, (list, tuple)) else [state]


def _by_cell(state: Any, cells: Sequence[Any]) -> list[list[Tensor] | None]:
    """The states of each cell, out of those of the layer."""
    if state is None:
        return [None] * len(cells)
    tensors = iter(keras.tree.flatten(state))
    return [[next(tensors) for _ in keras.tree.flatten(cell.state_size)] for cell in cells]
