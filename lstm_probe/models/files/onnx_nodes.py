"""What recurrent nodes of an ONNX graph say of themselves."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from lstm_probe.core.arrays import Array
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.weights import AnyWeights, from_onnx

__all__ = [
    "RECURRENT",
    "Budget",
    "attributes_of",
    "constants_of",
    "directions_of",
    "inputs_of",
    "is_quantised",
    "is_recurrent",
    "weights_of",
]

#: The recurrent operators, and the operator of ONNX whose equations they have.
RECURRENT = {"LSTM": "LSTM", "GRU": "GRU", "RNN": "RNN", "DynamicQuantizeLSTM": "LSTM"}
#: The inputs of a recurrent node, in their order.
_INPUTS = ("X", "W", "R", "B", "sequence_lens", "initial_h", "initial_c", "P")
#: Bytes that do not fill the memory.
_SMALL = 2**24
_QUANTISED = ("W_scale", "W_zero_point", "R_scale", "R_zero_point")


def attributes_of(node: Any) -> dict[str, Any]:
    """The attributes of a node by name; texts are bytes."""
    import onnx

    return {each.name: onnx.helper.get_attribute_value(each) for each in node.attribute}


def directions_of(node: Any) -> list[tuple[str, bool]]:
    """What is added to the name for each direction, and whether it reads backwards."""
    direction = attributes_of(node).get("direction", b"forward").decode()
    if direction == "bidirectional":
        return [("/forward", False), ("/backward", True)]
    return [("", direction == "reverse")]


def is_recurrent(node: Any) -> bool:
    """Whether a node is a recurrent operator; a function of a model may be called like one."""
    domains = ("com.microsoft",) if is_quantised(node) else ("", "ai.onnx")
    return node.op_type in RECURRENT and node.domain in domains


def is_quantised(node: Any) -> bool:
    """Whether a node computes with whole numbers of eight bits."""
    return bool(node.op_type == "DynamicQuantizeLSTM")


def inputs_of(node: Any) -> dict[str, str]:
    """The names of a recurrent node's inputs, by what the operator calls them."""
    names = (*_INPUTS, *_QUANTISED) if is_quantised(node) else _INPUTS
    return {name: each for name, each in zip(names, node.input, strict=False) if each}


def weights_of(node: Any, values: Mapping[str, Array], index: int) -> AnyWeights:
    """The weights of one direction of a recurrent node.

    Args:
        node: the node.
        values: the arrays by name.
        index: 0, or 1 for the backward direction of a bidirectional node.
    """
    inputs, attributes = inputs_of(node), attributes_of(node)
    w, r = values[inputs["W"]], values[inputs["R"]]
    if is_quantised(node):
        w = _dequantised(w, values[inputs["W_scale"]], values.get(inputs.get("W_zero_point", "")))
        r = _dequantised(r, values[inputs["R_scale"]], values.get(inputs.get("R_zero_point", "")))
    return from_onnx(
        w,
        r,
        b=values[inputs["B"]] if "B" in inputs else None,
        p=values[inputs["P"]] if "P" in inputs else None,
        direction=index,
        linear_before_reset=bool(attributes.get("linear_before_reset", 0)),
        input_forget=bool(attributes.get("input_forget", 0)),
    )


def _dequantised(whole: Array, scale: Array, zero: Array | None) -> Array:
    """The weights `(directions, rows, columns)` that whole numbers stand for.

    Args:
        whole: `(directions, columns, rows)`.
        scale: `(directions,)`, or `(directions, rows)` with a scale for each row.
        zero: what stands for 0, of the shape of `scale`; None for 0.

    Source:
        https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md,
        `com.microsoft.DynamicQuantizeLSTM`.
    """
    if scale.shape not in (whole.shape[:1], (whole.shape[0], whole.shape[-1])) or whole.ndim != 3:
        raise LstmProbeError(
            f"The weights of a DynamicQuantizeLSTM do not fit their scales. Received: weights "
            f"{whole.shape}, scales {scale.shape}. Expected: weights (directions, columns, rows), "
            "scales (directions,) or (directions, rows)."
        )

    def spread(array: Array) -> Array:
        return array.reshape(whole.shape[0], 1, -1)

    centred = whole.astype(np.float32) - (0 if zero is None else spread(zero).astype(np.float32))
    return np.asarray((centred * spread(scale)).swapaxes(1, 2))


class Budget:
    """How many bytes may still be made out of the arrays of a model.

    Args:
        model: an `onnx.ModelProto`.
    """

    def __init__(self, model: Any) -> None:
        self._left = 4 * int(model.ByteSize()) + _SMALL

    def allows(self, arrays: Sequence[Array]) -> bool:
        """Whether something of the size of some arrays may be made; then it counts as made."""
        # Whole numbers of eight bits become floats.
        size = sum(4 * array.nbytes for array in arrays)
        if size > self._left:
            return False
        self._left -= size
        return True


def constants_of(graph: Any, outer: Mapping[str, Array], budget: Budget) -> dict[str, Array]:
    """The arrays that are known without a run, by name: initializers, constant nodes, and what
    simple operators make of these.

    Args:
        graph: an `onnx.GraphProto`.
        outer: the constants of the graphs around it.
        budget: of the whole model. What goes beyond it is left to ONNX Runtime.
    """
    import onnx

    constants = {each.name: onnx.numpy_helper.to_array(each) for each in graph.initializer}
    for node in graph.node:
        attributes = attributes_of(node) if node.op_type in ("Constant", *_FOLDED) else {}
        if node.op_type == "Constant" and "value" in attributes:
            constants[node.output[0]] = onnx.numpy_helper.to_array(attributes["value"])
        elif node.op_type in _FOLDED:
            known = [constants.get(name, outer.get(name)) for name in node.input if name]
            arrays = [each for each in known if each is not None]
            if len(arrays) == len(known) > 0 and budget.allows(arrays):
                constants[node.output[0]] = _FOLDED[node.op_type](attributes, *arrays)
    return constants


def _dequantize_linear(
    attributes: Mapping[str, Any], x: Array, scale: Array, *zero: Array
) -> Array:
    axis = int(attributes.get("axis", 1))
    shape = [1] * x.ndim
    if scale.ndim == 1 and scale.size > 1:
        shape[axis] = scale.size
    offset = zero[0].astype(np.float32).reshape(shape) if zero else 0
    return np.asarray((x.astype(np.float32) - offset) * scale.reshape(shape)).astype(scale.dtype)


def _unsqueeze(attributes: Mapping[str, Any], x: Array, *axes: Array) -> Array:
    places = attributes["axes"] if "axes" in attributes else axes[0].ravel().tolist()
    return np.expand_dims(x, tuple(places))


#: Operators between a file's arrays and the weights of a node that are computed here.
_FOLDED: dict[str, Callable[..., Array]] = {
    "DequantizeLinear": _dequantize_linear,
    "Identity": lambda _, x: x,
    "Transpose": lambda attributes, x: np.transpose(x, attributes.get("perm")),
    "Concat": lambda attributes, *parts: np.concatenate(parts, attributes["axis"]),
    "Unsqueeze": _unsqueeze,
}
