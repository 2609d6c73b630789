"""The recurrences, one file per cell, written to look like the equations."""

from lstm_probe.cells.base import Cell
from lstm_probe.cells.conv_lstm.cell import ConvLstmCell, conv_lstm
from lstm_probe.cells.custom import CustomCell, register_cell, registered_cell
from lstm_probe.cells.gru.cell import GruCell, gru
from lstm_probe.cells.lstm.cell import LstmCell, lstm
from lstm_probe.cells.simple_rnn.cell import SimpleRnnCell, simple_rnn

__all__ = [
    "Cell",
    "ConvLstmCell",
    "CustomCell",
    "GruCell",
    "LstmCell",
    "SimpleRnnCell",
    "conv_lstm",
    "gru",
    "lstm",
    "register_cell",
    "registered_cell",
    "simple_rnn",
]
