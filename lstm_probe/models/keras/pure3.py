"""Functions of tensors that run parts of a Keras 3 model, on the weights that it has now."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from lstm_probe.core.arrays import Array
from lstm_probe.models.keras.backends import backend_in_use, directions_apart, own_seeds
from lstm_probe.models.keras.flavour import Model, Tensor
from lstm_probe.models.purity.trial import Trial

__all__ = ["Pure3"]


class Pure3:
    """A function of tensors, compiled under the values that the model's variables have now.

    Args:
        model: what the function runs parts of.
        function: takes and gives tensors.
        examples: arrays of the shapes that it will be called with.
        trial: watches the passes.
    """

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
        return np.asarray(self._backend.to_arrays(tensor), np.float64)
