"""The two Kerases: what the reading of a model must know to read it with either."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Container, Sequence
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Protocol, TypeAlias, TypeVar

from lstm_probe.core.activations import ActivationLike
from lstm_probe.core.arrays import Array
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.core.switch import is_switched_on
from lstm_probe.models.purity.trial import Trial
from lstm_probe.models.ragged import Ragged

__all__ = [
    "Flavour",
    "Forward",
    "Layer",
    "Model",
    "Run",
    "Tensor",
    "callback_class",
    "deserialised",
    "flavour_of",
    "registered",
]

Kind = TypeVar("Kind", bound=type)
#: A layer, a model, and a tensor (symbolic while the model is traced) of either Keras.
Layer: TypeAlias = Any
Model: TypeAlias = Any
Tensor: TypeAlias = Any
#: Runs the model on a probe of tensors, in the structure of the probe, and gives what was heard.
Forward: TypeAlias = Callable[[Any], Any]
#: Given the ids of the variables whose values are needed, gives the values that all variables have
#: now, in their order, and what computes, then or later and on any thread, what is heard with them.
#: A value that is neither needed nor computed with may be an old one.
Run: TypeAlias = Callable[[Container[int]], tuple[Callable[[], Any], Sequence[Tensor]]]


class Flavour(Protocol):
    """What differs between Keras 3 and tf_keras, which is Keras 2.

    Attributes:
        package: where its classes live: `keras` or `tf_keras`.
        layers: its module of layers.
        BUILDS_IN_ANY_ORDER: the initial values of a layer's variables do not depend on which layers
            were built before.
    """

    package: str
    layers: Any
    BUILDS_IN_ANY_ORDER: bool

    def check(self) -> None:
        """Raises `LstmProbeError` where models cannot be read."""

    def is_chief(self, model: Model) -> bool:
        """Whether this process is the one of several that train a model together which logs.

        It asks none of the others, so that nobody waits for anybody.
        """

    def flatten(self, structure: Any) -> list[Any]:
        """The leaves of nested lists, tuples and dicts."""

    def join(self, tensors: Sequence[Tensor]) -> Tensor:
        """Tensors side by side along their last axis."""

    def split(self, tensor: Tensor, widths: Sequence[int]) -> list[Tensor]:
        """The inverse of `join`."""

    def flip(self, tensor: Tensor) -> Tensor:
        """`(batch, time, ...)` from the last timestep to the first."""

    def reshaped(self, tensor: Tensor, shape: Sequence[int], dtype: Any) -> Tensor:
        """A tensor in another shape and dtype."""

    def tensors(self, probe: Any) -> Any:
        """Tensors of the arrays of a probe, in its structure."""

    def pulled_back(
        self, function: Callable[[Tensor], Tensor], x: Tensor, cotangent: Tensor
    ) -> Tensor:
        """The gradient with respect to `x` of a function's value times a cotangent of its shape."""

    def pure(
        self,
        model: Model,
        function: Callable[..., Tensor],
        examples: Sequence[Array],
        trial: Trial,
    ) -> Callable[..., Array]:
        """A function of tensors that runs parts of a model, as one of arrays: in float32, on the
        values that the model's variables have now, and without a trace in it.

        Args:
            model: the model.
            function: takes and gives tensors.
            examples: arrays of the shapes that it will be called with.
            trial: watches the passes.
        """

    def reader(self, variable: Any) -> Callable[[], Tensor]:
        """What reads a variable's value as it then is, as a tensor that later assignments do not
        change."""

    def to_array(self, tensor: Tensor) -> Array:
        """A tensor, on whichever device, as an array."""

    def activation(self, function: Any) -> ActivationLike:
        """By name where it is one that the core knows; else what runs it on arrays."""

    def path(self, model: Model, layer: Layer) -> str:
        """Where a layer is in its model: `inner/lstm`."""

    def call(self, target: Any) -> Callable[..., Any]:
        """The `call` of a layer or cell, as Keras would run it."""

    def arguments(self, layer: Layer, x: Any, given: dict[str, Any]) -> tuple[Tensor, Any]:
        """What a call of a recurrent layer reads: its input, and the state that it starts from if
        that is not zero.

        Args:
            layer: the layer.
            x: the first argument of its call.
            given: the other arguments; Keras 2 may mean some of them by `x`.
        """

    def dense(self, layer: Layer, output: Tensor) -> Tensor:
        """The output of a layer, `(batch, time, ...)`, in the order in which it computes.

        Keras 2 gives sequences of different lengths as a ragged tensor; they are padded here.
        """

    def batch_first(
        self, layer: Layer, x: Tensor, outputs: Sequence[Tensor], mask: Tensor | None
    ) -> tuple[Tensor, Sequence[Tensor], Tensor | None, bool]:
        """What a layer reads and gives, with the batch before the time.

        Returns:
            The input, the outputs, the mask, and whether the outputs are padded with zeros where
            the mask is not set.
        """

    def computes_in(self, layer: Layer) -> str:
        """The name of the dtype in which a layer computes."""

    def masking(self, layer: Layer) -> dict[str, bool]:
        """What a recurrent layer shows at masked steps, by the names of `Snapshot`."""

    def hearing_stack(self, layer: Layer) -> dict[str, bool]:
        """Which attributes a layer of stacked cells needs while the outputs of all of them are
        returned side by side; with any, masked steps of these are zero."""

    def inference(self, model: Model) -> dict[str, Any]:
        """What tells a model's call that it is not being trained."""

    def trial(self, model: Model) -> Trial:
        """What watches the passes through a model."""

    def takes_ragged(self, model: Model, spec: Any, leaf: Ragged) -> bool:
        """Whether sequences of different lengths go into the model as they are.

        Args:
            model: the model.
            spec: what the model says of this input; None if it says nothing.
            leaf: the sequences.
        """

    def build(
        self,
        model: Model,
        probe: Any,
        run: Callable[[Model, Any], Any],
        *,
        batch: int | None,
        symbolic: bool,
    ) -> None:
        """Create the variables of a model that waits for its first batch.

        It happens inside of `fit`, before the first step, and draws the initial values from the
        seeds that they would have been drawn from at the first step.

        Args:
            model: the model.
            probe: arrays.
            run: runs the model on tensors in the structure of the probe.
            batch: the size of the batch; None for any.
            symbolic: whether `run` takes tensors of Keras's own, which stand for any value.
        """

    def trace(self, model: Model, forward: Forward, probe: Any, trial: Trial) -> Run:
        """Compile a pass through the model that leaves no trace in it; it is traced here, once.

        Args:
            model: the model, whose variables it reads.
            forward: the pass.
            probe: its input, as arrays.
            trial: watches the passes.

        Raises:
            LstmProbeError: a pass changes what cannot be put back.
        """


_FLAVOURS = {
    "keras": ("lstm_probe.models.keras.keras3", "Keras3"),
    "tf_keras": ("lstm_probe.models.keras.keras2", "TfKeras"),
}


class Idle:
    """Stands in for Keras's class of callbacks where no Keras is to be imported: whatever is called
    of it does nothing."""

    model: Any = None
    params: Any = None

    def set_model(self, model: Model) -> None:
        """Keras gives every callback the model."""
        self.model = model

    def set_params(self, params: Any) -> None:
        """Keras gives every callback the settings of the training."""
        self.params = params

    def __getattr__(self, name: str) -> Any:
        if name.startswith("on_"):
            return lambda *_, **__: None
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")


def callback_class() -> Any:
    """The class that callbacks are derived from: that of Keras 3, or of tf_keras where Keras 3 is
    not installed or `TF_USE_LEGACY_KERAS` is set. Either is called by both Kerases. Where the probe
    is switched off and the program has imported no Keras, none is imported for it.

    Raises:
        LstmProbeError: neither is installed.
    """
    if _is_idle():
        return Idle
    return import_module(f"{_package()}.callbacks").Callback


def registered(kind: Kind) -> Kind:
    """Tell Keras the class by its name, so that it can be made anew out of a configuration."""
    if _is_idle():
        return kind
    saving = import_module(f"{_package()}.saving")
    marked: Kind = saving.register_keras_serializable(package="lstm_probe")(kind)
    return marked


def deserialised(value: Any) -> Any:
    """What Keras has turned into plain data for a configuration, as it was: arrays, functions."""
    if isinstance(value, dict) and "class_name" in value:
        return import_module(f"{_package()}.saving").deserialize_keras_object(value)
    if isinstance(value, dict):
        return {name: deserialised(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(map(deserialised, value))
    return value


def _is_idle() -> bool:
    return not is_switched_on() and not any(name in sys.modules for name in _FLAVOURS)


def _package() -> str:
    imported = [name for name in _FLAVOURS if name in sys.modules]
    if imported and not is_switched_on():
        return imported[0]
    legacy = os.environ.get("TF_USE_LEGACY_KERAS", "").lower() in ("1", "true")
    installed = [name for name in _FLAVOURS if find_spec(name) is not None]
    if not installed:
        raise LstmProbeError(
            "ProbeCallback needs Keras. Received: an environment with neither keras nor tf_keras. "
            "Expected: one of them: pip install keras tensorflow, or pip install tf_keras."
        )
    return installed[-1] if legacy else installed[0]


def flavour_of(thing: Any) -> Flavour:
    """The Keras that a model, layer or cell, or what it was derived from, belongs to.

    Raises:
        LstmProbeError: it belongs to neither.
    """
    return _flavour_of_type(type(thing))  # type: ignore[arg-type]  # classes are hashable


@lru_cache(maxsize=256)  # it is asked several times a capture
def _flavour_of_type(kind: type) -> Flavour:
    for base in kind.__mro__:
        home = _FLAVOURS.get(base.__module__.partition(".")[0])
        if home is not None:
            flavour: Flavour = getattr(import_module(home[0]), home[1])()
            return flavour
    raise LstmProbeError(
        f"This is not a Keras model. Received: {kind.__module__}.{kind.__name__}. "
        "Expected: a model of keras (Keras 3) or tf_keras (Keras 2)."
    )
