"""Passes through a PyTorch model that leave no trace in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Final

import torch
from torch.nn.modules import module as torch_module

from lstm_probe.core.errors import LstmProbeError
from lstm_probe.models.purity.random_states import restored
from lstm_probe.models.purity.trial import Trial
from lstm_probe.models.purity.walk import Walk, is_own_class
from lstm_probe.models.torch.kept import INTERNAL, kept
from lstm_probe.models.torch.modules import Module, named_modules, title

__all__ = ["TorchTrial", "inference"]

_HOOKS: Final = ("_forward_hooks", "_forward_pre_hooks")
_GLOBAL_HOOKS: Final = ("_global_forward_hooks", "_global_forward_pre_hooks")
#: The parameters and buffers of a model that are no larger than this are copied at each pass.
_SMALL: Final = 4 * 2**20


class TorchTrial(Trial):
    """Watches the passes through one PyTorch model.

    The first pass shows what the model changes when it computes: buffers, tensors and values that
    it keeps as attributes, generators of random numbers, what its hooks and functions refer to.
    Later passes put that back. The parameters and buffers of a small model are put back in any
    case, whether or not the first pass has changed them.

    Args:
        model: the model.
    """

    def __init__(self, model: Module) -> None:
        super().__init__(model, keepers=[kept], internal=INTERNAL)
        tensors = [*model.parameters(), *model.buffers()]
        size = sum(each.numel() * each.element_size() for each in tensors)
        self._always = tensors if size <= _SMALL else []

    def first(self) -> Any:
        """The context of the first pass."""
        return self._stack(self.seeing(["its forward"]))

    def later(self) -> Any:
        """The context of a later pass."""
        return self._stack(self.undone(), always=True)

    @contextmanager
    def _stack(self, undoing: Any, *, always: bool = False) -> Iterator[None]:
        tensors = [kept("", tensor) for tensor in self._always] if always else []
        with restored(), undoing:
            try:
                yield
            finally:
                for each in tensors:
                    if each is not None and each.changed():
                        each.restore()

    def _walk(self) -> Walk:
        walk = Walk(self._keepers, self._internal)
        for name, module in named_modules(self._model):
            where = f"module {name or title(module)!r}"
            if is_own_class(type(module)):
                walk.module(where, module, but=INTERNAL)
            else:
                self._look_at(walk, where, module)
            walk.value(f"the buffers of {where}", module._buffers)
            walk.value(f"the parameters of {where}", module._parameters)
            for hooks in _HOOKS:
                for hook in getattr(module, hooks).values():
                    walk.value(f"a hook of {where}", hook)
        for hooks in _GLOBAL_HOOKS:
            for hook in getattr(torch_module, hooks, {}).values():
                walk.value("a hook of all modules", hook)
        return walk

    def _look_at(self, walk: Walk, where: str, module: Module) -> None:
        """The attributes of a module of PyTorch's: weight normalisation sets some of them."""
        walk.names(where, vars(module), [name for name in vars(module) if name not in INTERNAL])

    def _refusal(self, what: str) -> LstmProbeError:
        return LstmProbeError(
            "A capture would change the training: a pass through model "
            f"{title(self._model)!r} does what cannot be undone. Received: {what}. Expected: a "
            "forward that changes nothing in eval mode which outlasts it. Do that only `if "
            "self.training:`, probe a part of the model with forward= or at='layer', or switch the "
            "probe off with LSTM_PROBE=off."
        )


@contextmanager
def inference(model: Module, tensors: Any) -> Iterator[None]:
    """Compute in eval mode, without gradients, and with random numbers of our own.

    The flags are set one by one: `model.eval()` would call `train` methods of the user's. `no_grad`
    is used and not `inference_mode`, because what a model keeps from such a pass could not be saved
    for a later backward.

    Args:
        model: the model.
        tensors: tensors on all devices that compute.
    """
    flags = [(module, module.training) for _, module in named_modules(model)]
    cache = torch.is_autocast_cache_enabled()
    with ExitStack() as stack:
        stack.enter_context(torch.no_grad())
        stack.enter_context(_eager())
        for kind, devices in _devices(tensors).items():
            stack.enter_context(torch.random.fork_rng(devices, device_type=kind))
        try:
            # What was cast without gradients would otherwise serve the training's own pass.
            torch.set_autocast_cache_enabled(False)
            for module, flag in flags:
                if flag:
                    module.training = False
            yield
        finally:
            torch.set_autocast_cache_enabled(cache)
            for module, flag in flags:
                if module.training != flag:
                    module.training = flag


def _eager() -> Any:
    """Compiled functions run as they were written, so that hooks fire."""
    stance = getattr(torch.compiler, "set_stance", None)  # since torch 2.6
    return ExitStack() if stance is None else stance("force_eager")


def _devices(tensors: Any) -> dict[str, list[Any]]:
    """The accelerators in use, by their kinds; the CPU's generator is kept with each of them."""
    found: dict[str, list[Any]] = {}
    for device in sorted({tensor.device for tensor in tensors}, key=str):
        if device.type not in ("cpu", "meta"):
            found.setdefault(device.type, []).append(device)
    return found or {"cuda": []}
