"""Which units, timesteps and sequences a stored capture holds."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from lstm_probe.logs.stored.format import Stored

__all__ = ["place_of", "unit_indices"]


def unit_indices(stored: Stored, letter: str) -> npt.NDArray[Any]:
    """The original index of each unit of a gate; a projected h has units of its own.

    Example:
        >>> unit_indices(Stored({"gates/f": np.zeros((1, 2, 3))}, {}), "f").tolist()
        [0, 1, 2]
    """
    width = stored.arrays[f"gates/{letter}"].shape[-1]
    own = stored.arrays.get("units/h") if letter == "h" else None
    kept = stored.arrays.get("units") if own is None else own
    return np.arange(width) if kept is None or len(kept) != width else kept


def place_of(
    stored: Stored, letter: str, cell: tuple[int, int, int]
) -> tuple[int, int, int] | None:
    """Where a sequence, timestep and unit lie in a gate; None if they were not kept.

    Example:
        >>> stored = Stored({"gates/f": np.zeros((1, 2, 1)), "units": np.array([7])}, {})
        >>> place_of(stored, "f", (0, 1, 7)), place_of(stored, "f", (0, 1, 0))
        ((0, 1, 0), None)
    """
    batch, time, _ = stored.arrays[f"gates/{letter}"].shape
    indices = (
        stored.arrays.get("sequences", np.arange(batch)),
        stored.arrays.get("timesteps", np.arange(time)),
        unit_indices(stored, letter),
    )
    found = [np.flatnonzero(own == index) for own, index in zip(indices, cell, strict=True)]
    if not all(each.size for each in found):
        return None
    return int(found[0][0]), int(found[1][0]), int(found[2][0])
