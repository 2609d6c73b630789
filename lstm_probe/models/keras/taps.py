"""Listening to what a model's recurrent layers read and return while the model is traced."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import Any

from lstm_probe.models.keras.by_hand import CellTap
from lstm_probe.models.keras.cells import cells_of
from lstm_probe.models.keras.flavour import Flavour, Layer, Tensor, flavour_of
from lstm_probe.models.keras.heard import Call, Heard
from lstm_probe.models.keras.loops import loops_of, unrolled

__all__ = ["overlaid", "tapped"]


@contextmanager
def tapped(layers: Sequence[Layer]) -> Iterator[Heard]:
    """While the context lasts, every call of the layers and cells is heard.

    Each layer's `call` is overlaid on the instance and uncovered again. The layer runs as it is;
    one that returns its last step only, or hides what happens between stacked cells, runs once
    more to tell. A cell counts where the user's own code calls it: for calls by a recurrent layer,
    that layer speaks.

    Args:
        layers: recurrent layers, and cells.
    """
    flavour = flavour_of(layers[0])
    heard = Heard(loops_of(flavour))
    with ExitStack() as overlays:
        for layer in layers:
            is_layer = isinstance(layer, flavour.layers.RNN)
            overlays.enter_context(overlaid(layer, (_Tap if is_layer else CellTap)(layer, heard)))
        yield heard
    heard.finish()


@contextmanager
def overlaid(target: Any, call: Any) -> Iterator[None]:
    """While the context lasts, the object's `call` is another one."""
    # Wrappers of Keras 2 look up which arguments it takes.
    call.__signature__ = inspect.signature(target.call)
    # AutoGraph takes what bears this for converted already; the user's code in it is.
    call.autograph_info__ = {}
    before = vars(target).get("call")
    # Past Keras's attribute tracking, which would keep what is put there.
    object.__setattr__(target, "call", call)
    try:
        yield
    finally:
        object.__delattr__(target, "call")
        if before is not None:
            object.__setattr__(target, "call", before)


@contextmanager
def _having(layer: Layer, **attributes: Any) -> Iterator[None]:
    """While the context lasts, the layer has these attributes."""
    before = {name: getattr(layer, name) for name in attributes}
    for name, value in attributes.items():
        setattr(layer, name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(layer, name, value)


class _Tap:
    """Stands in for a layer's `call`."""

    def __init__(self, layer: Layer, heard: Heard) -> None:
        self._layer = layer
        self._flavour = flavour_of(layer)
        self._call = self._flavour.call(layer)
        self._signature = inspect.signature(layer.call)
        self._heard = heard

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        layer, heard = self._layer, self._heard
        if not heard.hears(layer):
            return self._call(*args, **kwargs)
        with heard.silencing([layer.cell, *cells_of(layer)]), self._compiled():
            result = self._listen(*args, **kwargs)
        return heard.loops.tied(result)

    def _listen(self, *args: Any, **kwargs: Any) -> Any:
        layer, cells = self._layer, cells_of(self._layer)
        (x, *rest), given = self._bound(*args, **kwargs)
        x, state = self._flavour.arguments(layer, x, given)
        if state is not None:
            given["initial_state"] = state

        def call() -> Any:
            with self._heard.trying(cells if self._tries_first() else ()):
                return self._call(x, *rest, **given)

        with _having(layer, stateful=False):  # it was given its states, and shall not move them on
            if self._ends_in_all_steps(cells):
                steps = self._all_steps(call)
                last = steps[:, -1]
                self._record(x, [steps], last, given.get("mask"), state, last)
                return last
            result = call()
            output = self._output(result)
            with self._heard.silencing(None):  # runs once more
                if len(cells) > 1:
                    outputs = self._between(call, cells)
                else:
                    outputs = [output if layer.return_sequences else self._all_steps(call)]
        self._record(x, outputs, output, given.get("mask"), state, result)
        return result

    def _tries_first(self) -> bool:
        """Whether Keras calls the cell once to see what it returns, before it runs all steps."""
        return self._heard.loops.TRIES_FIRST and not self._layer.unroll

    def _compiled(self) -> AbstractContextManager[Any]:
        """Loops of the layer are compiled also where those around it are not, unless cells that
        nobody would hear otherwise run inside."""
        layer = self._layer
        inner = {id(each) for each in layer._flatten_layers()}
        inner -= {id(layer), id(layer.cell), *map(id, cells_of(layer))}
        return nullcontext() if inner else unrolled(self._flavour, enabled=False)

    def _ends_in_all_steps(self, cells: Sequence[Any]) -> bool:
        """Whether what the layer returns is the last of what it returns with `return_sequences`.

        Keras's own layers compute the same either way: they are run once, and not twice.
        """
        layer = self._layer
        return (
            _is_stock(layer)
            and len(cells) == 1
            and not (layer.return_sequences or layer.return_state)
        )

    def _bound(self, *args: Any, **kwargs: Any) -> tuple[list[Any], dict[str, Any]]:
        """The arguments of a call: the first, and those that have no name; the others by name."""
        bound = self._signature.bind(*args, **kwargs)
        named, (first, *parameters) = dict(bound.arguments), self._signature.parameters.values()
        positional = [named.pop(first.name)]
        for parameter in parameters:
            if parameter.kind is parameter.VAR_POSITIONAL:
                positional += named.pop(parameter.name, ())
            elif parameter.kind is parameter.VAR_KEYWORD:
                named |= named.pop(parameter.name, {})
        return positional, named

    def _record(
        self,
        x: Tensor,
        outputs: Sequence[Tensor],
        output: Tensor,
        mask: Any,
        state: Any,
        result: Any,
    ) -> None:
        layer, cells = self._layer, cells_of(self._layer)
        mask = mask[0] if isinstance(mask, (list, tuple)) else mask
        x, outputs, mask, is_padded = self._flavour.batch_first(layer, x, outputs, mask)
        states = _by_cell(state, cells, self._flavour)
        final_states = _by_cell(self._final_state(result, cells), cells, self._flavour)
        for index, cell in enumerate(cells):
            is_last = index == len(cells) - 1
            self._heard.add(
                Call(
                    layer,
                    cell,
                    "" if len(cells) == 1 else f"/cell_{index + 1}",
                    x,
                    outputs[index],
                    output if is_last and not layer.return_sequences else None,
                    mask,
                    states[index],
                    is_padded or bool(self._hearing()),
                    final_states[index],
                )
            )
            # Outputs stand in the order of computation, inputs in that of the input's time.
            x = self._flavour.flip(outputs[index]) if layer.go_backwards else outputs[index]

    def _output(self, result: Any) -> Tensor:
        output = result[0] if self._layer.return_state else result
        return self._flavour.dense(self._layer, output)

    def _final_state(self, result: Any, cells: Sequence[Any]) -> Any:
        """The states after the last step; None if the layer does not tell them."""
        if self._layer.return_state:
            return list(result[1:])
        if not isinstance(self._layer, (self._flavour.layers.GRU, self._flavour.layers.SimpleRNN)):
            return None
        # The only state of these is their output.
        if not self._layer.return_sequences:
            return [result]
        if hasattr(result, "row_splits") or getattr(self._layer, "time_major", False):
            return None  # the last step of each sequence is not at the end of the second axis
        return [result[:, -1]]

    def _all_steps(self, call: Callable[[], Any]) -> Tensor:
        with _having(self._layer, return_sequences=True):
            return self._output(call())

    def _hearing(self) -> dict[str, bool]:
        """What the layer is told while its stack is made to return all outputs."""
        is_stack = len(cells_of(self._layer)) > 1
        return self._flavour.hearing_stack(self._layer) if is_stack else {}

    def _between(self, call: Callable[[], Any], cells: Sequence[Any]) -> list[Tensor]:
        """The outputs of every cell of a stack: the stack is made to return them side by side."""
        stack = _StackTap(self._layer.cell, cells, self._flavour)
        with overlaid(self._layer.cell, stack), _having(self._layer, **self._hearing()):
            joined = self._all_steps(call)
        return self._flavour.split(joined, stack.widths)


class _StackTap:
    """Stands in for the `call` of stacked cells and returns the outputs of all of them."""

    def __init__(self, stack: Any, cells: Sequence[Any], flavour: Flavour) -> None:
        self._call = flavour.call(stack)
        self._cells = cells
        self._flavour = flavour
        self.widths: list[int] = []

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        outputs: list[Tensor] = []
        with ExitStack() as overlays:
            for cell in self._cells:
                overlays.enter_context(
                    overlaid(cell, _recording(self._flavour.call(cell), outputs))
                )
            _, states = self._call(*args, **kwargs)
        self.widths = [int(output.shape[-1]) for output in outputs]
        return self._flavour.join(outputs), states


def _is_stock(layer: Layer) -> bool:
    return type(layer).__module__.startswith("keras.")


def _recording(call: Callable[..., Any], outputs: list[Tensor]) -> Callable[..., Any]:
    def recorded(*args: Any, **kwargs: Any) -> Any:
        result = call(*args, **kwargs)
        outputs.append(result[0])
        return result

    return recorded


def _by_cell(state: Any, cells: Sequence[Any], flavour: Flavour) -> list[list[Tensor] | None]:
    """The states of each cell, out of those of the layer."""
    if state is None:
        return [None] * len(cells)
    if len(cells) == 1:  # the cell of Keras 3's ConvLSTM layers does not tell its two states
        return [flavour.flatten(state)]
    tensors = iter(flavour.flatten(state))
    return [[next(tensors) for _ in flavour.flatten(each.state_size)] for each in cells]
