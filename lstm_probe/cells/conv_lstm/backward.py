"""Back through the equations in `cells/conv_lstm/cell.py`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np

from lstm_probe.cells import ConvLstmCell
from lstm_probe.cells.conv_lstm.convolution_backward import convolve_back
from lstm_probe.cells.lstm.backward import factors_of
from lstm_probe.cells.shared.run import Run, Walk, along
from lstm_probe.core.arrays import Array
from lstm_probe.weights import GateWeights

__all__ = ["walk_conv_lstm"]


def walk_conv_lstm(run: Run, cell: ConvLstmCell, seeds: Mapping[str, Array]) -> Walk:
    """Take gradients back through a convolutional LSTM.

    Args:
        run: the sequence; its arrays are flat.
        cell: the cell of the run.
        seeds: by letter, as for `walk_back`.
    """
    factors = factors_of(run, cell)
    time = len(factors)
    hidden, cells = (along(seeds[letter], time) for letter in "hc")
    changes = np.empty((*hidden.shape[:3], 4, hidden.shape[3]))
    for t in reversed(range(time)):
        if t + 1 < time:
            hidden[t] += _by_hidden(changes[t + 1], cell, run.weights)
            cells[t] += cells[t + 1] * factors[t + 1, :, 0]
            if run.mask is not None:
                hidden[t] += np.where(run.mask[t + 1, :, None], 0.0, hidden[t + 1])
        np.multiply(hidden[t], factors[t, :, 4], out=changes[t, :, :, 3])
        cells[t] += hidden[t] * factors[t, :, 5]
        np.multiply(cells[t][:, :, None], factors[t, :, 1:4], out=changes[t, :, :, :3])
    return Walk({"h": hidden, "c": cells}, partial(_by_inputs, changes, cell, run.weights))


def _by_hidden(changes: Array, cell: ConvLstmCell, weights: GateWeights) -> Array:
    """`(K, batch, 4, size)` to `(K, batch, size)`."""
    kernel = weights.recurrent_kernel
    images = _images(changes, cell, weights)
    result = convolve_back(images, kernel.reshape(*kernel.shape[:-2], -1), images.shape[1:-1])
    return cell._flat(result.reshape(*changes.shape[:2], *result.shape[1:]))


def _by_inputs(changes: Array, cell: ConvLstmCell, weights: GateWeights, target: int) -> Array:
    changes, kernel = changes[:, target], weights.kernel
    first = cell.data_format == "channels_first"
    result = convolve_back(
        _images(changes, cell, weights),
        kernel.reshape(*kernel.shape[:-2], -1),
        cell.input_shape[1:] if first else cell.input_shape[:-1],
        padding=cell.padding,
        strides=cell.strides,
        dilation=cell.dilation,
    )
    return cell._flat(result.reshape(*changes.shape[:2], *result.shape[1:]))


def _images(changes: Array, cell: ConvLstmCell, weights: GateWeights) -> Array:
    """`(a, b, 4, size)` to `(a * b, *space, 4 * filters)`, as a convolution gives them."""
    shape = cell.output_shape(weights)  # type: ignore[arg-type]
    images = cell._channels_last(changes.reshape(-1, *shape))
    split = images.reshape(-1, 4, *images.shape[1:])
    return np.moveaxis(split, 1, -2).reshape(len(split), *images.shape[1:-1], -1)
