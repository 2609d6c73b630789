"""Arrays to pixels to PNG, and figures for paper and notebook.

`render.figure` is imported on its own: the painter of pictures has no need of figures.
"""

from lstm_probe.render.heatmap import HeatmapPainter
from lstm_probe.render.png import Png
from lstm_probe.render.scale import Scale

__all__ = ["HeatmapPainter", "Png", "Scale"]
