"""Listening to what a model's recurrent modules read and give during a pass."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch

from lstm_probe.models.torch.cells import tensors_of
from lstm_probe.models.torch.copies import Copies
from lstm_probe.models.torch.modules import Module, is_quantised, is_stacked
from lstm_probe.models.torch.stacks import between, state_of

__all__ = ["Call", "Heard", "tapped"]


@dataclass(frozen=True)
class Call:
    """One call of a module. All tensors are copies.

    Attributes:
        name: the module's name.
        args: what it was called with.
        kwargs: likewise.
        output: what it gave, before hooks of the user's changed it.
        between: the outputs of the layers below the last one, for `nn.LSTM` and its kin.
        precision: the narrower precision in which it computes, by autocast or quantisation.
    """

    name: str
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    output: Any
    between: list[Any]
    precision: str | None


@dataclass
class Heard:
    """What was heard during a pass.

    Attributes:
        copies: makes the copies.
        calls: the calls of the modules, in order.
        tensors: copies of the tensors that each module computed with, by its name.
        outputs: copies of what the model itself gave, by the name of the output.
    """

    copies: Copies = field(default_factory=Copies)
    calls: list[Call] = field(default_factory=list)
    tensors: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    outputs: Mapping[str, Any] = field(default_factory=dict)


@contextmanager
def tapped(modules: Mapping[str, Module]) -> Iterator[Heard]:
    """While the context lasts, all that the modules read and give is copied.

    The hooks are there for one pass only: a model with hooks of ours could not be saved as a whole,
    and copies of it would keep them.

    Args:
        modules: by their names.
    """
    heard = Heard()
    with ExitStack() as hooks:
        for name, module in modules.items():
            tap = _Tap(name, heard)
            # Last before the module, and first after it: what the module itself reads and gives.
            before = module.register_forward_pre_hook(tap.before, with_kwargs=True)
            hooks.callback(before.remove)
            after = module.register_forward_hook(tap.after, with_kwargs=True, prepend=True)
            hooks.callback(after.remove)
        yield heard
    heard.copies.mark()


class _Tap:
    """The hooks of one module."""

    def __init__(self, name: str, heard: Heard) -> None:
        self._name, self._heard = name, heard
        self._read: list[tuple[Any, Any]] = []

    def before(self, module: Module, args: Any, kwargs: Any) -> None:
        self._read.append(self._heard.copies.of((args, kwargs)))

    def after(self, module: Module, args: Any, kwargs: Any, output: Any) -> None:
        heard, copies = self._heard, self._heard.copies
        below = between(module, *state_of(args, kwargs)) if is_stacked(module) else []
        if self._name not in heard.tensors:
            heard.tensors[self._name] = copies.of(tensors_of(module))
        read = self._read.pop()
        heard.calls.append(
            Call(self._name, *read, copies.of(output), copies.of(below), _precision(module))
        )


def _precision(module: Module) -> str | None:
    if is_quantised(module):
        return "int8"
    parameter = next(module.parameters(), None)
    kind = "cpu" if parameter is None else parameter.device.type
    if not torch.is_autocast_enabled(kind):
        return None
    return str(torch.get_autocast_dtype(kind)).removeprefix("torch.")
