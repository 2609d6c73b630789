"""The recurrences: a room for each cell, written to look like its equations."""

from lstm_probe.cells.base import Cell
from lstm_probe.cells.conv_lstm.cell import ConvLstmCell, conv_lstm
from lstm_probe.cells.custom import CustomCell, register_cell, registered_cell
from lstm_probe.cells.gru.cell import GruCell, gru
from lstm_probe.cells.lstm.cell import LstmCell, lstm
from lstm_probe.cells.networks import BothWays, bidirectional, stack
from lstm_probe.cells.simple_rnn.cell import SimpleRnnCell, simple_rnn

#: The gate that keeps the old state, by the cell's name.
KEEPERS = {kind.name: kind.keeper for kind in (ConvLstmCell, GruCell, LstmCell, SimpleRnnCell)}

__all__ = [
    "KEEPERS",
    "BothWays",
    "Cell",
    "ConvLstmCell",
    "CustomCell",
    "GruCell",
    "LstmCell",
    "SimpleRnnCell",
    "bidirectional",
    "conv_lstm",
    "gru",
    "lstm",
    "register_cell",
    "registered_cell",
    "simple_rnn",
    "stack",
]
