"""Listening inside the loops of a model: what each framework allows."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from importlib import import_module
from typing import Any, Protocol

from lstm_probe.models.keras.flavour import Flavour

__all__ = ["Loops", "loops_of", "unrolled"]


class Loops(Protocol):
    """Takes tensors out of the loops in which they are computed.

    It is made where the model is called, outside of any loop.

    Attributes:
        CAN_KEEP: whether tensors can be taken out of a loop.
        TRIES_FIRST: whether Keras's recurrent layers call their cell once outside of the loop, to
            see what it returns: `rnn` in keras/src/backend/<backend>/rnn.py.
    """

    CAN_KEEP: bool
    TRIES_FIRST: bool

    def inside(self) -> bool:
        """Whether the code that runs now belongs to a loop or function that is compiled apart."""

    def kept(self, tensors: Sequence[Any]) -> list[Any]:
        """Keep tensors for each run of the loop's body.

        Returns:
            What `gathered` takes, for each of the tensors and for their position in the order of
            all that is kept.
        """

    def tied(self, result: Any) -> Any:
        """The result of a call, which is there only when what was kept before it has been kept."""

    def gathered(self, kept: Any) -> Any:
        """Tensors with a first axis more: the runs of the loop's body, in their order. It is called
        outside of any loop."""


class _Python:
    """Loops that are Python's own, as with PyTorch: there is nothing to do."""

    CAN_KEEP = True
    TRIES_FIRST = True

    def inside(self) -> bool:
        return False

    def kept(self, tensors: Sequence[Any]) -> list[Any]:
        return [*tensors, None]

    def tied(self, result: Any) -> Any:
        return result

    def gathered(self, kept: Any) -> Any:
        return kept


class _Jax(_Python):
    """Loops of JAX, out of whose bodies nothing can be taken. They are noticed only."""

    CAN_KEEP = False
    TRIES_FIRST = False

    def __init__(self) -> None:
        self._home = _jax_trace()

    def inside(self) -> bool:
        return bool(_jax_trace() != self._home)


def loops_of(flavour: Flavour) -> Loops:
    """The loops of the framework with which a model computes."""
    backend = _backend(flavour)
    if backend == "tensorflow":
        kept: Loops = import_module("lstm_probe.models.tensorflow.loops").GraphLoops()
        return kept
    return _Jax() if backend == "jax" else _Python()


def unrolled(flavour: Flavour, enabled: bool = True) -> AbstractContextManager[Any]:
    """While the context lasts, loops over a known number of steps run step by step in Python.

    Args:
        flavour: the Keras of the model.
        enabled: False for loops as they are, also inside of such a context.
    """
    if _backend(flavour) != "jax":
        return nullcontext()
    unrolling: AbstractContextManager[Any] = import_module("jax").disable_jit(enabled)
    return unrolling


def _backend(flavour: Flavour) -> str:
    if flavour.package == "tf_keras":
        return "tensorflow"
    return str(import_module("keras").backend.backend())


def _jax_trace() -> Any:
    """What tells the body of a loop from the code around it."""
    core = import_module("jax.extend.core")
    state = getattr(core, "get_opaque_trace_state", None)
    return None if state is None else state(convention="flax")
