"""The probe of a PyTorch model: what it is, and how a model is called with it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence

from lstm_probe.core.errors import LstmProbeError
from lstm_probe.models.torch.copies import in_structure
from lstm_probe.models.torch.modules import Module

__all__ = [
    "TorchInput",
    "apart",
    "arrays_of",
    "as_tensors",
    "batch_first",
    "called_with",
    "named_arrays",
    "placed",
    "shown",
]

#: Tensors, in tuples, lists and dicts.
TorchInput = Any


def as_tensors(probe: TorchInput, model: Module) -> TorchInput:
    """Copy a probe into tensors, and check it.

    Args:
        probe: a tensor, a `PackedSequence`, an array, or several in a tuple, list or dict.
        model: NumPy's floats become numbers of its dtype; tensors keep theirs.

    Raises:
        LstmProbeError: there is no tensor in it, or one that is empty or not finite.

    Example:
        >>> as_tensors(np.zeros((1, 2, 3)), torch.nn.GRU(3, 4)).dtype
        torch.float32
    """
    floats = [each.dtype for each in model.parameters() if each.is_floating_point()]
    own = floats[0] if floats else torch.get_default_dtype()

    def copied(leaf: Any) -> Any:
        if isinstance(leaf, torch.Tensor):
            return leaf.detach().clone()
        tensor = torch.from_numpy(np.array(leaf))
        return tensor.to(own) if tensor.is_floating_point() else tensor

    tensors = in_structure(copied, _with_arrays(probe, copied))
    leaves = list(_leaves(tensors))
    if not leaves:
        raise LstmProbeError(
            f"The probe holds no tensor. Received: {type(probe).__name__}. Expected: what the "
            "model takes, such as x_test[:1], or a tuple or dict of that."
        )
    for leaf in leaves:
        _check(leaf)
    return tensors


def placed(probe: TorchInput, model: Module) -> TorchInput:
    """A fresh copy of a probe on the device of a model.

    Args:
        probe: as `as_tensors` returns it.
        model: where its first parameter is, the probe goes.
    """
    first = next(iter([*model.parameters(), *model.buffers()]), None)
    device = torch.device("cpu") if first is None else first.device

    def moved(tensor: Any) -> Any:
        return tensor.clone() if tensor.device == device else tensor.to(device)

    return in_structure(moved, probe)


def called_with(function: Callable[..., Any], probe: TorchInput) -> Any:
    """Call a model with a probe: a tuple is its arguments, a dict its keyword arguments.

    A model that takes fewer arguments than the tuple has gets the tuple itself, and one that does
    not know the keywords gets the dict.

    Args:
        function: the model.
        probe: as `placed` returns it.

    Example:
        >>> called_with(lambda batch: sorted(batch), {"y": 1, "x": 2})
        ['x', 'y']
    """
    if isinstance(probe, Mapping) and _takes(function, (), probe):
        return function(**probe)
    is_plain = isinstance(probe, tuple) and not isinstance(probe, PackedSequence)
    if is_plain and _takes(function, probe, {}):
        return function(*probe)
    return function(probe)


def apart(probe: TorchInput, model: Module) -> tuple[TorchInput, Any]:
    """Inputs and targets of a probe that is certainly a pair of them: a tuple of two, for a model
    whose forward takes one argument.

    Args:
        probe: as it was given.
        model: is called with the inputs.

    Returns:
        The inputs, and the targets or None.

    Example:
        >>> apart((torch.ones(2, 3), [0, 1]), torch.nn.Linear(3, 1))[1]
        [0, 1]
        >>> apart((torch.ones(2, 3), torch.ones(1, 4)), torch.nn.GRU(3, 4))[1]  # a state
    """
    is_pair = isinstance(probe, tuple) and not hasattr(probe, "_fields") and len(probe) == 2
    if not is_pair or _takes(model, probe, {}) or not _takes(model, probe[:1], {}):
        return probe, None
    return probe


def named_arrays(probe: TorchInput) -> dict[str, Any]:
    """What `arrays_of` gives, by name: the keys of a dict, or numbers; one alone has no name."""
    arrays = arrays_of(probe)
    if isinstance(probe, Mapping) and len(probe) == len(arrays):
        return dict(zip(map(str, probe), arrays, strict=True))
    names = [""] if len(arrays) == 1 else map(str, range(len(arrays)))
    return dict(zip(names, arrays, strict=True))


def batch_first(
    inputs: Mapping[str, Any], shape: tuple[int, int], *, time_first: bool = True
) -> dict[str, Any]:
    """Arrays `(time, batch, ...)`, as `nn.LSTM` takes them by default, with the batch first.

    Args:
        inputs: arrays by name.
        shape: how many sequences and timesteps a layer reads of them.
        time_first: whether the layer reads the time first: this decides where there are as many
            sequences as timesteps.

    Example:
        >>> batch_first({"": np.zeros((5, 2, 3))}, (2, 5))[""].shape
        (2, 5, 3)
    """
    swapped = shape[::-1]
    is_swapped = time_first or shape != swapped
    return {
        name: each.swapaxes(0, 1)
        if is_swapped and each.ndim > 1 and each.shape[:2] == swapped
        else each
        for name, each in inputs.items()
    }


def arrays_of(probe: TorchInput) -> list[Any]:
    """The tensors of a probe as arrays; of packed sequences, with the batch first and padded."""
    leaves = [
        pad_packed_sequence(leaf, batch_first=True)[0] if isinstance(leaf, PackedSequence) else leaf
        for leaf in _leaves(probe, packed=True)
    ]
    halves = (torch.float16, torch.bfloat16)
    return [(leaf.float() if leaf.dtype in halves else leaf).cpu().numpy() for leaf in leaves]


def shown(probe: TorchInput) -> str:
    """The shapes of a probe, for messages."""
    return ", ".join(f"{tuple(leaf.shape)} {leaf.dtype}" for leaf in _leaves(probe))


def _takes(function: Callable[..., Any], args: Any, kwargs: Any) -> bool:
    # A module's own __call__ takes anything.
    called = function.forward if isinstance(function, torch.nn.Module) else function
    try:
        inspect.signature(called).bind(*args, **kwargs)
    except TypeError:
        return False
    except ValueError:  # it has no signature
        return True
    return True


def _with_arrays(structure: Any, convert: Callable[[Any], Any]) -> Any:
    """A structure whose NumPy arrays, and lists of numbers, have become tensors."""
    if isinstance(structure, (torch.Tensor, PackedSequence)):
        return structure
    if hasattr(structure, "__array__"):
        return convert(structure)
    if isinstance(structure, Mapping):
        return {key: _with_arrays(value, convert) for key, value in structure.items()}
    if isinstance(structure, tuple) and not hasattr(structure, "_fields"):
        return tuple(_with_arrays(each, convert) for each in structure)
    if isinstance(structure, list):
        if any(isinstance(each, (torch.Tensor, np.ndarray)) for each in structure):
            return [_with_arrays(each, convert) for each in structure]
        return convert(structure)
    return structure


def _leaves(structure: Any, *, packed: bool = False) -> Iterator[Any]:
    """The tensors of a structure; of packed sequences their data, or they themselves."""
    if isinstance(structure, torch.Tensor):
        yield structure
    elif isinstance(structure, PackedSequence):
        yield structure if packed else structure.data
    elif isinstance(structure, Mapping):
        for each in structure.values():
            yield from _leaves(each, packed=packed)
    elif isinstance(structure, (list, tuple)):
        for each in structure:
            yield from _leaves(each, packed=packed)


def _check(leaf: Any) -> None:
    if leaf.numel() == 0:
        raise LstmProbeError(
            f"The probe is empty. Received: shape {tuple(leaf.shape)}. Expected: at least one "
            "sequence with at least one timestep, such as x_train[:1]."
        )
    if leaf.is_floating_point() and not bool(torch.isfinite(leaf).all()):
        raise LstmProbeError(
            f"The probe is not finite. Received: {int((~torch.isfinite(leaf)).sum())} NaN or "
            f"infinite values in shape {tuple(leaf.shape)}. Expected: finite numbers. Choose or "
            "repair the probe sequence."
        )
