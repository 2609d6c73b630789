"""The GRU."""

from lstm_probe.cells.gru.cell import GruCell, gru

__all__ = ["GruCell", "gru"]
