"""Finding the recurrent modules of a PyTorch model, and what to call them."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

import torch

from lstm_probe.cells.custom import registered_cell
from lstm_probe.core.errors import LstmProbeError

__all__ = [
    "Module",
    "find_modules",
    "inner_model",
    "is_quantised",
    "is_recurrent_cell",
    "is_stacked",
    "named_modules",
    "title",
]

#: An `nn.Module`.
Module: TypeAlias = Any

#: Where PyTorch keeps the recurrent modules that `quantize_dynamic` puts in the place of others.
_QUANTISED = "torch.ao.nn.quantized.dynamic.modules.rnn"
_SCRIPTED = frozenset({"LSTM", "GRU", "RNN", "LSTMCell", "GRUCell", "RNNCell"})
#: Attributes with which wrappers hold the module that they wrap: they are left out of names.
_WRAPPERS = ("_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module")


def inner_model(model: Module) -> Module:
    """The user's own model, out of the wrappers of DDP, DataParallel and `torch.compile`.

    A pass through the wrapper of DDP would wait for the other processes, and a compiled model may
    not call its modules one by one.

    Args:
        model: an `nn.Module`.

    Raises:
        LstmProbeError: it is no module, it is scripted, or its parameters are spread over several
            processes.

    Example:
        >>> inner_model(torch.nn.DataParallel(torch.nn.GRU(3, 4)))
        GRU(3, 4)
    """
    if not isinstance(model, torch.nn.Module):
        raise LstmProbeError(
            f"There is no model. Received: {type(model).__name__}. Expected: a torch.nn.Module."
        )
    _check_whole(model)
    parallel = torch.nn.parallel
    while True:
        if isinstance(model, (parallel.DistributedDataParallel, parallel.DataParallel)):
            model = model.module
        elif hasattr(model, "_orig_mod"):
            model = model._orig_mod
        else:
            break
    if isinstance(model, torch.jit.ScriptModule):
        raise _scripted(title(model))
    return model


def find_modules(model: Module, names: Sequence[str] | None) -> dict[str, Module]:
    """The recurrent modules of a model by their names, as `named_modules()` gives them.

    A module that is registered in two places has the name of the first.

    Args:
        model: as `inner_model` returns it.
        names: which of them; None for all. A module that is named may be one that lstm_probe does
            not know: its output is shown alone.

    Raises:
        LstmProbeError: there is no such module, or it is scripted; the message lists those there
            are.
    """
    every = {_cleaned(name): module for name, module in named_modules(model)}
    found = {name: module for name, module in every.items() if _is_recurrent(module)}
    scripted = [name for name, module in every.items() if _is_scripted(module)]
    if names is None:
        if scripted:
            raise _scripted(scripted[0])
        if not found:
            kinds = sorted({type(module).__name__ for module in every.values()})
            raise LstmProbeError(
                f"Model {title(model)!r} has no recurrent module to probe. Received: modules of "
                f"the kinds {', '.join(kinds)}. Expected: at least one nn.LSTM, nn.GRU, nn.RNN or "
                "a cell of theirs; or a module of your own, after lstm_probe.register_cell, or "
                "named in layers."
            )
        return found
    chosen = {}
    for name in names:
        if name in scripted:
            raise _scripted(name)
        base = name if name in every else name.partition("/")[0]
        if base not in every:
            raise LstmProbeError(
                f"Model {title(model)!r} has no module of that name. Received: {name!r}. Expected "
                f"one of {', '.join(map(repr, found)) or 'the names of named_modules()'}."
            )
        chosen[base] = every[base]
    return chosen


def named_modules(model: Module) -> Iterator[tuple[str, Module]]:
    """All modules of a model by their names, each once.

    A model of Keras on the PyTorch backend keeps its layers where `named_modules()` does not find
    them: what its `TorchModuleWrapper`s wrap has the name of the layer before its own.
    """
    seen = set()
    for name, module in model.named_modules():
        seen.add(id(module))
        yield name, module
    layers = model._flatten_layers(include_self=False) if hasattr(model, "_flatten_layers") else ()
    for layer in layers:
        for name, module in layer.named_modules(prefix=layer.name):
            if id(module) not in seen:
                seen.add(id(module))
                yield name, module


def title(model: Module) -> str:
    """What messages call a model."""
    return str(getattr(model, "original_name", type(model).__name__))


def is_stacked(module: Module) -> bool:
    """Whether a module is an `nn.LSTM`, `nn.GRU` or `nn.RNN` that computes as PyTorch's own."""
    kind = torch.nn.RNNBase
    own = isinstance(module, kind) and type(module).forward in _FORWARDS
    return own or (is_quantised(module) and hasattr(module, "num_layers"))


def is_recurrent_cell(module: Module) -> bool:
    """Whether a module is an `nn.LSTMCell`, `nn.GRUCell` or `nn.RNNCell`, as PyTorch has it."""
    own = isinstance(module, torch.nn.RNNCellBase) and type(module).forward in _FORWARDS
    return own or (is_quantised(module) and not hasattr(module, "num_layers"))


def is_quantised(module: Module) -> bool:
    """Whether a module is one that `quantize_dynamic` has made."""
    return type(module).__module__ == _QUANTISED and hasattr(module, "get_weight")


_FORWARDS = tuple(
    getattr(torch.nn, name).forward
    for name in ("LSTM", "GRU", "RNN", "LSTMCell", "GRUCell", "RNNCell")
)


def _is_recurrent(module: Module) -> bool:
    kinds = (torch.nn.RNNBase, torch.nn.RNNCellBase)
    is_known = registered_cell(type(module).__name__) is not None
    return is_known or isinstance(module, kinds) or is_quantised(module)


def _is_scripted(module: Module) -> bool:
    is_script = isinstance(module, torch.jit.ScriptModule)
    return is_script and getattr(module, "original_name", "") in _SCRIPTED


def _scripted(name: str) -> LstmProbeError:
    return LstmProbeError(
        f"A scripted module does not show what its parts read. Received: {name!r}, a "
        "torch.jit.ScriptModule. Expected: the module that torch.jit.script was given: it has the "
        "same parameters. Give that one to the probe, and train the scripted one."
    )


def _cleaned(name: str) -> str:
    return ".".join(part for part in name.split(".") if part not in _WRAPPERS)


def _check_whole(model: Module) -> None:
    """Refuse a model whose parameters no process has as a whole.

    To gather them is an operation of all processes together. A capture is left out where it costs
    too much, which each process finds for itself: the others would wait for ever.
    """
    how = _spread_by(model)
    if how is not None:
        raise LstmProbeError(
            f"The parameters of the model are spread over several processes. Received: "
            f"{title(model)!r} under {how}. Expected: a model that each process has as a whole, as "
            "under DistributedDataParallel. To gather the parameters is a step of all processes "
            "together, which a probe cannot ask of them. Look at the checkpoints instead: "
            "lstm-probe replay."
        )


def _spread_by(model: Module) -> str | None:
    fully_sharded = sys.modules.get("torch.distributed.fsdp")
    for _, module in named_modules(model):
        kinds = [each.__name__ for each in type(module).__mro__]
        if fully_sharded is not None and "FullyShardedDataParallel" in kinds:
            return "FullyShardedDataParallel"
        if "FSDPModule" in kinds:
            return "fully_shard"
    for parameter in model.parameters():
        if type(parameter).__name__ == "DTensor" or type(parameter.data).__name__ == "DTensor":
            return "DTensor"
        if hasattr(parameter, "ds_id"):
            return "DeepSpeed ZeRO-3"
    return None
