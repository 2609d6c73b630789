"""Arrays to pixels to PNG, and figures for paper and notebook.

`pictures.figure` is imported on its own: the painter of pictures has no need of figures.
"""

from lstm_probe.pictures.heatmap import HeatmapPainter
from lstm_probe.pictures.png import Png
from lstm_probe.pictures.scale import Scale

__all__ = ["HeatmapPainter", "Png", "Scale"]
