"""The part of a Keras model after one of its recurrent layers, as a pure function of arrays."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from lstm_probe.analysis.rest import Rest
from lstm_probe.core.arrays import Array
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.models.keras.cells import cells_of
from lstm_probe.models.keras.flavour import Layer, Model, Tensor
from lstm_probe.models.keras.keras3 import backend_in_use, directions_apart, own_seeds
from lstm_probe.models.keras.sites import Site
from lstm_probe.models.keras.taps import overlaid
from lstm_probe.models.purity.trial import Trial

__all__ = ["rest_of", "why_no_rest"]

#: Frameworks compute the rest in float32: sums of its gradients are exact to this part.
_TOLERANCE = 1e-4


def why_no_rest(site: Site, sites: Sequence[Site]) -> str | None:
    """Why the part of a model after a layer cannot be run; None if it can.

    Args:
        site: where the model calls the layer.
        sites: where it calls all of them.
    """
    layer = site.layer
    if site.is_joined or site.is_merged or len(site.calls) != 1:
        return "the model calls it step by step"
    if sum(each.layer is layer for each in sites) > 1:
        if len(cells_of(layer)) > 1:
            return "it is one of several cells of a layer"
        return "the model calls it more than once"
    size = cells_of(layer)[0].state_size
    if layer.return_state and isinstance(size, (list, tuple)) and len(size) > 1:
        return "it hands on a state that is more than its output"
    return None


def rest_of(
    model: Model, site: Site, run: Callable[[], Any], shape: tuple[int, ...], trial: Trial
) -> Rest:
    """The part of a model after a layer, on the weights that the model has now.

    The model runs on its probe with the layer's output replaced. Nothing of it changes: the pass
    runs on copies of its variables, as that of a capture does.

    Args:
        model: the model.
        site: where it calls the layer.
        run: runs the model on the probe.
        shape: `(batch, time, units)` of the layer's output.
        trial: watches the passes.
    """
    batch, h = shape[0], np.zeros(shape, np.float32)

    def outputs_of(h: Tensor) -> Tensor:
        stand_in = _StandIn(site.layer, h)
        with overlaid(site.layer, stand_in):
            found = run()
        tensors = [each for each in keras.tree.flatten(found) if hasattr(each, "shape")]
        rows = [keras.ops.reshape(keras.ops.cast(t, "float32"), (batch, -1)) for t in tensors]
        return rows[0] if len(rows) == 1 else keras.ops.concatenate(rows, axis=-1)

    forward = _Pure(model, outputs_of, [h], trial)
    width = forward(h).shape[1]

    def back(h: Tensor, cotangent: Tensor) -> Tensor:
        return backend_in_use().pulled_back(outputs_of, h, cotangent)

    backward: list[_Pure] = []  # compiled when it is first asked for

    def gradient(h: Array, by_output: Array) -> Array:
        if not backward:
            backward.append(_Pure(model, back, [h, np.zeros((batch, width))], trial))
        return backward[0](h, by_output)

    return Rest(forward, gradient, tolerance=_TOLERANCE)


class _StandIn:
    """Stands in for a layer's `call`, and gives another output than the layer would."""

    def __init__(self, layer: Layer, h: Tensor) -> None:
        self._layer, self._h, self._call = layer, h, layer.call
        self.__signature__ = inspect.signature(layer.call)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        layer, h = self._layer, self._h
        result = self._call(*args, **kwargs)
        output = result[0] if layer.return_state else result
        space = tuple(output.shape[2:] if layer.return_sequences else output.shape[1:])
        if layer.go_backwards:  # outputs stand in the order of computation
            h = keras.ops.flip(h, axis=1)
        steps = keras.ops.reshape(keras.ops.cast(h, output.dtype), (*h.shape[:2], *space))
        given = steps if layer.return_sequences else steps[:, -1]
        return [given, steps[:, -1]] if layer.return_state else given


class _Pure:
    """A function of tensors, compiled under the values that the model's variables have now."""

    def __init__(
        self,
        model: Model,
        function: Callable[..., Tensor],
        examples: Sequence[Array],
        trial: Trial,
    ) -> None:
        variables, self._trial = list(model.variables), trial
        backend = self._backend = backend_in_use()
        self._values = [backend.reader(variable)() for variable in variables]

        def stateless(values: Sequence[Tensor]) -> Any:
            state = list(zip(variables, values[: len(variables)], strict=True))
            with keras.StatelessScope(state_mapping=state), directions_apart(model):
                return function(*values[len(variables) :])

        first = [*self._values, *map(self._tensor, examples)]
        ops: list[str] = []
        with trial.seeing(ops), own_seeds():
            self._run = backend.compiled(stateless, first)
            ops += backend.python_ops(self._run, first)
            used_up = backend.used_up(self._run, first)
        trial.check(used_up)
        self._at_once = bool(ops) or not backend.TRACES

    def __call__(self, *arrays: Array) -> Array:
        values = [*self._values, *map(self._tensor, arrays)]
        if not self._at_once:
            return self._numpy(self._backend.taken(self._run)(values))
        with self._trial.undone():
            return self._numpy(self._backend.wait(self._backend.taken(self._run)(values)))

    def _tensor(self, array: Array) -> Tensor:
        return self._backend.constant(np.asarray(array, np.float32))

    def _numpy(self, tensor: Tensor) -> Array:
        array = np.asarray(self._backend.to_arrays(tensor), np.float64)
        if not array.size:
            raise LstmProbeError("The rest of the model gives nothing.")
        return array
