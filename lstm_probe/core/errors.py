"""The one error class of lstm_probe."""

from __future__ import annotations

__all__ = ["LstmProbeError"]


class LstmProbeError(ValueError):
    """Something the user gave cannot be used.

    Every message says what was received, what was expected and how to mend it. It is raised while
    a probe is being set up, never after training has begun.

    Example:
        >>> issubclass(LstmProbeError, ValueError)
        True
    """
