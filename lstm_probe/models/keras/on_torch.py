"""PyTorch under Keras 3."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import keras
import torch

from lstm_probe.models.arrays import Leaf, numbers
from lstm_probe.models.keras.flavour import Flavour, Model, Tensor
from lstm_probe.models.purity.walk import Keeper, Walk, is_own_class
from lstm_probe.models.torch.kept import INTERNAL, kept

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

TRACES = False


def is_chief(flavour: Flavour, model: Model) -> bool:
    """Whether this process logs: the first, where several train together."""
    parallel = torch.distributed
    alone = not parallel.is_available() or not parallel.is_initialized()
    return alone or parallel.get_rank() == 0


def constant(leaf: Leaf) -> Tensor:
    """A tensor of the values of one array of a probe."""
    return keras.ops.convert_to_tensor(numbers(leaf))


def inlined() -> AbstractContextManager[None]:
    """Nothing is kept from listening here."""
    return nullcontext()


def compiled(
    function: Callable[[Sequence[Tensor]], Any], values: Sequence[Tensor]
) -> Callable[[Sequence[Tensor]], Any]:
    """A function of a list of tensors that keeps no gradients and draws no random number.

    PyTorch computes as it goes, so nothing is compiled; the function is run once.
    """

    def run(values: Sequence[Tensor]) -> Any:
        with torch.no_grad(), torch.random.fork_rng(devices=_devices(values)):
            return function(values)

    run(values)
    return run


def taken(run: Any) -> Callable[[Sequence[Tensor]], Any]:
    """The function, which runs the layers as they are."""
    eager_run: Callable[[Sequence[Tensor]], Any] = run
    return eager_run


def python_ops(run: Any, values: Sequence[Tensor]) -> list[str]:
    """None in particular: all is Python."""
    return []


def used_up(run: Any, values: Sequence[Tensor]) -> list[str]:
    """None that a walk through the layers would not see. The function has been run already."""
    return []


def wait(result: Any) -> Any:
    """The result, which is there."""
    return result


def keepers() -> list[Keeper]:
    """How to keep tensors and generators."""
    return [kept]


def look(model: Model, walk: Walk) -> None:
    """Look at the buffers of all modules, and at whether they are being trained."""
    layers = list(model._flatten_layers())
    for layer in layers:
        if isinstance(layer, keras.layers.TorchModuleWrapper):
            for module in layer.modules():  # the wrapper tells them whether they are trained
                walk.names(f"layer {layer.name!r}", vars(module), ("training",))
    modules = {id(m): (layer, name, m) for layer in layers for name, m in layer.named_modules()}
    for layer, name, module in modules.values():
        where = f"module {name or type(module).__name__!r} of layer {layer.name!r}"
        walk.value(f"the buffers of {where}", module._buffers)
        if not isinstance(module, keras.layers.Layer) and is_own_class(type(module)):
            walk.module(where, module, but=INTERNAL)


def used(run: Any, values: Sequence[Tensor]) -> list[bool]:
    """Which of the values a function depends on: that is not known."""
    return [True] * len(values)


def reader(variable: Any) -> Callable[[], Tensor]:
    """What reads a variable's value as it then is, in memory of its own: optimizers write into the
    variables."""
    return lambda: getattr(variable, "value", variable).detach().clone()


def to_arrays(structure: Any) -> Any:
    """Tensors as arrays, off the accelerator."""
    return keras.tree.map_structure(
        lambda leaf: None if leaf is None else keras.ops.convert_to_numpy(leaf), structure
    )


def in_float64(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A function that computes in the precision of its argument, and keeps no gradients."""

    def precise(x: Any) -> Any:
        with torch.no_grad():
            return function(x)

    return precise


def pulled_back(function: Callable[[Tensor], Tensor], x: Tensor, cotangent: Tensor) -> Tensor:
    """The gradient with respect to `x` of a function's value times a cotangent of its shape."""
    with torch.enable_grad():
        x = x.detach().requires_grad_(True)
        (gradient,) = torch.autograd.grad(function(x), x, cotangent, allow_unused=True)
    return torch.zeros_like(x) if gradient is None else gradient


def _devices(values: Sequence[Tensor]) -> list[torch.device]:
    """The accelerators that are in use, whose random states are kept as well."""
    return sorted({value.device for value in values if value.device.type == "cuda"}, key=str)
