"""Listening to what a model's recurrent layers read and return while the model is traced."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import keras

from lstm_probe.callbacks.keras_backend import read

__all__ = ["Call", "tapped"]

#: A tensor of the backend, symbolic while the model is traced.
Tensor = Any


@dataclass(frozen=True)
class Call:
    """One call of a layer.

    Attributes:
        layer: the layer.
        x: `(batch, time, input)`, its input.
        output: `(batch, time, units)`, its hidden sequence in the order in which it computes.
        final_output: `(batch, units)`, what it returned if that was the last step only.
        mask: `(batch, time)` or None.
        initial_state: `(h, c)`, each `(batch, units)`, or None for zeros.
    """

    layer: keras.layers.LSTM
    x: Tensor
    output: Tensor
    final_output: Tensor | None
    mask: Tensor | None
    initial_state: list[Tensor] | None


@contextmanager
def tapped(layers: Sequence[keras.layers.LSTM]) -> Iterator[list[Call]]:
    """While the context lasts, every call of the layers is appended to the list it gives.

    Each layer's `call` is overlaid on the instance and uncovered again. The layer runs as it is;
    one that returns its last step only runs once more to return all of them.
    """
    calls: list[Call] = []
    try:
        for layer in layers:
            # Past Keras's attribute tracking, which would keep what is put there.
            object.__setattr__(layer, "call", _Tap(layer, calls))
        yield calls
    finally:
        for layer in layers:
            if isinstance(vars(layer).get("call"), _Tap):
                object.__delattr__(layer, "call")


class _Tap:
    """Stands in for a layer's `call`, with its signature."""

    def __init__(self, layer: keras.layers.LSTM, calls: list[Call]) -> None:
        self._layer = layer
        self._call = layer.call
        self._calls = calls

    def __call__(
        self, sequences: Tensor, initial_state: Any = None, mask: Any = None, training: bool = False
    ) -> Any:
        layer = self._layer
        if initial_state is None and layer.stateful:
            initial_state = layer.states
        if initial_state is not None:
            # Read now: a stateful layer moves its states on while it runs.
            initial_state = [read(state) for state in initial_state]
        result = self._call(sequences, initial_state=initial_state, mask=mask, training=training)
        output = result[0] if layer.return_state else result
        final_output = None
        if not layer.return_sequences:
            final_output = output
            output = self._all_steps(sequences, initial_state, mask, training)
        mask = mask[0] if isinstance(mask, (list, tuple)) else mask
        self._calls.append(Call(layer, sequences, output, final_output, mask, initial_state))
        return result

    def _all_steps(self, sequences: Tensor, initial_state: Any, mask: Any, training: bool) -> Any:
        layer = self._layer
        layer.return_sequences = True
        try:
            result = self._call(
                sequences, initial_state=initial_state, mask=mask, training=training
            )
        finally:
            layer.return_sequences = False
        return result[0] if layer.return_state else result
