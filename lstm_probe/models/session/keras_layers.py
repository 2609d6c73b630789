"""Keras 3 layers in a graph of TF1."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from lstm_probe.core.errors import LstmProbeError
from lstm_probe.models.keras.heard import Call
from lstm_probe.models.keras.sites import describe_call
from lstm_probe.models.keras.taps import tapped
from lstm_probe.models.session.cells import DescribedCell
from lstm_probe.models.session.runs import Check, Run
from lstm_probe.models.session.sites import Series, Site

__all__ = ["keras_sites"]

_PROBED = (keras.layers.LSTM, keras.layers.GRU, keras.layers.SimpleRNN)


def keras_sites(layer: keras.layers.Layer, run: Run) -> tuple[list[Site], list[Check]]:
    """The sites of a recurrent layer, or of those inside a wrapper such as `Bidirectional`.

    The layer is called once more on the user's input, which adds ops but no variables. What its
    recurrent layers read and return in that call is recorded.

    Args:
        layer: a built Keras 3 layer.
        run: the input and the output of the layer.

    Returns:
        The sites, and the tensors that must be equal if the input and the output belong together.

    Raises:
        LstmProbeError: the layer has not been built, it holds no recurrent layer, or `run` has
            options that only TF1's functions take.
    """
    _check(layer, run)
    inner = [each for each in layer._flatten_layers() if isinstance(each, _PROBED)]
    with run.inputs.graph.as_default(), tf.name_scope("lstm_probe"), tapped(inner) as heard:
        mask = getattr(run.inputs, "_keras_mask", None)
        result = layer(run.inputs, **({} if mask is None else {"mask": mask}))
    sites = [_site(call) for call in heard.calls]
    result = result[0] if isinstance(result, (tuple, list)) else result
    return sites, [Check(_series(result), _series(run.outputs))]


def _site(call: Call) -> Site:
    layer = call.layer
    cell = describe_call(call)
    weights = tuple(variable.value for variable in cell.variables)
    reverse = bool(layer.go_backwards)
    output = tf.reverse(call.output, [1]) if reverse else call.output
    path = str(layer.path or layer.name)
    return Site(
        DescribedCell(path, cell.cell, weights, cell.weights, ()),
        Series(call.x),
        Series(output),
        layer.compute_dtype,
        final_output=call.final_output,
        initial_state=call.initial_state or (),
        mask=call.mask,
        reverse=reverse,
        zero_output_for_mask=bool(layer.zero_output_for_mask),
    )


def _series(tensor: Any) -> Series:
    return Series([tensor]) if tensor.shape.rank == 2 else Series(tensor)


def _check(layer: keras.layers.Layer, run: Run) -> None:
    foreign = [
        name
        for name in ("time_major", "sequence_length", "initial_state")
        if getattr(run, name) not in (None, False)
    ]
    if foreign:
        raise LstmProbeError(
            f"A Keras layer has no such options. Received: {', '.join(foreign)} for "
            f"{layer.name!r}. Expected: inputs and outputs only; its mask is that of its input."
        )
    if not layer.built:
        raise LstmProbeError(
            f"The layer has no variables yet. Received: {layer.name!r}, not built. Expected: the "
            "layer that made the outputs. Call it on the inputs first."
        )
    if not any(isinstance(each, _PROBED) for each in layer._flatten_layers()):
        raise LstmProbeError(
            f"This layer cannot be probed. Received: {type(layer).__name__} {layer.name!r}. "
            f"Expected: {', '.join(kind.__name__ for kind in _PROBED)}, alone or inside "
            "Bidirectional or another layer."
        )
    if not tf.is_tensor(run.inputs) or not tf.is_tensor(run.outputs):
        raise LstmProbeError(
            "The inputs and outputs of a Keras layer are one tensor each. Received: "
            f"{run.inputs!r} and {run.outputs!r}. Expected: what the layer was called on, and what "
            "it returned, without the states."
        )
