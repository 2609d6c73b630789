"""Logs as labelled data: npz, netCDF, CSV, Parquet."""

from lstm_probe.logs.export.captures import Series, series_of
from lstm_probe.logs.export.writers import ENDINGS, export

__all__ = ["ENDINGS", "Series", "export", "series_of"]
