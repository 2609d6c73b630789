"""A grid of PyTorch's recurrent modules, and an independent loop over their documented equations.

The configurations are drawn at random from a fixed seed, the kind and the dtype in turn. Weights
are random and distinct, of a size at which the recurrence does not amplify rounding.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from helpers_cells import sigmoid
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence

__all__ = ["BOUNDS", "Config", "Loop", "build", "configs", "expected"]

BOUNDS = {torch.float32: 1e-5, torch.float64: 1e-13}
KINDS = (
    "LSTM",
    "GRU",
    "RNN tanh",
    "RNN relu",
    "LSTMCell",
    "GRUCell",
    "RNNCell tanh",
    "RNNCell relu",
)
_TIMES = (1, 2, 3, 5, 8, 13, 28, 60)
_UNITS = (1, 2, 3, 5, 8, 17, 33, 64)


@dataclass(frozen=True)
class Config:
    """One module, and how it is called."""

    number: int
    kind: str
    dtype: torch.dtype
    layers: int
    both: bool
    proj: int
    bias: bool
    batch_first: bool
    packed: str
    batched: bool
    state: bool
    dropout: float
    units: int
    time: int
    features: int
    batch: int

    @property
    def is_cell(self) -> bool:
        return "Cell" in self.kind


def configs(count: int) -> Iterator[Config]:
    """The first so many configurations; they are always the same."""
    rng = np.random.default_rng(21)

    def pick(options: Any) -> Any:
        return options[int(rng.integers(len(options)))]

    for number in range(count):
        kind = KINDS[number % len(KINDS)]
        stacked = "Cell" not in kind
        layers = pick((1, 1, 2, 3)) if stacked else 1
        units = pick(_UNITS)
        packed = pick(("no", "no", "sorted", "unsorted")) if stacked else "no"
        yield Config(
            number=number,
            kind=kind,
            dtype=(torch.float32, torch.float64)[number // len(KINDS) % 2],
            layers=layers,
            both=stacked and pick((False, True)),
            proj=int(rng.integers(1, units))
            if kind == "LSTM" and units > 1 and pick((0, 1))
            else 0,
            bias=pick((True, True, False)),
            batch_first=stacked and pick((False, True)),
            packed=packed,
            batched=packed != "no" or pick((True, True, False)),
            state=pick((False, True)),
            dropout=pick((0.0, 0.4)) if layers > 1 else 0.0,
            units=units,
            time=pick(_TIMES),
            features=pick((1, 2, 3, 7, 30)),
            batch=pick((2, 3)) if packed != "no" else pick((1, 2, 3)),
        )


class Loop(nn.Module):
    """A cell in a loop of the user's."""

    def __init__(self, cell: nn.Module) -> None:
        super().__init__()
        self.cell = cell

    def forward(self, x: Any, state: Any = None) -> Any:
        outputs = []
        for step in x:
            state = self.cell(step, state)
            outputs.append(state[0] if isinstance(state, tuple) else state)
        return torch.stack(outputs)


def build(config: Config) -> tuple[nn.Module, Any, list[int], Any]:
    """The module, its probe, the lengths of the sequences, and the arguments as arrays."""
    generator = torch.Generator().manual_seed(config.number)
    module = _module(config).to(config.dtype)
    with torch.no_grad():
        for parameter in module.parameters():
            size = 0.8 / np.sqrt(max(parameter.shape[-1], 4)) if parameter.dim() > 1 else 0.3
            parameter.copy_(size * torch.randn(parameter.shape, generator=generator))

    def draw(*shape: int) -> Any:
        return torch.randn(shape, generator=generator, dtype=torch.float64).to(config.dtype)

    batch = config.batch if config.batched else 1
    x = draw(config.time, batch, config.features)
    lengths = [config.time] * batch
    if config.packed != "no":
        order = torch.randint(1, config.time + 1, (batch,), generator=generator).tolist()
        order[0] = config.time
        lengths = sorted(order, reverse=True) if config.packed == "sorted" else order[::-1]
    rows = config.layers * (2 if config.both else 1)
    sizes = [config.proj or config.units, config.units][: 2 if "LSTM" in config.kind else 1]
    states = [0.5 * draw(rows, batch, size) for size in sizes] if config.state else []
    return module, _arguments(config, x, lengths, states), lengths, (x, states)


def _module(config: Config) -> nn.Module:
    name, _, nonlinearity = config.kind.partition(" ")
    options = {"nonlinearity": nonlinearity} if nonlinearity else {}
    if config.is_cell:
        made = getattr(nn, name)(config.features, config.units, config.bias, **options)
        return Loop(made)
    options |= {"proj_size": config.proj} if config.proj else {}
    return getattr(nn, name)(
        config.features, config.units, config.layers, bias=config.bias, dropout=config.dropout,
        batch_first=config.batch_first, bidirectional=config.both, **options,
    )  # fmt: skip


def _arguments(config: Config, x: Any, lengths: list[int], states: list[Any]) -> tuple[Any, ...]:
    if config.is_cell:
        states = [state[0] for state in states]
    if not config.batched:
        x = x.squeeze(1)
        states = [state.squeeze(-2) for state in states]
    elif config.batch_first:
        x = x.transpose(0, 1).contiguous()
    if config.packed != "no":
        x = pack_padded_sequence(
            x, torch.tensor(lengths), config.batch_first, config.packed == "sorted"
        )
    if not states:
        return (x,)
    return x, tuple(states) if len(states) == 2 else states[0]


def expected(config: Config, module: nn.Module, given: Any, lengths: list[int]) -> dict[str, Any]:
    """The hidden states of each layer and direction, by the documented equations, in float64.

    Each sequence is read by itself, from its first step to its last or from its last to its first.
    """
    x, states = given
    own = module.cell if config.is_cell else module
    parameters = {name: each.detach().double().numpy() for name, each in own.named_parameters()}
    sequences = x.double().numpy().transpose(1, 0, 2)
    found = {}
    for layer in range(config.layers):
        outputs = []
        for direction in range(2 if config.both else 1):
            row = layer * (2 if config.both else 1) + direction
            ending = f"_l{layer}{'_reverse' if direction else ''}"
            weights = {
                name: parameters.get(name if config.is_cell else name + ending)
                for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr")
            }
            start = [state[row].double().numpy() for state in states]
            read = [
                _read(config.kind, one[:length], weights, [s[i] for s in start], direction == 1)
                for i, (one, length) in enumerate(zip(sequences, lengths, strict=True))
            ]
            padded = np.zeros((*sequences.shape[:2], read[0].shape[-1]))
            for i, each in enumerate(read):
                padded[i, : len(each)] = each
            found["cell" if config.is_cell else ending[1:]] = padded
            outputs.append(padded)
        sequences = np.concatenate(outputs, axis=-1)
    return found


def _read(kind: str, x: Any, weights: Any, start: list[Any], reverse: bool) -> np.ndarray:
    units = weights["weight_hh"].shape[0] // {"L": 4, "G": 3, "R": 1}[kind[0]]
    width = weights["weight_hh"].shape[1]
    h = start[0] if start else np.zeros(width)
    c = start[1] if len(start) > 1 else np.zeros(units)
    zeros = np.zeros(len(weights["weight_ih"]))
    b_ih, b_hh = (
        zeros if weights[name] is None else weights[name] for name in ("bias_ih", "bias_hh")
    )
    outputs = np.zeros((len(x), width))
    for t in reversed(range(len(x))) if reverse else range(len(x)):
        from_x = weights["weight_ih"] @ x[t] + b_ih
        from_h = weights["weight_hh"] @ h + b_hh
        if kind[0] == "L":
            i, f, g, o = np.split(from_x + from_h, 4)
            c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
            h = sigmoid(o) * np.tanh(c)
            h = h if weights["weight_hr"] is None else weights["weight_hr"] @ h
        elif kind[0] == "G":
            (xr, xz, xn), (hr, hz, hn) = np.split(from_x, 3), np.split(from_h, 3)
            z = sigmoid(xz + hz)
            h = (1 - z) * np.tanh(xn + sigmoid(xr + hr) * hn) + z * h
        else:
            h = np.maximum(from_x + from_h, 0) if "relu" in kind else np.tanh(from_x + from_h)
        outputs[t] = h
    return outputs
