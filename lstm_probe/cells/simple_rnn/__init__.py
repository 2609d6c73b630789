"""The simple recurrent network."""

from lstm_probe.cells.simple_rnn.cell import SimpleRnnCell, simple_rnn

__all__ = ["SimpleRnnCell", "simple_rnn"]
