"""The convolutional LSTM."""

from lstm_probe.cells.conv_lstm.cell import ConvLstmCell, conv_lstm

__all__ = ["ConvLstmCell", "conv_lstm"]
