"""The part of a PyTorch model after a recurrent layer, as a pure function of arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import numpy as np
import torch
from torch.nn.utils.rnn import PackedSequence

from lstm_probe.analysis.rest import IN_FLOAT32, Rest, RestError
from lstm_probe.analysis.snapshot import Snapshot
from lstm_probe.core.arrays import Array
from lstm_probe.models.torch.modules import Module, is_stacked
from lstm_probe.models.torch.stacks import stack_name
from lstm_probe.models.torch.taps import Heard

__all__ = ["rests_of"]

#: Runs the model, in a context in which nothing of it changes, and returns what it gives.
Run = Callable[[], Any]


def rests_of(
    modules: Mapping[str, Module],
    heard: Heard,
    snapshots: Sequence[Snapshot],
    run: Run,
    watching: Callable[[], AbstractContextManager[Any]],
) -> tuple[dict[str, Rest], str]:
    """The part of a model after each of its recurrent layers that has one.

    The model runs on its probe with the layer's output replaced, by a hook that is there for this
    pass alone. The final cell state of an LSTM stays as the layer computed it.

    Args:
        modules: the recurrent modules by name.
        heard: what was heard of them on the probe.
        snapshots: what was seen of their layers.
        run: runs the model on the probe.
        watching: makes the context of a pass, in which what the model changes is put back.

    Returns:
        The rests by the names of the layers; and why others have none, in a sentence, or nothing.
    """
    found, without = dict[str, Rest](), []
    shapes = {each.layer: each.output.shape for each in snapshots}
    for name, module in modules.items():
        why = _why_not(module, [call for call in heard.calls if call.name == name])
        both = 2 if getattr(module, "bidirectional", False) else 1
        for layer, row in _rows(name, module, both, shapes).items():
            direction = row - (getattr(module, "num_layers", 1) - 1) * both
            if why is None and direction >= 0:
                stand_in = _StandIn(module, direction, both)
                found[layer] = _rest(stand_in, shapes[layer], run, watching)
            else:
                told = why or "another layer of its module reads it"
                without.append(f"The model after {layer} is not run: {told}.")
    return found, " ".join(without)


def _rows(name: str, module: Module, both: int, layers: Iterable[str]) -> dict[str, int]:
    """Which of the layers belong to a module, and which row of its final states each one has."""
    if not is_stacked(module):
        return {each: 0 for each in layers if each == name or each.startswith(f"{name}/call_")}
    rows = {stack_name(name, k // both, bool(k % both)): k for k in range(module.num_layers * both)}
    return {each: rows[base] for each in layers if (base := each.split("/call_")[0]) in rows}


def _why_not(module: Module, calls: Sequence[Any]) -> str | None:
    if not is_stacked(module) or len(calls) != 1:
        return "the model calls it step by step, or more than once"
    sequence = calls[0].output[0]
    if isinstance(sequence, PackedSequence) or sequence.ndim != 3:
        return "its sequences are packed, or not in a batch"
    return None


class _StandIn:
    """A hook that gives another output than the module would.

    Args:
        module: the module.
        direction: 0, or 1 for the layer that reads backwards.
        both: how many directions there are.
    """

    def __init__(self, module: Module, direction: int, both: int) -> None:
        self.module, self._direction, self._both = module, direction, both
        self.h: Any = None

    def __call__(self, module: Module, args: Any, output: Any) -> Any:
        sequence, states = output
        h = self.h.to(sequence)
        last = h[:, 0 if self._direction else -1]
        parts = list(sequence.chunk(self._both, dim=-1))
        parts[self._direction] = h if module.batch_first else h.transpose(0, 1)
        final = states[0] if isinstance(states, tuple) else states
        rows = list(final.unbind(0))
        rows[len(rows) - self._both + self._direction] = last
        given = torch.stack(rows)
        return torch.cat(parts, dim=-1), (given, *states[1:]) if isinstance(
            states, tuple
        ) else given


def _rest(
    stand_in: _StandIn,
    shape: tuple[int, ...],
    run: Run,
    watching: Callable[[], AbstractContextManager[Any]],
) -> Rest:
    def outputs_of(h: Any) -> Any:
        stand_in.h = h
        handle = stand_in.module.register_forward_hook(stand_in, prepend=True)
        try:
            leaves = [each for each in _leaves(run()) if each.ndim and len(each) == shape[0]]
        finally:
            handle.remove()
        rows = [each.reshape(shape[0], -1).float() for each in leaves if each.is_floating_point()]
        if not rows:
            raise RestError(
                "The model gives no output for each sequence. Received: nothing of "
                f"{shape[0]} rows. Expected: a tensor (batch, ...) among what it returns."
            )
        return torch.cat(rows, dim=1)

    def outputs(h: Array) -> Array:
        with watching():
            return _array(outputs_of(torch.from_numpy(np.array(h, np.float32))))

    def back(h: Array, by_output: Array) -> Array:
        with watching(), torch.enable_grad(), _differentiable():
            tensor = torch.from_numpy(np.array(h, np.float32)).requires_grad_(True)
            value = outputs_of(tensor)
            cotangent = torch.from_numpy(np.array(by_output, np.float32)).to(value)
            (gradient,) = torch.autograd.grad(value, tensor, cotangent, allow_unused=True)
        return np.zeros(shape) if gradient is None else _array(gradient)

    return Rest(outputs, back, tolerance=IN_FLOAT32)


@contextmanager
def _differentiable() -> Iterator[None]:
    """cuDNN has no gradients of recurrent layers in eval mode: PyTorch's own kernels have them."""
    with torch.backends.cudnn.flags(enabled=False):
        yield


def _array(tensor: Any) -> Array:
    array: Array = tensor.detach().cpu().double().numpy()
    return array


def _leaves(structure: Any) -> Iterator[Any]:
    if isinstance(structure, torch.Tensor):
        yield structure
    elif isinstance(structure, Mapping):
        for each in structure.values():
            yield from _leaves(each)
    elif isinstance(structure, (list, tuple)):
        for each in structure:
            yield from _leaves(each)
