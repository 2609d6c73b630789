"""The version of lstm_probe, in one place."""

__version__ = "0.1.0"
