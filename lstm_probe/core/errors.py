"""The error class of lstm_probe."""

from __future__ import annotations

__all__ = ["LstmProbeError"]


class LstmProbeError(ValueError):
    """The error for something that the user passed and that cannot be used.

    Each message says what was received, what was expected and how to mend it. The error is raised
    while a probe is set up, and never after training has begun.

    Example:
        >>> issubclass(LstmProbeError, ValueError)
        True
    """
