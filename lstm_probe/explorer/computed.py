"""Curves over the training that no capture holds by itself: each row is computed from several."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import numpy as np

from lstm_probe.analysis.geometry.cka import similarity
from lstm_probe.core.arrays import Array, BoolArray
from lstm_probe.core.blas import on_one_blas_thread
from lstm_probe.logs.stored.format import Stored, evenly
from lstm_probe.logs.stored.precision import best_gate

__all__ = ["CKA", "EXPONENTS", "MOST_COMPARED", "cka_rows", "exponent_rows"]

#: The names of the curves, as the page asks for them.
CKA: Final = "cka"
EXPONENTS: Final = "exponents"
#: So many captures are compared at most, at about so many states, and in so many orders of the
#: sequences: less than a second for 64 units, and some seconds for the widest layers.
MOST_COMPARED: Final = 60
_STATES, _FEWEST_TIMESTEPS, _ORDERS = 512, 8, 19
_H: Final = "gates/h"


def cka_rows(captures: Iterable[tuple[int, Stored]], last: Stored) -> Iterator[tuple[int, Array]]:
    """How similar the states of each capture are to those of the last.

    Args:
        captures: each with its step.
        last: the one that all are compared with.

    Returns:
        For each capture of the same sequences and timesteps its step, and two numbers: the linear
        CKA, 0..1, and the largest that exchanged sequences give. NaN where there is none. Captures
        without `h` have no row.
    """
    if _H not in last.arrays:
        return
    then, valid = _states(last)
    for step, stored in captures:
        if _H not in stored.arrays:
            continue
        now, there = _states(stored)
        if now.shape[:2] != then.shape[:2] or not np.array_equal(valid, there):
            continue
        finite = all(np.isfinite(each[valid]).all() for each in (now, then)) and valid.any()
        found = _compared(now, then, valid) if finite else (None, None)
        yield step, np.array([np.nan if each is None else each for each in found])


def exponent_rows(
    findings: Iterable[tuple[int, Mapping[str, Any]]],
) -> Iterator[tuple[int, Array]]:
    """The Lyapunov exponents that the analyses found.

    Args:
        findings: what `read_findings` gives, each with its step.

    Returns:
        For each with exponents its step, and three numbers: the largest exponent, and the ends of
        its 95 % band. NaN for minus infinity.

    Example:
        >>> each = {"exponents": [-0.1, None], "low": [-0.2, None], "high": [0.0, None]}
        >>> found = {"findings": {"stability": {"exponents": each}}}
        >>> step, row = next(exponent_rows([(7, found)]))
        >>> row.tolist()
        [-0.1, -0.2, 0.0]
    """
    for step, found in findings:
        each = found["findings"].get("stability", {}).get("exponents", {})
        values, low, high = (each.get(name) or [] for name in ("exponents", "low", "high"))
        if values and low and high:
            yield step, np.array([values[0], low[0], high[0]], np.float64)


@on_one_blas_thread
def _compared(now: Array, then: Array, valid: BoolArray) -> tuple[float | None, float | None]:
    return similarity(now, then, valid, orders=_ORDERS)


def _states(stored: Stored) -> tuple[Array, Array]:
    """`h` in float64, and `(batch, time)`: which steps count."""
    h = best_gate(stored, "h").astype(np.float64)
    rows = evenly(h.shape[1], max(_FEWEST_TIMESTEPS, _STATES // len(h)))
    mask = stored.arrays.get("mask")
    valid = np.ones(h.shape[:2], bool) if mask is None else mask != 0
    return h[:, rows], valid[:, rows]
