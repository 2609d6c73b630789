"""The LSTM, with everything that was ever added to it."""

from lstm_probe.cells.lstm.cell import LstmCell, lstm

__all__ = ["LstmCell", "lstm"]
