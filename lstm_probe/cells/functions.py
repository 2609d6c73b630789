"""The cells as functions: plain arrays in, a trace out, and no framework is needed.

Each function is the `run` of its cell with the options that Keras's layer has by default.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod

import numpy as np
import numpy.typing as npt

from lstm_probe.cells.conv_lstm_cell.cell import ConvLstmCell
from lstm_probe.cells.gru_cell.cell import GruCell
from lstm_probe.cells.lstm_cell.cell import LstmCell
from lstm_probe.cells.simple_rnn_cell.cell import SimpleRnnCell
from lstm_probe.core.trace import GateTrace
from lstm_probe.weights.gates import GateWeights

__all__ = ["conv_lstm", "gru", "lstm", "simple_rnn"]


def lstm(
    x: npt.ArrayLike,
    weights: GateWeights,
    *,
    cell: LstmCell | None = None,
    initial_state: Sequence[npt.ArrayLike] | None = None,
    mask: npt.ArrayLike | None = None,
    dtype: npt.DTypeLike | None = None,
    reverse: bool = False,
) -> GateTrace:
    """Run an LSTM over a batch of sequences and keep every gate. `LstmCell` has the equations.

    Args:
        x: The input, `(batch, time, input)`.
        weights: The weights of an LSTM, which `lstm_probe.weights` makes from a framework's arrays.
        cell: The options of the cell. The default is a Keras LSTM.
        initial_state: `(h, c)` of shapes `(batch, output)` and `(batch, units)`. The default is
            zeros.
        mask: `(batch, time)`. Where it is False the step is skipped and the states stay the same.
        dtype: float32 or float64. The default is that of the weights, but at least float32.
        reverse: Read from the last timestep to the first. The trace keeps the order of the input.

    Returns:
        A trace with `i f g o c h`. Each is `(batch, time, units)` of `dtype`. If the cell has a
        projection, the last axis of `h` has the size of its output.

    Raises:
        LstmProbeError: The shapes do not fit, or the weights belong to another cell.

    Source:
        keras/src/layers/rnn/lstm.py, `LSTMCell.call`.

    Example:
        >>> from lstm_probe import weights
        >>> rng = np.random.default_rng(0)
        >>> cell = weights.from_keras(rng.normal(size=(3, 8)), rng.normal(size=(2, 8)))
        >>> trace = lstm(rng.normal(size=(1, 5, 3)), cell)
        >>> trace.f.shape, bool(((trace.f > 0) & (trace.f < 1)).all())
        ((1, 5, 2), True)
    """
    return (cell or LstmCell()).run(
        x, weights, initial_state=initial_state, mask=mask, dtype=dtype, reverse=reverse
    )


def gru(
    x: npt.ArrayLike,
    weights: GateWeights,
    *,
    cell: GruCell | None = None,
    initial_state: Sequence[npt.ArrayLike] | None = None,
    mask: npt.ArrayLike | None = None,
    dtype: npt.DTypeLike | None = None,
    reverse: bool = False,
) -> GateTrace:
    """Run a GRU over a batch of sequences and keep every gate. `GruCell` has the equations.

    Args:
        x: The input, `(batch, time, input)`.
        weights: The weights of a GRU, which `lstm_probe.weights` makes from a framework's arrays.
        cell: The options of the cell. The default is a Keras GRU.
        initial_state: `(h,)`, a sequence of one array `(batch, units)`. The default is zeros.
        mask: `(batch, time)`. Where it is False the step is skipped and the state stays the same.
        dtype: float32 or float64. The default is that of the weights, but at least float32.
        reverse: Read from the last timestep to the first. The trace keeps the order of the input.

    Returns:
        A trace with `z r g h`. Each is `(batch, time, units)` of `dtype`.

    Raises:
        LstmProbeError: The shapes do not fit, or the weights belong to another cell.

    Source:
        keras/src/layers/rnn/gru.py, `GRUCell.call`.

    Example:
        >>> from lstm_probe import weights
        >>> rng = np.random.default_rng(0)
        >>> cell = weights.from_keras(rng.normal(size=(3, 6)), rng.normal(size=(2, 6)))
        >>> trace = gru(rng.normal(size=(1, 5, 3)), cell)
        >>> trace.z.shape, trace.letters
        ((1, 5, 2), ('z', 'r', 'g', 'h'))
    """
    return (cell or GruCell()).run(
        x, weights, initial_state=initial_state, mask=mask, dtype=dtype, reverse=reverse
    )


def simple_rnn(
    x: npt.ArrayLike,
    weights: GateWeights,
    *,
    cell: SimpleRnnCell | None = None,
    initial_state: Sequence[npt.ArrayLike] | None = None,
    mask: npt.ArrayLike | None = None,
    dtype: npt.DTypeLike | None = None,
    reverse: bool = False,
) -> GateTrace:
    """Run a simple recurrent network over a batch of sequences. `SimpleRnnCell` has the equation.

    Args:
        x: The input, `(batch, time, input)`.
        weights: The weights of a simple recurrent network, which `lstm_probe.weights` makes from a
            framework's arrays.
        cell: The option of the cell. The default is a Keras SimpleRNN.
        initial_state: `(h,)`, a sequence of one array `(batch, units)`. The default is zeros.
        mask: `(batch, time)`. Where it is False the step is skipped and the state stays the same.
        dtype: float32 or float64. The default is that of the weights, but at least float32.
        reverse: Read from the last timestep to the first. The trace keeps the order of the input.

    Returns:
        A trace with `h`, `(batch, time, units)` of `dtype`.

    Raises:
        LstmProbeError: The shapes do not fit, or the weights belong to another cell.

    Source:
        keras/src/layers/rnn/simple_rnn.py, `SimpleRNNCell.call`.

    Example:
        >>> from lstm_probe import weights
        >>> rng = np.random.default_rng(0)
        >>> cell = weights.from_keras(rng.normal(size=(3, 2)), rng.normal(size=(2, 2)))
        >>> simple_rnn(rng.normal(size=(1, 5, 3)), cell).h.shape
        (1, 5, 2)
    """
    return (cell or SimpleRnnCell()).run(
        x, weights, initial_state=initial_state, mask=mask, dtype=dtype, reverse=reverse
    )


def conv_lstm(
    x: npt.ArrayLike,
    weights: GateWeights,
    *,
    cell: ConvLstmCell | None = None,
    initial_state: Sequence[npt.ArrayLike] | None = None,
    mask: npt.ArrayLike | None = None,
    dtype: npt.DTypeLike | None = None,
    reverse: bool = False,
) -> GateTrace:
    """Run a convolutional LSTM over a batch of sequences of images and keep every gate.

    `ConvLstmCell` has the equations.

    Args:
        x: The images, `(batch, time, *space, channels)` or `(batch, time, channels, *space)`.
        weights: The weights of a ConvLSTM, which `lstm_probe.weights.from_keras` makes.
        cell: The options of the cell. Its `input_shape` is taken from `x`. The default is a Keras
            ConvLSTM.
        initial_state: `(h, c)`, each `(batch, *space, filters)` in the data format of `x`. The
            default is zeros.
        mask: `(batch, time)`. Where it is False the step is skipped and the states stay the same.
        dtype: float32 or float64. The default is that of the weights, but at least float32.
        reverse: Read from the last timestep to the first. The trace keeps the order of the input.

    Returns:
        A trace with `i f g o c h`. Each is `(batch, time, size)` of `dtype`, where `size` is the
        product of `cell.output_shape(weights)`.

    Raises:
        LstmProbeError: The shapes do not fit, or the weights belong to another cell.

    Source:
        keras/src/layers/rnn/conv_lstm.py, `ConvLSTMCell.call`.

    Example:
        >>> from lstm_probe import weights
        >>> rng = np.random.default_rng(0)
        >>> cell = weights.from_keras(rng.normal(size=(3, 1, 8)), rng.normal(size=(3, 2, 8)))
        >>> conv_lstm(rng.normal(size=(1, 5, 10, 1)), cell).f.shape
        (1, 5, 16)
    """
    x = np.asarray(x)
    cell = replace(cell or ConvLstmCell(), input_shape=x.shape[2:])
    if initial_state is not None:
        initial_state = [np.reshape(s, (len(np.asarray(s)), -1)) for s in initial_state]
    flat = x.reshape(*x.shape[:2], prod(x.shape[2:]))
    return cell.run(
        flat, weights, initial_state=initial_state, mask=mask, dtype=dtype, reverse=reverse
    )
