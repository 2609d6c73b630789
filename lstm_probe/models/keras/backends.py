"""The frameworks that Keras 3 computes with: TensorFlow, JAX and PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import lru_cache
from importlib import import_module
from itertools import product
from typing import Any, Final, Protocol, cast

import keras
from keras.layers import Bidirectional

from lstm_probe.models.arrays import Leaf
from lstm_probe.models.keras.flavour import Flavour, Model, Tensor
from lstm_probe.models.purity.walk import Keeper, Walk

__all__ = ["BACKENDS", "Backend", "backend_in_use", "directions_apart", "own_seeds"]

#: Those that can be probed.
BACKENDS: Final = ("tensorflow", "jax", "torch")


class Backend(Protocol):
    """What each of the frameworks that Keras 3 computes with does its own way.

    Attributes:
        TRACES: a compiled function runs without the layers, on any thread.
    """

    TRACES: bool

    def is_chief(self, flavour: Flavour, model: Model) -> bool:
        """See `Flavour`."""

    def constant(self, leaf: Leaf) -> Tensor:
        """A tensor of the values of one array of a probe.

        Raises:
            LstmProbeError: the framework has no such tensors.
        """

    def inlined(self) -> AbstractContextManager[None]:
        """While the context lasts, functions that the user has compiled run as plain Python, so
        that layers in them can be listened to."""

    def compiled(
        self, function: Callable[[Sequence[Tensor]], Any], values: Sequence[Tensor]
    ) -> Callable[[Sequence[Tensor]], Any]:
        """A function of a list of tensors, traced here and never for each run.

        Args:
            function: pure, or under a scope that makes it so.
            values: tensors of the shapes and dtypes that it will be run on.
        """

    def taken(self, run: Any) -> Callable[[Sequence[Tensor]], Any]:
        """What `compiled` gave, on all else that it reads as that is now: on any thread."""

    def python_ops(self, run: Any, values: Sequence[Tensor]) -> list[str]:
        """The names of the ops that run Python of the user's in each run."""

    def used_up(self, run: Any, values: Sequence[Tensor]) -> list[str]:
        """Run what `compiled` gave, unless that changes nothing for sure or has been done; and name
        the ops that took from what cannot be put back."""

    def wait(self, result: Any) -> Any:
        """The result, when all that is under way has been done."""

    def keepers(self) -> Sequence[Keeper]:
        """How to keep the values of the framework's own objects."""

    def look(self, model: Model, walk: Walk) -> None:
        """Look at what the framework's own objects hold in a model."""

    def used(self, run: Any, values: Sequence[Tensor]) -> list[bool]:
        """Which of the values what `compiled` gave depends on, as far as that is known."""

    def reader(self, variable: Any) -> Callable[[], Tensor]:
        """What reads a variable's value as it then is, as a tensor that no later training step
        changes."""

    def to_arrays(self, structure: Any) -> Any:
        """Tensors in nested lists as what NumPy takes for arrays; None stays None."""

    def in_float64(self, function: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """An activation function that computes in float64 where its argument is."""

    def pulled_back(
        self, function: Callable[[Tensor], Tensor], x: Tensor, cotangent: Tensor
    ) -> Tensor:
        """The gradient with respect to `x` of a function's value times a cotangent of its shape."""


@contextmanager
def own_seeds() -> Iterator[None]:
    """After the context Keras has no global generator of seeds if it had none before.

    The training makes one when it needs it, out of the seed of that moment.
    """
    state, name = import_module("keras.src.backend.common.global_state"), "global_seed_generator"
    before = state.get_global_attribute(name)
    try:
        yield
    finally:
        if before is None:
            state.set_global_attribute(name, None)


@contextmanager
def directions_apart(model: Model) -> Iterator[None]:
    """While the context lasts, both layers of a Bidirectional wrapper are called, one by one.

    On a GPU Keras may run them as one (keras/src/layers/rnn/bidirectional.py), and nobody could
    listen.
    """
    wrappers = [each for each in model._flatten_layers() if isinstance(each, Bidirectional)]
    names = ("_can_attempt_fused_lstm", "_can_attempt_fused_gru")
    with ExitStack() as restore:
        for wrapper, name in product(wrappers, names):
            # Past Keras's attribute tracking.
            object.__setattr__(wrapper, name, lambda *_: False)
            restore.callback(object.__delattr__, wrapper, name)
        yield


@lru_cache(maxsize=1)  # one for all the life of a process
def backend_in_use() -> Backend:
    return cast(Backend, import_module(f"lstm_probe.models.keras.on_{keras.backend.backend()}"))
