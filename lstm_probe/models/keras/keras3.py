"""Keras 3, on TensorFlow, JAX or PyTorch: what is not as in Keras 2."""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from functools import lru_cache, partial
from math import prod
from typing import Any, Final

import keras
import numpy as np

from lstm_probe.core.activations import ACTIVATIONS, ActivationLike
from lstm_probe.core.arrays import Array
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.models.arrays import Leaf
from lstm_probe.models.keras.backends import (
    BACKENDS,
    backend_in_use,
    directions_apart,
    own_seeds,
)
from lstm_probe.models.keras.flavour import Forward, Layer, Model, Run, Tensor
from lstm_probe.models.keras.pure3 import Pure3
from lstm_probe.models.purity.random_states import restored
from lstm_probe.models.purity.trial import Trial
from lstm_probe.models.ragged import Ragged

__all__ = ["Keras3"]

#: Up to so many elements of a variable that is not looked at are held on to, so as not to read it.
_SMALL: Final = 2**18


class Keras3:
    """Reads models of Keras 3: see `Flavour`."""

    package = "keras"
    layers = keras.layers
    BUILDS_IN_ANY_ORDER = True

    def check(self) -> None:
        if keras.backend.backend() not in BACKENDS:
            raise LstmProbeError(
                f"This Keras backend cannot be probed. Received: {keras.backend.backend()}. "
                f"Expected: {', '.join(BACKENDS)}. Set KERAS_BACKEND to one of them."
            )

    def is_chief(self, model: Model) -> bool:
        return backend_in_use().is_chief(self, model)

    def flatten(self, structure: Any) -> list[Any]:
        return list(keras.tree.flatten(structure))

    def join(self, tensors: Sequence[Tensor]) -> Tensor:
        return keras.ops.concatenate(tensors, axis=-1)

    def split(self, tensor: Tensor, widths: Sequence[int]) -> list[Tensor]:
        return list(keras.ops.split(tensor, np.cumsum(widths)[:-1].tolist(), axis=-1))

    def flip(self, tensor: Tensor) -> Tensor:
        return keras.ops.flip(tensor, axis=1)

    def reshaped(self, tensor: Tensor, shape: Sequence[int], dtype: Any) -> Tensor:
        return keras.ops.reshape(keras.ops.cast(tensor, dtype), tuple(shape))

    def tensors(self, probe: Any) -> Any:
        return keras.tree.map_structure(backend_in_use().constant, probe)

    def pulled_back(
        self, function: Callable[[Tensor], Tensor], x: Tensor, cotangent: Tensor
    ) -> Tensor:
        return backend_in_use().pulled_back(function, x, cotangent)

    def pure(
        self,
        model: Model,
        function: Callable[..., Tensor],
        examples: Sequence[Array],
        trial: Trial,
    ) -> Callable[..., Array]:
        return Pure3(model, function, examples, trial)

    def reader(self, variable: Any) -> Callable[[], Tensor]:
        return backend_in_use().reader(variable)

    def to_array(self, tensor: Tensor) -> Array:
        array: Array = keras.ops.convert_to_numpy(tensor)
        return array

    def activation(self, function: Any) -> ActivationLike:
        name = keras.activations.serialize(function)
        if isinstance(name, str) and name in ACTIVATIONS:
            return name

        def on_array(x: Array) -> Array:
            # Some backends read float64 as the default float unless they are told.
            tensor = keras.ops.convert_to_tensor(x, dtype=x.dtype.name)
            return np.asarray(keras.ops.convert_to_numpy(function(tensor)), dtype=x.dtype)

        activation: ActivationLike = backend_in_use().in_float64(on_array)

        return activation

    def path(self, model: Model, layer: Layer) -> str:
        return str(layer.path or layer.name).removeprefix(f"{model.name}/")

    def call(self, target: Any) -> Callable[..., Any]:
        return target.call

    def arguments(self, layer: Layer, x: Any, given: dict[str, Any]) -> tuple[Tensor, Any]:
        state = given.get("initial_state")
        if state is None and layer.stateful:
            state = layer.states
        if state is None and _starts_elsewhere(layer.cell):
            state = layer.get_initial_state(keras.ops.shape(x)[0])
        if state is None:
            return x, None
        states = list(state) if isinstance(state, (list, tuple)) else [state]
        return x, keras.tree.map_structure(_read, states)

    def dense(self, layer: Layer, output: Tensor) -> Tensor:
        return output

    def batch_first(
        self, layer: Layer, x: Tensor, outputs: Sequence[Tensor], mask: Tensor | None
    ) -> tuple[Tensor, Sequence[Tensor], Tensor | None, bool]:
        return x, outputs, mask, False

    def computes_in(self, layer: Layer) -> str:
        # Keras multiplies float64 in float32, but on TensorFlow: result_type in
        # keras/src/backend/common/dtypes.py.
        dtype = str(layer.compute_dtype)
        on_tensorflow = keras.backend.backend() == "tensorflow"
        return dtype if on_tensorflow or dtype != "float64" else "float32"

    def masking(self, layer: Layer) -> dict[str, bool]:
        zero = bool(layer.zero_output_for_mask)
        if keras.backend.backend() != "jax":
            return {"zero_output_for_mask": zero}
        # keras/src/backend/jax/rnn.py: where it unrolls, it forgets the option.
        unrolled = bool(layer.unroll)
        return {
            "zero_output_for_mask": zero and not unrolled,
            "initial_output_for_mask": not unrolled,
        }

    def hearing_stack(self, layer: Layer) -> dict[str, bool]:
        # At masked steps JAX repeats the state of the last cell, which is not as wide as all
        # outputs are: keras/src/backend/jax/rnn.py.
        takes_state = keras.backend.backend() == "jax" and not layer.unroll
        return {"zero_output_for_mask": True} if takes_state else {}

    def inference(self, model: Model) -> dict[str, Any]:
        return {"training": False} if model._call_has_training_arg else {}

    def trial(self, model: Model) -> Trial:
        backend = backend_in_use()
        look = partial(backend.look, model)
        return Trial(
            model,
            keepers=backend.keepers(),
            internal=_internal_names(),
            look=look,
            calls_to_build=1,
        )

    def takes_ragged(self, model: Model, spec: Any, leaf: Ragged) -> bool:
        return bool(getattr(spec, "ragged", False))

    def build(
        self,
        model: Model,
        probe: Any,
        run: Callable[[Model, Any], Any],
        *,
        batch: int | None,
        symbolic: bool,
    ) -> None:
        def symbol(leaf: Leaf) -> keras.KerasTensor:
            shape = (batch, *leaf.shape[1:]) if leaf.ndim else ()
            return keras.KerasTensor(shape, _dtype_of(leaf))

        symbols = keras.tree.map_structure(symbol, probe)
        with backend_in_use().inlined():
            if symbolic:
                run(model, symbols)
            else:
                _Run(model, run).compute_output_spec(symbols)

    def trace(self, model: Model, forward: Forward, probe: Any, trial: Trial) -> Run:
        variables = list(model.variables)
        # A snapshot of the variables is what it runs on and cannot assign to: neither dropout's
        # seeds nor the states of stateful layers move.
        tensors = self.tensors(probe)

        def stateless(values: Sequence[Tensor]) -> Any:
            state = list(zip(variables, values, strict=True))
            with keras.StatelessScope(state_mapping=state), directions_apart(model):
                return forward(tensors)

        backend = backend_in_use()
        readers = [backend.reader(variable) for variable in variables]
        first = [read() for read in readers]
        ops: list[str] = []
        with trial.seeing(ops), own_seeds():
            run = backend.compiled(stateless, first)
            ops += backend.python_ops(run, first)
            used_up = backend.used_up(run, first)
        trial.check(used_up)
        at_once = bool(ops) or not backend.TRACES  # the layers run, whose state the user may read
        # What the pass does not depend on need not be read; its first value stands in for it.
        idle = [
            not used and prod(value.shape) <= _SMALL
            for used, value in zip(backend.used(run, first), first, strict=True)
        ]
        first = [value if unread else None for unread, value in zip(idle, first, strict=True)]

        def on_present_values(needed: Container[int]) -> tuple[Callable[[], Any], Sequence[Tensor]]:
            values = [
                read() if value is None or id(variable) in needed else value
                for variable, read, value in zip(variables, readers, first, strict=True)
            ]
            if not at_once:
                taken = backend.taken(run)
                return lambda: backend.to_arrays(taken(values)), values
            with trial.undone():
                heard = backend.wait(backend.to_arrays(backend.taken(run)(values)))
            return lambda: heard, backend.to_arrays(values)

        return on_present_values


class _Run(keras.Operation):
    """The user's way to run a model, as Keras computes shapes of."""

    def __init__(self, model: Model, run: Callable[[Model, Any], Any]) -> None:
        super().__init__(name="lstm_probe")  # without a name it would be counted
        self._model, self._run = model, run

    def call(self, probe: Any) -> Any:
        self._run(self._model, probe)
        return probe


def _dtype_of(leaf: Leaf) -> str:
    return "string" if leaf.dtype.kind in "US" else leaf.dtype.name


@lru_cache(maxsize=1)
def _internal_names() -> frozenset[str]:
    """The attributes that Keras itself sets on layers and models."""
    with restored():
        layer, model = keras.layers.Layer(name="any"), keras.Model(name="any")
    return frozenset({*vars(layer), *vars(model)})


def _read(variable: Any) -> Tensor:
    return backend_in_use().reader(variable)()


def _starts_elsewhere(cell: Any) -> bool:
    """Whether a cell has a say in its initial state; Keras's own start from zeros."""
    return hasattr(cell, "get_initial_state") and not type(cell).__module__.startswith("keras.")
