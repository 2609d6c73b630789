"""JAX under Keras 3."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import jax
import keras

from lstm_probe.core.errors import LstmProbeError
from lstm_probe.models.arrays import Leaf, numbers
from lstm_probe.models.keras.flavour import Flavour, Model, Tensor
from lstm_probe.models.purity.walk import Keeper, Walk

__all__ = [
    "TRACES",
    "compiled",
    "constant",
    "in_float64",
    "inlined",
    "is_chief",
    "keepers",
    "look",
    "pulled_back",
    "python_ops",
    "reader",
    "taken",
    "to_arrays",
    "used",
    "used_up",
    "wait",
]

TRACES = True


def is_chief(flavour: Flavour, model: Model) -> bool:
    """Whether this process logs; where there are several, no process can compute alone.

    Raises:
        LstmProbeError: there are several.
    """
    if jax.process_count() > 1:
        raise LstmProbeError(
            f"Several JAX processes cannot be probed. Received: {jax.process_count()} processes. "
            "Expected: one process, with as many devices as it sees; or probe a checkpoint."
        )
    return True


def constant(leaf: Leaf) -> Tensor:
    """A tensor of the values of one array of a probe."""
    return keras.ops.convert_to_tensor(numbers(leaf))


def inlined() -> AbstractContextManager[None]:
    """Nothing is kept from listening here."""
    return nullcontext()


def compiled(
    function: Callable[[Sequence[Tensor]], Any], values: Sequence[Tensor]
) -> Callable[[Sequence[Tensor]], Any]:
    """Trace and compile a function of a list of tensors, for shapes and dtypes as in `values`."""
    run: Callable[[Sequence[Tensor]], Any] = jax.jit(function)
    run(values)  # fills the cache: compiled apart from it, other shardings would be refused
    return run


def taken(run: Any) -> Callable[[Sequence[Tensor]], Any]:
    """The function: it reads nothing that it is not given."""
    compiled_run: Callable[[Sequence[Tensor]], Any] = run
    return compiled_run


def python_ops(run: Any, values: Sequence[Tensor]) -> list[str]:
    """The primitives that run Python in each run, such as `pure_callback`."""
    return sorted(set(_callbacks(run.trace(values).jaxpr.jaxpr)))


def used_up(run: Any, values: Sequence[Tensor]) -> list[str]:
    """None: a function takes from nothing but what it is given. It has been run already."""
    return []


def wait(result: Any) -> Any:
    """The result, when its Python has run."""
    jax.block_until_ready(result)
    jax.effects_barrier()
    return result


def keepers() -> list[Keeper]:
    """None: JAX's arrays do not change."""
    return []


def look(model: Model, walk: Walk) -> None:
    """JAX's objects hold nothing that changes."""


def _callbacks(jaxpr: Any) -> Iterator[str]:
    for equation in jaxpr.eqns:
        if "callback" in equation.primitive.name:
            yield equation.primitive.name
        for value in equation.params.values():
            for each in value if isinstance(value, (tuple, list)) else (value,):
                inner = getattr(each, "jaxpr", each)  # open, or closed over constants
                if hasattr(inner, "eqns"):
                    yield from _callbacks(inner)


def used(run: Any, values: Sequence[Tensor]) -> list[bool]:
    """Which of the values a compiled function depends on: that is not known."""
    return [True] * len(values)


def reader(variable: Any) -> Callable[[], Tensor]:
    """What reads a variable's value as it then is, in memory of its own: the next training step
    takes the memory of the variables for its results (`donate_argnums` in
    keras/src/backend/jax/trainer.py)."""
    return lambda: jax.numpy.copy(getattr(variable, "value", variable))


def to_arrays(structure: Any) -> Any:
    """Tensors as what NumPy takes for arrays: they are that already."""
    return structure


def in_float64(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A function that computes in float64 where its argument is: JAX must be told to."""

    def precise(x: Any) -> Any:
        with jax.enable_x64(True):
            return function(x)

    return precise


def pulled_back(function: Callable[[Tensor], Tensor], x: Tensor, cotangent: Tensor) -> Tensor:
    """The gradient with respect to `x` of a function's value times a cotangent of its shape."""
    _, back = jax.vjp(function, x)
    return back(cotangent)[0]
