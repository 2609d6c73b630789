"""Backpropagation through time in NumPy: the recurrences of `lstm_probe.cells`, the other way.

Source: Werbos 1990, "Backpropagation through time: what it does and how to do it".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lstm_probe.cells import Cell, ConvLstmCell, GruCell, LstmCell, SimpleRnnCell
from lstm_probe.cells.conv_lstm.backward import walk_conv_lstm
from lstm_probe.cells.gru.backward import walk_gru
from lstm_probe.cells.lstm.backward import walk_lstm
from lstm_probe.cells.lstm.backward_variants import walk_lstm_variant
from lstm_probe.cells.shared.run import Run, Walk
from lstm_probe.cells.simple_rnn.backward import walk_simple_rnn
from lstm_probe.core.arrays import Array
from lstm_probe.core.derivatives import COUPLED
from lstm_probe.weights import CellWeights

__all__ = ["Run", "Walk", "can_walk", "walk_back", "walks_in_float32"]


def can_walk(cell: Cell[Any] | None) -> bool:
    """Whether gradients through this cell are known: not those through a cell of the user's own,
    whose equations are known but not their derivatives, nor through activations such as `softmax`,
    of which each value depends on all units.

    Example:
        >>> can_walk(GruCell()), can_walk(GruCell("softmax"))
        (True, False)
    """
    if not isinstance(cell, LstmCell | ConvLstmCell | GruCell | SimpleRnnCell):
        return False
    names = (cell.activation, getattr(cell, "recurrent_activation", "sigmoid"))
    return not any(isinstance(name, str) and name in COUPLED for name in names)


def walks_in_float32(cell: Cell[Any] | None, weights: CellWeights) -> bool:
    """Whether gradients through this cell may be taken in float32, which halves what the products
    of each step have to read.

    Example:
        >>> walks_in_float32(GruCell(), None)
        False
    """
    return isinstance(cell, LstmCell) and not cell.is_variant(weights)  # type: ignore[arg-type]


def walk_back(run: Run, seeds: Mapping[str, Array]) -> Walk:
    """Take gradients back through a sequence.

    Args:
        run: of a cell for which `can_walk` is true; in float64, or one that `walks_in_float32`.
        seeds: by letter of the states, `(time, K, batch, units)`, or `(1, K, batch, units)` for
            the last step alone: the targets' gradients by what they read directly.
    """
    if isinstance(run.cell, ConvLstmCell):
        return walk_conv_lstm(run, run.cell, seeds)
    if isinstance(run.cell, LstmCell):
        if run.cell.is_variant(run.weights):  # type: ignore[arg-type]
            return walk_lstm_variant(run, run.cell, seeds)
        return walk_lstm(run, run.cell, seeds)
    if isinstance(run.cell, GruCell):
        return walk_gru(run, run.cell, seeds["h"])
    assert isinstance(run.cell, SimpleRnnCell)
    return walk_simple_rnn(run, run.cell, seeds["h"])
