"""The switch that turns every callback and hook into nothing."""

from __future__ import annotations

import os
from typing import Final

__all__ = ["is_switched_on"]

#: The environment variable, and what it may hold to switch the probe off.
VARIABLE: Final = "LSTM_PROBE"
_OFF: Final = ("off", "0", "false", "no")


def is_switched_on(enabled: bool = True) -> bool:
    """Whether a callback or hook is to do anything.

    Args:
        enabled: what its user has chosen in the program. `LSTM_PROBE=off` in the environment
            switches off all of them, whatever the programs say.

    Example:
        >>> is_switched_on(False)
        False
    """
    return bool(enabled) and os.environ.get(VARIABLE, "").strip().lower() not in _OFF
