"""Describing the cells of PyTorch's modules to the core."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lstm_probe.cells import Cell, GruCell, LstmCell, SimpleRnnCell
from lstm_probe.cells.custom import registered_cell
from lstm_probe.models.torch.modules import Module, is_quantised, is_recurrent_cell, is_stacked
from lstm_probe.models.torch.strands import Strand, as_array
from lstm_probe.weights import CellWeights, NamedWeights, from_torch

__all__ = ["cell_of", "dtype_of", "tensors_of", "weights_of"]

_KINDS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr")


def cell_of(module: Module) -> Cell[Any] | None:
    """The cell of a module; None if nobody has told us its recurrence."""
    custom = registered_cell(type(module).__name__)
    if custom is not None:
        return custom
    if not (is_stacked(module) or is_recurrent_cell(module)):
        return None
    kind = str(getattr(module, "mode", "") or type(module).__name__).upper()
    if kind.startswith("LSTM"):
        return LstmCell()
    if kind.startswith("GRU"):
        return GruCell(reset_after=True)
    return SimpleRnnCell("relu" if getattr(module, "nonlinearity", "tanh") == "relu" else "tanh")


def tensors_of(module: Module) -> dict[str, Any]:
    """The tensors that a module computes with, as they are while it computes.

    They are read as attributes, because weight normalisation and parametrisations keep other
    tensors in the place of those that the module computes with.

    Args:
        module: a recurrent module.
    """
    if registered_cell(type(module).__name__) is not None or cell_of(module) is None:
        return {**dict(module.named_parameters()), **dict(module.named_buffers())}
    if is_quantised(module):
        stored = {**module.get_weight(), **module.get_bias()}
        return {name: _plain(tensor) for name, tensor in stored.items()}
    if is_recurrent_cell(module):
        return {
            name: tensor for name in _KINDS if (tensor := getattr(module, name, None)) is not None
        }
    names = (name for layer in module._all_weights for name in layer)
    return {name: getattr(module, name) for name in names}


def weights_of(module: Module, tensors: Mapping[str, Any], strand: Strand) -> CellWeights:
    """The weights of one cell of a module.

    Args:
        module: the module.
        tensors: copies of what `tensors_of` gives.
        strand: which cell, and what it read and gave.
    """
    arrays = {name: as_array(tensor) for name, tensor in tensors.items()}
    if registered_cell(type(module).__name__) is not None or cell_of(module) is None:
        return NamedWeights(arrays, strand.x.shape[-1], strand.output.shape[-1])
    layer, reverse = strand.key
    return from_torch(arrays, layer=layer, reverse=reverse)


def dtype_of(tensors: Mapping[str, Any]) -> str:
    """The name of the dtype in which a module computes."""
    names = [str(tensor.dtype).removeprefix("torch.") for tensor in tensors.values()]
    known = [name for name in names if name in ("float64", "float32", "float16", "bfloat16")]
    return known[0] if known else "float32"


def _plain(tensor: Any) -> Any:
    return tensor.dequantize() if tensor.is_quantized else tensor
