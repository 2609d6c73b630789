"""What recurrent nodes of an ONNX graph say of themselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lstm_probe.core.arrays import Array
from lstm_probe.weights import AnyWeights, from_onnx

__all__ = ["attributes_of", "constants_of", "directions_of", "inputs_of", "weights_of"]

#: The inputs of a recurrent node, in their order.
_INPUTS = ("X", "W", "R", "B", "sequence_lens", "initial_h", "initial_c", "P")


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


def inputs_of(node: Any) -> dict[str, str]:
    """The names of a recurrent node's inputs, by what the operator calls them."""
    return {name: each for name, each in zip(_INPUTS, node.input, strict=False) if each}


def weights_of(node: Any, values: Mapping[str, Array], index: int) -> AnyWeights:
    """The weights of one direction of a recurrent node."""
    inputs, attributes = inputs_of(node), attributes_of(node)
    return from_onnx(
        values[inputs["W"]],
        values[inputs["R"]],
        b=values[inputs["B"]] if "B" in inputs else None,
        p=values[inputs["P"]] if "P" in inputs else None,
        direction=index,
        linear_before_reset=bool(attributes.get("linear_before_reset", 0)),
        input_forget=bool(attributes.get("input_forget", 0)),
    )


def constants_of(model: Any) -> dict[str, Array]:
    """The arrays that a graph holds, by name: its initializers and constant nodes."""
    import onnx

    constants = {each.name: onnx.numpy_helper.to_array(each) for each in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Constant" and "value" in (attributes := attributes_of(node)):
            constants[node.output[0]] = onnx.numpy_helper.to_array(attributes["value"])
    return constants
