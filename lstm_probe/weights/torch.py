"""The layout of PyTorch: transposed kernels with the gates as rows, and two biases."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from lstm_probe.core.arrays import Array
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.weights.gates import GateWeights, join_gates, split_gates
from lstm_probe.weights.keras import AnyWeights
from lstm_probe.weights.kinds import GruWeights, LstmWeights, SimpleRnnWeights
from lstm_probe.weights.layouts import CELLS, check

__all__ = [
    "TORCH_GRU_ORDER",
    "TORCH_LSTM_ORDER",
    "folded_normalisation",
    "from_torch",
    "to_torch",
]

#: Input, forget, candidate, output.
TORCH_LSTM_ORDER = ("i", "f", "g", "o")
#: Reset, update, candidate (`n`, the new gate).
TORCH_GRU_ORDER = ("r", "z", "g")
_ORDERS = {4: TORCH_LSTM_ORDER, 3: TORCH_GRU_ORDER, 1: SimpleRnnWeights.gates}
_NAMES = ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr")
#: What torch keeps of a weight that it normalises: of `nn.utils.weight_norm` and `spectral_norm`,
#: and of those in `nn.utils.parametrizations`.
_PARTS = re.compile(
    r"(?P<name>.*weight_(ih|hh|hr)(_l\d+)?(_reverse)?)_(?P<part>g|v|orig|u)"
    r"|(?P<prefix>.*?)parametrizations\.(?P<inner>weight_(ih|hh|hr)(_l\d+)?(_reverse)?)\."
    r"(?P<place>original0|original1|original|0\._u|0\._v)",
    re.DOTALL,
)
_CALLED = {"original0": "g", "original1": "v", "original": "orig", "0._u": "u", "0._v": "v"}


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


def folded_normalisation(state_dict: Mapping[str, Any]) -> dict[str, Any]:
    """A state dictionary in which normalised weights are the weights that torch computes with.

    Weight normalisation keeps a length `g` and a direction `v` of each row, and computes with
    `g v / |v|`. Spectral normalisation keeps a weight and two vectors `u` and `v`, and computes
    with the weight divided by `u W v`.

    Args:
        state_dict: the arrays by name. Only the weights of recurrent modules are looked at.

    Returns:
        The arrays, with `weight_hh_l0` in place of `weight_hh_l0_g` and `weight_hh_l0_v`, or of
        `parametrizations.weight_hh_l0.original0` and `original1`.

    Source:
        torch/nn/utils/weight_norm.py, spectral_norm.py and parametrizations.py.

    Example:
        >>> rows = {"weight_hh_l0_g": np.array([[5.0]]), "weight_hh_l0_v": np.array([[3.0, 4.0]])}
        >>> folded_normalisation(rows)["weight_hh_l0"].tolist()
        [[3.0, 4.0]]
    """
    kept: dict[str, Any] = {}
    parts: dict[str, dict[str, Any]] = {}
    for name, value in state_dict.items():
        match = _PARTS.fullmatch(name)
        if match is None:
            kept[name] = value
        elif match["name"] is not None:
            parts.setdefault(match["name"], {})[match["part"]] = value
        else:
            whole = f"{match['prefix']}{match['inner']}"
            parts.setdefault(whole, {})[_CALLED[match["place"]]] = value
    for name, of_weight in parts.items():
        kept.setdefault(name, _weight_of({k: _numpy(v) for k, v in of_weight.items()}, name))
    return kept


def _weight_of(parts: Mapping[str, Array], name: str) -> Array:
    """The weight that torch makes of the parts that it keeps."""
    weight: Array
    if parts.keys() == {"g", "v"}:
        g, v = parts["g"], parts["v"]
        if g.ndim in (0, v.ndim):
            along = tuple(k for k in range(v.ndim) if g.ndim == 0 or g.shape[k] == 1)
            weight = g * (v / np.sqrt(np.square(v).sum(axis=along, keepdims=True)))
            if weight.shape == v.shape:
                return weight.astype(v.dtype)
    elif parts.keys() == {"orig", "u", "v"}:
        weight, u, v = parts["orig"], parts["u"], parts["v"]
        if weight.shape == (u.size, v.size):
            return (weight / (u.ravel() @ weight @ v.ravel())).astype(weight.dtype)
    shown = ", ".join(f"{key} {array.shape}" for key, array in parts.items())
    raise LstmProbeError(
        f"{name} is normalised in a way that is not known. Received: {shown}. Expected: g and v of "
        "weight_norm, or the weight, u and v of spectral_norm. Call "
        "torch.nn.utils.parametrize.remove_parametrizations (or remove_weight_norm) and save again."
    )


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
