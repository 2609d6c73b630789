"""The recurrences, one file per cell, written to look like the equations."""

from lstm_probe.cells.base import Cell
from lstm_probe.cells.lstm import LstmCell, lstm

__all__ = ["Cell", "LstmCell", "lstm"]
