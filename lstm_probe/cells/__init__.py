"""The recurrent cells: a room for each, written to look like its equations."""

from lstm_probe.cells.base import Cell
from lstm_probe.cells.conv_lstm_cell.cell import ConvLstmCell
from lstm_probe.cells.custom import CustomCell, register_cell, registered_cell
from lstm_probe.cells.functions import conv_lstm, gru, lstm, simple_rnn
from lstm_probe.cells.gru_cell.cell import GruCell
from lstm_probe.cells.lstm_cell.cell import LstmCell
from lstm_probe.cells.networks import BothWays, bidirectional, stack
from lstm_probe.cells.simple_rnn_cell.cell import SimpleRnnCell

#: The letter of the gate that keeps the old state, by the name of the cell.
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
