"""PyTorch models that keep state wherever a pass can reach it, and trainings of them."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from processors import in_bfloat16
from torch import nn
from torch.nn.utils import parametrizations
from torch.nn.utils.rnn import pack_padded_sequence

from lstm_probe.callbacks import TorchProbe

__all__ = ["ZOO", "Case", "trained"]

#: What functions of the zoo count in a global of theirs.
COUNTS = {"global": 0}


@dataclass(frozen=True)
class Case:
    """A model and how it is trained.

    Attributes:
        build: makes the model.
        optimizer: makes the optimizer of its parameters.
        way: the loop: `plain`, `accumulated`, `closure`, `autocast`, `step`, `scheduled`.
        options: of the probe.
    """

    build: Callable[[], nn.Module]
    optimizer: Callable[[Any], Any] = lambda parameters: torch.optim.Adam(parameters, 0.01)
    way: str = "plain"
    options: dict[str, Any] = field(default_factory=dict)


class Acting(nn.Module):
    """Does something in front of its recurrent module, which changes what the module reads."""

    seen: Any = 0

    def __init__(self, act: Callable[[Any, Any], Any], *inner: nn.Module, **state: Any) -> None:
        super().__init__()
        self.act = act
        self.memory = nn.LSTM(3, 5, 2, batch_first=True, dropout=0.3)
        self.inner = nn.ModuleList(inner)
        self.head = nn.Sequential(nn.Dropout(0.3), nn.Linear(5, 2))
        for name, value in state.items():
            setattr(self, name, value)

    def forward(self, x: Any) -> Any:
        changed = self.act(self, x)
        if isinstance(changed, torch.Tensor) and changed.shape == x.shape:
            x = changed
        elif changed is not None:
            x = x * (1 + 0.01 * float(changed))
        return self.head(self.memory(x)[0][:, -1])


def acting(act: Callable[[Any, Any], Any], **state: Callable[[], Any]) -> Case:
    return Case(lambda: Acting(act, **{name: make() for name, make in state.items()}))


def within(make: Callable[[], nn.Module]) -> Case:
    """With a module in front."""
    return Case(lambda: Acting(lambda m, x: m.inner[0](x), make()))


def _counted(m: Any, x: Any) -> Any:
    m.calls += 1
    return m.calls


def _replaced(m: Any, x: Any) -> Any:
    m.calls = m.calls + 1
    return m.calls


def _carried(m: Any, x: Any) -> Any:
    m.h = x.mean().detach() if m.h is None else 0.5 * m.h + x.mean().detach()
    return m.h


def _kept(m: Any, x: Any) -> Any:
    before, m.last_activation = m.last_activation, x
    return 0 if before is None else before.mean().detach()


def _listed(m: Any, x: Any) -> Any:
    m.calls.append(len(m.calls))
    return len(m.calls)


def _in_a_dict(m: Any, x: Any) -> Any:
    m.calls["n"] = m.calls["n"] + 1
    return m.calls["n"]


def _global(m: Any, x: Any) -> Any:
    COUNTS["global"] += 1
    return COUNTS["global"]


def _of_the_class(m: Any, x: Any) -> Any:
    type(m).seen = type(m).seen + 1
    return type(m).seen


def _normed(m: Any, x: Any) -> Any:
    """As convolutions with a largest norm do: in each forward."""
    m.head[1].weight.data = torch.renorm(m.head[1].weight.data, 2, 0, maxnorm=0.3)


def _clamped(m: Any, x: Any) -> Any:
    with torch.no_grad():
        m.memory.weight_hh_l0.clamp_(-0.2, 0.2)


def _switching(m: Any, x: Any) -> Any:
    m.inner[0].train()  # dropout that is never switched off
    return m.inner[0](x)


def _frozen(model: Acting) -> Acting:
    model.inner[0].eval()
    return model


class Carrying(nn.Module):
    """Carries its hidden state from batch to batch, as for truncated backpropagation."""

    def __init__(self) -> None:
        super().__init__()
        self.memory = nn.GRU(3, 5, batch_first=True)
        self.head = nn.Linear(5, 2)
        self.hidden: Any = None

    def forward(self, x: Any) -> Any:
        hidden = None if self.hidden is None else self.hidden.detach()
        if hidden is not None and hidden.shape[1] != len(x):
            hidden = hidden.mean(1, keepdim=True).repeat(1, len(x), 1)
        output, self.hidden = self.memory(x, hidden)
        return self.head(output[:, -1])


class Stepping(nn.Module):
    """A cell in a loop, with noise of the model's own."""

    def __init__(self) -> None:
        super().__init__()
        self.memory, self.head = nn.LSTMCell(3, 5), nn.Linear(5, 2)

    def forward(self, x: Any) -> Any:
        state = None
        for step in x.unbind(1):
            state = self.memory(step + 0.01 * torch.randn_like(step), state)
        return self.head(state[0])


class Packing(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.memory = nn.GRU(3, 5, bidirectional=True, batch_first=True)
        self.head = nn.Linear(10, 2)

    def forward(self, x: Any) -> Any:
        lengths = torch.arange(len(x)) % 4 + 3
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        return self.head(self.memory(packed)[1].transpose(0, 1).flatten(1))


class Words(nn.Module):
    """Embeddings whose norm is bounded: PyTorch changes the weights in each forward."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(20, 3, max_norm=0.5)
        self.memory, self.head = nn.LSTM(3, 5, batch_first=True), nn.Linear(5, 2)

    def forward(self, x: Any) -> Any:
        return self.head(self.memory(self.words((x[..., 0] * 4).long().abs() % 20))[0][:, -1])


def hooked(make: Callable[[], tuple[Any, Any]], *, before: bool = False) -> Case:
    """With a hook of the user's on the recurrent module, and what the hook keeps."""

    def build() -> nn.Module:
        model = Acting(lambda m, x: None)
        hook, state = make()
        add = model.memory.register_forward_pre_hook if before else None
        (add or model.memory.register_forward_hook)(hook)
        model.state_of_the_hook = state
        return model

    return Case(build)


def _appending() -> tuple[Any, Any]:
    activations: list[Any] = []

    def hook(module: Any, args: Any, output: Any) -> Any:
        activations.append(float(output[0].detach().mean()))
        return (output[0] * (1 + 0.01 * len(activations)), output[1])

    return hook, activations


def _counting() -> tuple[Any, Any]:
    counts = {"calls": 0}

    def hook(module: Any, args: Any) -> Any:
        counts["calls"] += 1
        return (args[0] * (1 + 0.01 * counts["calls"]),)

    return hook, counts


def _normalised(norm: Callable[..., Any], *names: str) -> Case:
    def build() -> nn.Module:
        model = Acting(lambda m, x: None)
        for name in names:
            norm(model.memory, name)
        return model

    return Case(build)


def _plain() -> nn.Module:
    return Acting(lambda m, x: None)


ZOO: dict[str, Case] = {
    "plain": Case(_plain),
    "float64": Case(lambda: _plain().double()),
    "bidirectional": Case(lambda: nn.Sequential(nn.GRU(3, 5, 2, bidirectional=True, dropout=0.4))),
    "cell in a loop": Case(Stepping),
    "packed": Case(Packing),
    "hidden state carried": Case(Carrying),
    "embedding with a largest norm": Case(Words),
    "BatchNorm": within(lambda: nn.BatchNorm1d(7, momentum=0.5)),
    "BatchNorm that is frozen": Case(
        lambda: _frozen(Acting(lambda m, x: m.inner[0](x), nn.BatchNorm1d(7, momentum=0.5)))
    ),
    "dropout that is never off": Case(lambda: Acting(_switching, nn.Dropout(0.3))),
    "spectral_norm, old": within(lambda: nn.utils.spectral_norm(nn.Linear(3, 3))),
    "spectral_norm": _normalised(parametrizations.spectral_norm, "weight_hh_l0"),
    "weight_norm, old": _normalised(nn.utils.weight_norm, "weight_hh_l0", "weight_ih_l1"),
    "weight_norm": _normalised(parametrizations.weight_norm, "weight_hh_l0"),
    "orthogonal": _normalised(parametrizations.orthogonal, "weight_hh_l1"),
    "buffer": acting(_counted, calls=lambda: nn.Buffer(torch.zeros(()))),
    "tensor written to": acting(_counted, calls=lambda: torch.zeros(())),
    "tensor replaced": acting(_replaced, calls=lambda: torch.zeros(())),
    "tensor kept": acting(_carried, h=lambda: None),
    "activation kept": acting(_kept, last_activation=lambda: None),
    "number": acting(_counted, calls=lambda: 0),
    "list": acting(_listed, calls=list),
    "deque": acting(_listed, calls=lambda: deque(maxlen=50)),
    "dict": acting(_in_a_dict, calls=lambda: {"n": 0}),
    "array": acting(_counted, calls=lambda: np.zeros(())),
    "global": acting(_global),
    "class attribute": acting(_of_the_class),
    "torch.Generator": acting(
        lambda m, x: torch.rand(x.shape, generator=m.g),
        g=lambda: torch.Generator().manual_seed(3),
    ),
    "np.random.Generator": acting(lambda m, x: m.g.random(), g=lambda: np.random.default_rng(3)),
    "random.Random": acting(lambda m, x: m.g.random(), g=lambda: random.Random(3)),
    "torch.rand": acting(lambda m, x: x + 0.1 * torch.rand_like(x)),
    "np.random": acting(lambda m, x: np.random.rand()),  # noqa: NPY002
    "random": acting(lambda m, x: random.random()),
    "parameters renormed": acting(_normed),
    "parameters clamped": acting(_clamped),
    "hook that appends": hooked(_appending),
    "hook that changes the input": hooked(_counting, before=True),
    "compiled": Case(lambda: torch.compile(_plain(), backend="eager")),
    "background": Case(_plain, options={"background": True}),
    "of the layer": Case(_plain, options={"at": "layer"}),
    "steps told": Case(_plain, way="step"),
    "accumulated": Case(_plain, way="accumulated"),
    "autocast": Case(_plain, way="autocast"),
    "autocast around all": Case(_plain, way="autocast around all"),
    "scheduled": Case(
        _plain, lambda p: torch.optim.SGD(p, 0.1, momentum=0.9, nesterov=True), "scheduled"
    ),
    "LBFGS": Case(_plain, lambda p: torch.optim.LBFGS(p, 0.1, max_iter=2), "closure"),
    "AdamW, foreach": Case(_plain, lambda p: torch.optim.AdamW(p, 0.01, foreach=True)),
    "RMSprop": Case(_plain, lambda p: torch.optim.RMSprop(p, 0.01, centered=True)),
}


def trained(name: str, log_dir: Path | None) -> dict[str, Any]:
    """All that is left of a training from fixed seeds, by name."""
    case = ZOO[name]
    torch.manual_seed(7)
    random.seed(7)
    np.random.seed(7)  # noqa: NPY002 - the global one
    COUNTS["global"], Acting.seen = 0, 0
    torch.compiler.reset()
    model = case.build()
    dtype = next(model.parameters()).dtype
    data = torch.Generator().manual_seed(1)
    x = torch.randn(24, 7, 3, generator=data).to(dtype)
    y = torch.randn(24, 2, generator=data).to(dtype)
    optimizer = case.optimizer(model.parameters())
    probe = None
    if log_dir is not None:
        own = None if case.way in ("step", "autocast around all") else optimizer
        common = {"every": 2, "max_overhead": None, "detail": "scalars", "optimizer": own}
        probe = TorchProbe(model, x[:4], log_dir, **common, **case.options)
    losses = _loop(case.way, model, optimizer, x, y, probe)
    if probe is not None:
        probe.close()
        assert probe.report.failed == 0
        assert probe.report.captured >= 3
    return {"losses": losses, **dict(_left(model, optimizer))}


def _loop(way: str, model: Any, optimizer: Any, x: Any, y: Any, probe: Any) -> list[float]:
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 2, 0.5) if way == "scheduled" else None
    scaler = torch.amp.GradScaler("cpu") if way == "autocast" else None
    losses: list[float] = []

    def compute(start: int) -> Any:
        output = model(x[start : start + 8])
        output = output[0][:, -1, :2] if isinstance(output, tuple) else output
        loss = nn.functional.mse_loss(output.to(y.dtype), y[start : start + 8])
        losses.append(float(loss.detach()))
        return loss

    for index, start in enumerate([0, 8, 16] * 3):
        if way == "closure":
            optimizer.step(lambda start=start: _backward(optimizer, compute(start)))
        elif way == "autocast":
            with in_bfloat16(), torch.autocast("cpu", torch.bfloat16):
                loss = compute(start)
            optimizer.zero_grad()
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
        elif way == "autocast around all":
            with in_bfloat16(), torch.autocast("cpu", torch.bfloat16):
                if probe is not None:
                    probe.step()  # between what was cast and what is cast again
                _backward(optimizer, compute(start))
            optimizer.step()
        elif way == "accumulated":
            (compute(start) / 2).backward()
            if index % 2:
                optimizer.step()
                optimizer.zero_grad()
        else:
            _backward(optimizer, compute(start))
            optimizer.step()
        if scheduler is not None:
            scheduler.step()
        if way == "step" and probe is not None:
            probe.step()
    return losses


def _backward(optimizer: Any, loss: Any) -> Any:
    optimizer.zero_grad()
    loss.backward()
    return loss


def _left(model: Any, optimizer: Any) -> Iterator[tuple[str, Any]]:
    for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
        yield name, _plain_of(tensor)
        yield f"gradient of {name}", _plain_of(tensor.grad)
    yield "optimizer", _plain_of(optimizer.state_dict())
    for name, module in model.named_modules():
        yield f"flag of {name}", module.training
        hooks = (module._forward_hooks, module._forward_pre_hooks, module._backward_hooks)
        yield f"hooks of {name}", [len(each) for each in hooks]
        for key, value in vars(module).items():
            if not key.startswith("_") and not callable(value):
                yield f"{key} of {name}", _plain_of(value)
    yield "class attribute", Acting.seen
    yield "global", COUNTS["global"]
    yield "torch", torch.get_rng_state().numpy().tobytes()
    yield "numpy", np.random.rand()  # noqa: NPY002
    yield "python", random.random()


def _plain_of(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return value.requires_grad, value.is_inference(), value.detach().double().numpy().tobytes()
    if isinstance(value, np.ndarray):
        return value.tobytes()
    if isinstance(value, dict):
        return {str(key): _plain_of(each) for key, each in value.items()}
    if isinstance(value, (list, tuple, deque)):
        return [_plain_of(each) for each in value]
    if isinstance(value, torch.Generator):
        return value.get_state().numpy().tobytes()
    if isinstance(value, np.random.Generator):
        return str(value.bit_generator.state)
    if isinstance(value, random.Random):
        return value.getstate()
    return value if isinstance(value, (int, float, str, bool, type(None))) else type(value).__name__
