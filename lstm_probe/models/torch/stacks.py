"""`nn.LSTM`, `nn.GRU` and `nn.RNN`: what each of their layers and directions reads and gives.

Such a module hands out the output of its last layer, and the last states of all. What the layers
below give is computed once more, layer by layer, by the kernels that the module itself runs.

Source: torch/nn/modules/rnn.py, `RNNBase.forward`.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence

from lstm_probe.core.arrays import Array
from lstm_probe.models.torch.modules import Module, is_quantised
from lstm_probe.models.torch.strands import Strand, as_array

__all__ = ["between", "stack_name", "state_of", "strands"]

_KERNELS = {
    "LSTM": torch.lstm,
    "GRU": torch.gru,
    "RNN_TANH": torch.rnn_tanh,
    "RNN_RELU": torch.rnn_relu,
}


def state_of(args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[Any, Any]:
    """The input and the initial states that a module was called with; None for no states."""
    given = list(args)
    x = given.pop(0) if given else kwargs["input"]
    return x, given[0] if given else kwargs.get("hx")


def between(module: Module, x: Any, hx: Any) -> list[Any]:
    """The outputs of all layers but the last, in the form of the module's own output.

    Args:
        module: a stack of layers; it is on the device of the input.
        x: what it was called on.
        hx: its initial states; None for zeros.
    """
    outputs: list[Any] = []
    if module.num_layers == 1:
        return outputs
    states = _states(module, x, hx)
    both = 2 if module.bidirectional else 1
    with warnings.catch_warnings():  # on CUDA: that the weights of a layer alone are no whole block
        warnings.simplefilter("ignore")
        for layer in range(module.num_layers - 1):
            own = [state[layer * both : (layer + 1) * both].contiguous() for state in states]
            x = _run(module, layer, x, own)
            outputs.append(x)
    return outputs


def strands(name: str, module: Module, call: Any) -> Iterator[Strand]:
    """What each layer and direction read and gave, the lowest layer first.

    Args:
        name: the module's name.
        module: the module.
        call: a call of it, as `tapped` gives it.
    """
    x, hx = state_of(call.args, call.kwargs)
    sequences = [x, *call.between, call.output[0]]
    lengths = _lengths(x)
    initial = None if hx is None else _arrays(_whole_batch(hx, x))
    final = _arrays(_whole_batch(call.output[1], x))
    both = 2 if module.bidirectional else 1
    arrays = [_as_batch(module, each) for each in sequences]
    for layer, (read, gave) in enumerate(pairwise(arrays)):
        for direction, output in enumerate(np.split(gave, both, axis=-1)):
            row = layer * both + direction
            key = layer, direction == 1
            ends = tuple(state[row] for state in final)
            is_last = layer == module.num_layers - 1
            yield Strand(
                name=stack_name(name, *key),
                key=key,
                x=read,
                output=output if is_last else _ending_in(output, ends[0], key[1], lengths),
                initial=None if initial is None else tuple(state[row] for state in initial),
                final=ends if both == 1 else (),
                lengths=lengths,
                precision=call.precision,
            )


def stack_name(name: str, layer: int, reverse: bool) -> str:
    """The name in logs of one layer and direction.

    Example:
        >>> stack_name("encoder.lstm", 1, True)
        'encoder.lstm/l1_reverse'
    """
    ending = f"l{layer}{'_reverse' if reverse else ''}"
    return f"{name}/{ending}" if name else ending


def _run(module: Module, layer: int, x: Any, states: Sequence[Any]) -> Any:
    """One layer of a stack, by the kernel that the module itself runs."""
    packed = isinstance(x, PackedSequence)
    is_lstm = module.mode == "LSTM"
    state = list(states) if is_lstm else states[0]
    both = 2 if module.bidirectional else 1
    head = [x.data, x.batch_sizes, state] if packed else [_with_batch(module, x), state]
    tail = [module.bias, 1, 0.0, False, module.bidirectional]
    tail += [] if packed else [module.batch_first]
    if is_quantised(module):
        each = module._all_weight_values[layer * both : (layer + 1) * both]
        kernel = torch.quantized_lstm if is_lstm else torch.quantized_gru
        options = {"dtype": module.dtype, "use_dynamic": True} if is_lstm else {}
        output = kernel(*head, [part.param for part in each], *tail, **options)[0]
    else:
        weights = [getattr(module, name) for name in _names(module, layer)]
        output = _KERNELS[module.mode](*head, weights, *tail)[0]
    if packed:
        return PackedSequence(output, x.batch_sizes, x.sorted_indices, x.unsorted_indices)
    return output if x.dim() == 3 else output.squeeze(_batch_axis(module))


def _names(module: Module, layer: int) -> list[str]:
    """The names of a layer's weights, in the order in which the kernels take them."""
    kinds = ["weight_ih", "weight_hh", *(["bias_ih", "bias_hh"] if module.bias else [])]
    kinds += ["weight_hr"] if getattr(module, "proj_size", 0) else []
    endings = [f"_l{layer}", f"_l{layer}_reverse"][: 1 + module.bidirectional]
    return [kind + ending for ending in endings for kind in kinds]


def _states(module: Module, x: Any, hx: Any) -> list[Any]:
    """The initial states `(layers * directions, batch, size)`, in the order of a packed batch."""
    rows = module.num_layers * (2 if module.bidirectional else 1)
    if hx is None:
        data = x.data if isinstance(x, PackedSequence) else _with_batch(module, x)
        count = int(x.batch_sizes[0]) if isinstance(x, PackedSequence) else None
        batch = data.shape[_batch_axis(module)] if count is None else count
        sizes = [getattr(module, "proj_size", 0) or module.hidden_size, module.hidden_size]
        sizes = sizes if module.mode == "LSTM" else sizes[1:]
        return [data.new_zeros(rows, batch, size) for size in sizes]
    states = [s if s.dim() == 3 else s.unsqueeze(1) for s in _as_tuple(hx)]
    order = x.sorted_indices if isinstance(x, PackedSequence) else None
    return states if order is None else [state.index_select(1, order) for state in states]


def _as_tuple(states: Any) -> tuple[Any, ...]:
    return tuple(states) if isinstance(states, (tuple, list)) else (states,)


def _batch_axis(module: Module) -> int:
    return 0 if module.batch_first else 1


def _with_batch(module: Module, x: Any) -> Any:
    return x if x.dim() == 3 else x.unsqueeze(_batch_axis(module))


def _lengths(x: Any) -> Array | None:
    """The lengths of packed sequences, in the order of the user's batch; None where all is read."""
    if not isinstance(x, PackedSequence):
        return None
    lengths: Array = pad_packed_sequence(x)[1].numpy()
    return None if (lengths == lengths.max()).all() else lengths


def _as_batch(module: Module, sequences: Any) -> Array:
    """Sequences as `(batch, time, features)`, padded with zeros."""
    if isinstance(sequences, PackedSequence):
        return as_array(pad_packed_sequence(sequences, batch_first=True)[0])
    array = as_array(_with_batch(module, sequences))
    return array if module.batch_first else array.swapaxes(0, 1)


def _whole_batch(states: Any, x: Any) -> list[Any]:
    """States `(layers * directions, batch, size)`; of a single sequence, with a batch of one."""
    single = not isinstance(x, PackedSequence) and x.dim() == 2
    return [each.unsqueeze(1) if single else each for each in _as_tuple(states)]


def _arrays(states: Sequence[Any]) -> list[Array]:
    return [as_array(each) for each in states]


def _ending_in(output: Array, final: Array, reverse: bool, lengths: Array | None) -> Array:
    """The output of a lower layer, with the step that it computed last as the module shows it."""
    shown = output.copy()
    last = 0 if reverse else (shown.shape[1] if lengths is None else lengths) - 1
    shown[np.arange(len(shown)), last] = final
    return shown
