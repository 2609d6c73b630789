"""Models whose layers keep state in objects of PyTorch's, beside the variables of Keras."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from purity_zoo import SHAPE, Case, stack

__all__ = ["on_torch"]


def on_torch(K: Any) -> dict[str, Case]:  # noqa: N803
    """The models, by name."""
    acts: dict[str, tuple[Callable[[Any, Any], Any], Callable[[], dict[str, Any]]]] = {
        "tensor written to": (lambda s, _: s.n.add_(1.0), lambda: {"n": torch.zeros(())}),
        "tensor replaced": (_replaced, lambda: {"n": torch.zeros(())}),
        "hidden state carried": (_carried, lambda: {"h": None}),
        "tensors in a list": (lambda s, _: s.li[0].add_(1.0), lambda: {"li": [torch.zeros(())]}),
        "tensors in a dict": (_in_a_dict, lambda: {"d": {"n": torch.zeros(())}}),
        "tensors in a tuple": (lambda s, _: s.p[0].add_(1.0), lambda: {"p": (torch.zeros(()),)}),
        "torch.Generator": (
            lambda s, x: torch.rand(x.shape, generator=s.g),
            lambda: {"g": torch.Generator().manual_seed(3)},
        ),
        "torch.rand": (lambda s, x: torch.rand(x.shape), dict),
    }

    class Raw(K.layers.Layer):
        def __init__(self, act: Callable[[Any, Any], Any], **state: Any) -> None:
            super().__init__()
            self.act = act
            for name, value in state.items():
                setattr(self, name, value)

        def call(self, x: Any) -> Any:
            if x.device.type == "meta":
                return x
            return x * (1 + 0.01 * self.act(self, x).detach())

    class Buffer(K.layers.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("calls", torch.zeros(()))

        def call(self, x: Any) -> Any:
            if x.device.type == "meta":
                return x
            self.calls += 1
            return x * (1 + 0.01 * self.calls)

    class Inner(torch.nn.Module):
        """Keeps statistics whether it is trained or not."""

        def __init__(self) -> None:
            super().__init__()
            self.norm = torch.nn.BatchNorm1d(6, momentum=0.5)
            self.register_buffer("calls", torch.zeros(()))
            self.last = None
            self.n = 0

        def forward(self, x: Any) -> Any:
            if x.device.type == "meta":
                return x
            self.calls, self.last, self.n = self.calls + 1, x, self.n + 1
            return self.norm(x) * (1 + 0.01 * self.calls + 0.01 * self.n)

    made = {
        name: Case(lambda act=act, state=state: stack(K, Raw(act, **state())))
        for name, (act, state) in acts.items()
    }
    made["buffer"] = Case(lambda: stack(K, Buffer()))
    made["module of PyTorch's"] = Case(
        lambda: stack(K, K.layers.TorchModuleWrapper(torch.nn.BatchNorm1d(6), output_shape=SHAPE))
    )
    made["module of the user's"] = Case(
        lambda: stack(K, K.layers.TorchModuleWrapper(Inner(), output_shape=SHAPE))
    )
    return made


def _replaced(layer: Any, _: Any) -> Any:
    layer.n = layer.n + 1.0
    return layer.n


def _carried(layer: Any, x: Any) -> Any:
    mean = x.detach().mean()
    layer.h = mean if layer.h is None else 0.5 * layer.h + mean
    return layer.h


def _in_a_dict(layer: Any, _: Any) -> Any:
    layer.d["n"] = layer.d["n"] + 1.0
    return layer.d["n"]
