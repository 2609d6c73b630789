"""Which units stand out by their effects from all others."""

from __future__ import annotations

import numpy as np

from lstm_probe.core.arrays import Array

__all__ = ["standing_out"]

#: How many times the largest effect of all others each effect must be. Of 2,000 random networks of
#: 4 to 32 units (LSTM, GRU and SimpleRNN) 4 have a unit that is named by that:
#: `tests/analysis/test_ablation.py` draws some of them anew.
_FACTOR = 10.0


def standing_out(effects: Array) -> tuple[int, ...]:
    """The few units whose effects are several times those of all others.

    Args:
        effects: `(units,)`, 0 or more.

    Returns:
        At most a quarter of the units, and at least one of two; the largest effect first. None
        if the effects have no such gap between them, or are not finite.

    Example:
        >>> standing_out(np.array([0.1, 3.0, 0.2, 0.1]))
        (1,)
        >>> standing_out(np.array([0.1, 0.3, 0.2, 0.1]))
        ()
    """
    if len(effects) < 2 or not np.isfinite(effects).all():
        return ()
    order = np.argsort(-effects, kind="stable")
    ranked = effects[order]
    for count in range(max(1, len(effects) // 4), 0, -1):
        if ranked[count - 1] > 0 and ranked[count - 1] >= _FACTOR * ranked[count]:
            return tuple(int(each) for each in order[:count])
    return ()
