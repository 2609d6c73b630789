"""The layout of PyTorch: transposed kernels with the gates as rows, and two biases."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from lstm_probe.core.arrays import Array
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.weights.gates import GateWeights, join_gates, split_gates
from lstm_probe.weights.keras import AnyWeights
from lstm_probe.weights.kinds import GruWeights, LstmWeights, SimpleRnnWeights
from lstm_probe.weights.layouts import CELLS, check

__all__ = ["TORCH_GRU_ORDER", "TORCH_LSTM_ORDER", "from_torch", "to_torch"]

#: Input, forget, candidate, output.
TORCH_LSTM_ORDER = ("i", "f", "g", "o")
#: Reset, update, candidate (`n`, the new gate).
TORCH_GRU_ORDER = ("r", "z", "g")
_ORDERS = {4: TORCH_LSTM_ORDER, 3: TORCH_GRU_ORDER, 1: SimpleRnnWeights.gates}
_NAMES = ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr")


def from_torch(
    state_dict: Mapping[str, Any], *, layer: int = 0, reverse: bool = False, prefix: str = ""
) -> AnyWeights:
    """Cut the weights of one layer and direction of `nn.LSTM`, `nn.GRU` or `nn.RNN` into gates.

    The weights of `nn.LSTMCell`, `nn.GRUCell` and `nn.RNNCell` are cut as well.

    torch is not needed. The values may be tensors or anything that NumPy reads.

    Args:
        state_dict: `module.state_dict()`, or that of a larger model with a `prefix`. `weight_ih` is
            `(n * units, input)`, `weight_hh` is `(n * units, units)` and each bias is
            `(n * units,)`, where n is 4 for an LSTM, 3 for a GRU and 1 for an RNN.
        layer: The index of the layer, from 0.
        reverse: Whether to take the backward direction of a bidirectional module.
        prefix: What stands before `weight_ih_l0` in the keys, such as `encoder.lstm.`.

    Returns:
        The weights, of the dtype of the tensors. They are copies and no views. The two biases of an
        LSTM or an RNN are added, and those of a GRU stay apart.

    Raises:
        LstmProbeError: A key is missing, or the shapes are not those of such a module.

    Source:
        torch/nn/modules/rnn.py, the equations in the docstrings of `LSTM`, `GRU` and `RNN`.

    Example:
        >>> state = {"weight_ih_l0": np.zeros((20, 3)), "weight_hh_l0": np.zeros((20, 5))}
        >>> weights = from_torch(state)
        >>> type(weights).__name__, weights.input_size, weights.units
        ('LstmWeights', 3, 5)
    """
    suffix = f"_l{layer}{'_reverse' if reverse else ''}"
    if suffix == "_l0" and f"{prefix}weight_ih_l0" not in state_dict:
        suffix = "" if f"{prefix}weight_ih" in state_dict else suffix  # that of a cell
    names = [f"{prefix}{name}{suffix}" for name in _NAMES]
    if not {names[0], names[1]} <= set(state_dict):
        raise LstmProbeError(
            f"The state dictionary has no such layer. Received: keys {', '.join(state_dict)}. "
            f"Expected: {names[0]} and {names[1]}. Choose with layer, reverse and prefix."
        )
    weight_ih, weight_hh = (_numpy(state_dict[name]) for name in names[:2])
    bias_ih, bias_hh, weight_hr = (
        _numpy(state_dict[name]) if name in state_dict else None for name in names[2:]
    )
    blocks = check("from_torch", [weight_ih, weight_hh, bias_ih, bias_hh, weight_hr])
    kind, order = CELLS[blocks], _ORDERS[blocks]

    def cut(fused: Array) -> Array:
        return split_gates(np.array(fused.T), order, kind.gates)

    kernel, recurrent_kernel = cut(weight_ih), cut(weight_hh)
    biases = [cut(bias) for bias in (bias_ih, bias_hh) if bias is not None]
    if kind is GruWeights:
        return GruWeights(kernel, recurrent_kernel, *biases)
    bias = sum(biases[1:], biases[0]) if biases else None
    if kind is LstmWeights and weight_hr is not None:
        return LstmWeights(kernel, recurrent_kernel, bias, projection=np.array(weight_hr.T))
    return kind(kernel, recurrent_kernel, bias)


def to_torch(
    weights: GateWeights, *, layer: int = 0, reverse: bool = False, prefix: str = ""
) -> dict[str, Array]:
    """Arrays by the keys of a state dictionary, the inverse of `from_torch`.

    Args:
        weights: The weights of a cell that torch has.
        layer: The index of the layer, from 0.
        reverse: Whether the keys are those of the backward direction.
        prefix: What stands before `weight_ih_l0` in the keys.

    Returns:
        The arrays, of the shapes that `from_torch` takes. The bias is `bias_ih`, and `bias_hh` is
        zero where the two were added. Both are left out for a cell without a bias (`bias=False`).

    Raises:
        LstmProbeError: torch has no module for this cell. It has peepholes, coupled gates or layer
            normalisation.

    Source:
        torch/nn/modules/rnn.py, `RNNBase`.

    Example:
        >>> from lstm_probe import weights
        >>> cell = weights.from_keras(np.zeros((3, 20)), np.zeros((5, 20)), np.zeros(20))
        >>> {name: array.shape for name, array in to_torch(cell).items()}["weight_ih_l0"]
        (20, 3)
    """
    order = _ORDERS.get(len(weights.gates))
    extras = set(weights.extras) if isinstance(weights, LstmWeights) else set()
    if order is None or set(order) != set(weights.gates) or extras - {"projection"}:
        raise LstmProbeError(
            f"torch has no module for this cell. Received: {type(weights).__name__} with gates "
            f"{' '.join(weights.gates)} and {', '.join(sorted(extras)) or 'no extras'}. Expected: "
            "a plain LSTM, GRU or RNN, with a projection at most."
        )

    def fused(array: Array) -> Array:
        return np.ascontiguousarray(join_gates(array, order, weights.gates).T)

    arrays = {"weight_ih": fused(weights.kernel), "weight_hh": fused(weights.recurrent_kernel)}
    second = weights.recurrent_bias if isinstance(weights, GruWeights) else None
    if weights.bias is not None or second is not None:
        zeros = np.zeros((len(weights.gates), weights.units), weights.kernel.dtype)
        arrays["bias_ih"] = fused(zeros if weights.bias is None else weights.bias)
        arrays["bias_hh"] = fused(zeros if second is None else second)
    if isinstance(weights, LstmWeights) and weights.projection is not None:
        arrays["weight_hr"] = np.ascontiguousarray(weights.projection.T)
    suffix = f"_l{layer}{'_reverse' if reverse else ''}"
    return {f"{prefix}{name}{suffix}": array for name, array in arrays.items()}


def _numpy(tensor: Any) -> Array:
    """A tensor as an array. NumPy cannot read a tensor that requires a gradient or is on a GPU."""
    for method in ("detach", "cpu"):
        if hasattr(tensor, method):
            tensor = getattr(tensor, method)()
    return np.asarray(tensor)
