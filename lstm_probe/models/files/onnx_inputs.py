"""The inputs of an ONNX model: what a probe has to be like."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lstm_probe.core.arrays import Array
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.models.described import shown_shape

__all__ = ["GraphInputs"]

#: Operators between an input of word numbers and the table in which they are looked up.
_PASSING = ("Cast", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze")


class GraphInputs:
    """The inputs of a graph.

    Args:
        path: the file, for messages.
        model: an `onnx.ModelProto`.
    """

    def __init__(self, path: Path, model: Any) -> None:
        self._path = path
        held = {each.name: each for each in model.graph.initializer}
        self._inputs = [each for each in model.graph.input if each.name not in held]
        self._words = _words(model.graph, held)

    def feed(self, probe: Any) -> dict[str, Array]:
        """The arrays for the inputs.

        Raises:
            LstmProbeError: the probe does not fit.
        """
        import onnx

        names = [each.name for each in self._inputs]
        given = probe if isinstance(probe, Mapping) else dict.fromkeys(names[:1], probe)
        if set(given) != set(names):
            raise LstmProbeError(
                f"The probe does not fit {self._path}. Received: {', '.join(given)}. Expected: "
                f"inputs {', '.join(names)}, by name in an .npz file."
            )
        feed = {}
        for each in self._inputs:
            kind = onnx.helper.tensor_dtype_to_np_dtype(each.type.tensor_type.elem_type)
            array = np.asarray(given[each.name]).astype(kind)
            sizes = _sizes(each)
            fits = len(sizes) == array.ndim and all(
                size in (None, own) for size, own in zip(sizes, array.shape, strict=True)
            )
            if sizes and not fits:
                raise LstmProbeError(
                    f"The probe does not fit {self._path}. Received: shape {array.shape}. "
                    f"Expected: {shown_shape(sizes)} for its input {each.name!r}."
                )
            feed[each.name] = array
        return feed

    def random(self, shape: Sequence[int], rng: np.random.Generator) -> Array:
        """Random numbers for the first input: words that the model knows, if it looks them up."""
        if self._inputs and self._inputs[0].type.tensor_type.elem_type in (6, 7):
            return rng.integers(0, self._words.get(self._inputs[0].name, 2), tuple(shape))
        return rng.normal(size=tuple(shape)).astype(np.float32)

    def described(self) -> list[str]:
        """What a probe must be like: for each input its name, shape and dtype."""
        import onnx

        lines = []
        for each in self._inputs:
            kind = onnx.helper.tensor_dtype_to_np_dtype(each.type.tensor_type.elem_type)
            words = self._words.get(each.name)
            below = f", whole numbers below {words:,}" if words else ""
            lines.append(
                f"{shown_shape(_sizes(each))} {np.dtype(kind).name}{below}, for its input "
                f"{each.name!r}"
            )
        if len(lines) > 1:
            lines.append("together in an .npz, by the names of the inputs")
        return lines


def _sizes(value: Any) -> list[int | None]:
    """The sizes of an input; 0, -1 and names stand for any size."""
    sizes = [each.dim_value for each in value.type.tensor_type.shape.dim]
    return [size if size > 0 else None for size in sizes]


def _words(graph: Any, held: Mapping[str, Any]) -> dict[str, int]:
    """By input of whole numbers, how many rows the table has in which it is looked up first."""
    sources = {output: node for node in graph.node for output in node.output}
    words: dict[str, int] = {}
    for node in graph.node:
        if node.op_type == "Gather" and node.input[0] in held and held[node.input[0]].dims:
            name = node.input[1]
            while name in sources and sources[name].op_type in _PASSING:
                name = sources[name].input[0]
            rows = int(held[node.input[0]].dims[0])
            words[name] = min(rows, words.get(name, rows))
    return words
