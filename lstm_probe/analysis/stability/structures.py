"""What fixed points and exponents amount to: a latch, a line that holds, an oscillator, chaos."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from lstm_probe.analysis.stability.fixed_points import FixedPoints
from lstm_probe.analysis.stability.lyapunov import Lyapunov
from lstm_probe.core.arrays import Array

__all__ = ["Structure", "structures_of"]

#: A direction holds where it fades by less than a tenth over so many lengths of the probe.
_HOLDS = 10.0
#: A probe of fewer steps is no measure of a memory: this is then.
_SHORTEST = 10
#: An eigenvalue turns where its angle is at least this, in radians.
_TURNS = 1e-3
#: States of a latch are at least this part of the size of the trajectory apart.
_APART = 0.1


@dataclass(frozen=True)
class Structure:
    """Something that a network does with its state, as its fixed points and exponents show.

    Attributes:
        kind: `latch` (rests at one of several points), `line` (holds any value along a direction),
            `slow` (a direction that outlasts the probe), `oscillator` (goes round for ever),
            `ringing` (goes round and outlasts the probe), or `chaos`.
        value: of a latch how many points, of a line its eigenvalue, of a slow direction the steps
            after which it has faded to 1/e, of an oscillator and of ringing the steps of a turn, of
            chaos the largest exponent.
        points: the numbers of the fixed or slow points that show it; empty for chaos.
        direction: `(whole,)`, the unit vector along which the first of the points is held or fades
            most slowly; None where there is no single one.

    Example:
        >>> Structure("oscillator", 11.0, (0,)).plain()["kind"]
        'oscillator'
    """

    kind: str
    value: float
    points: tuple[int, ...]
    direction: Array | None = None

    def plain(self) -> dict[str, Any]:
        """The attributes by name, for JSON."""
        direction = None if self.direction is None else self.direction.tolist()
        return {**vars(self), "points": list(self.points), "direction": direction}


def structures_of(
    points: FixedPoints, exponents: Lyapunov, directions: Array, *, bounded: bool
) -> tuple[Structure, ...]:
    """Name what the fixed points and the exponents show.

    Args:
        points: the fixed points.
        exponents: the Lyapunov exponents along the probe.
        directions: `(points, whole)`, complex: the right eigenvector of the first eigenvalue.
        bounded: whether the state stays within bounds along the probe.

    Returns:
        The structures; empty for a network that forgets.
    """
    if points.missing:
        return ()
    found = [
        _latch(points),
        *_lasting(points, directions),
        _oscillator(points, exponents),
        _chaos(exponents) if bounded else None,
    ]
    return tuple(each for each in found if each is not None)


def _latch(points: FixedPoints) -> Structure | None:
    chosen: list[int] = []
    for k, kind in enumerate(points.kinds):
        # A counter that leaks may have two ends, too, but takes longer to get there than the probe.
        slow = points.time_constants[k, 0] >= _length(points)
        if kind != "stable" or not points.reached[k] or slow:
            continue
        gaps = np.linalg.norm(points.states[chosen] - points.states[k], axis=1)
        if (gaps >= _APART * points.size).all():
            chosen.append(k)
    return Structure("latch", float(len(chosen)), tuple(chosen)) if len(chosen) > 1 else None


def _length(points: FixedPoints) -> int:
    """The length that memories are measured against: that of the probe, if it has any."""
    return max(_SHORTEST, points.timesteps)


def _holds(points: FixedPoints, k: int) -> bool:
    """Whether the first eigenvalue at a point is on the unit circle, as far as the probe tells."""
    return bool(abs(np.abs(points.eigenvalues[k, 0]) - 1) <= 1 / (_HOLDS * _length(points)))


def _lasting(points: FixedPoints, directions: Array) -> list[Structure]:
    """Lines, slow directions and ringing: the first eigenvalue at each point."""
    kinds: dict[str, list[int]] = {}
    for k, kind in enumerate(points.kinds):
        turns = abs(np.angle(points.eigenvalues[k, 0])) >= _TURNS
        lasts = points.time_constants[k, 0] >= _length(points)
        if _holds(points, k):
            kinds.setdefault("ringing" if turns else "line", []).append(k)
        elif kind == "stable" and points.reached[k] and lasts:
            kinds.setdefault("ringing" if turns else "slow", []).append(k)
    found = []
    for kind, members in kinds.items():
        first = members[0]
        value = {
            "line": float(points.eigenvalues[first, 0].real),
            "slow": float(points.time_constants[first, 0]),
            "ringing": float(2 * np.pi / max(abs(np.angle(points.eigenvalues[first, 0])), _TURNS)),
        }[kind]
        direction = directions[first].real if kind != "ringing" else None
        found.append(Structure(kind, value, tuple(members), direction))
    return found


def _oscillator(points: FixedPoints, exponents: Lyapunov) -> Structure | None:
    """What never comes to rest and goes round, unless it is chaos that does so."""
    if exponents.verdict == "expanding" or 2 * len(points.periods) <= points.restless:
        return None
    around = [
        k
        for k, kind in enumerate(points.kinds)
        if kind == "unstable" and abs(np.angle(points.eigenvalues[k, 0])) >= _TURNS
    ]
    return Structure("oscillator", float(np.median(points.periods)), tuple(around))


def _chaos(exponents: Lyapunov) -> Structure | None:
    if exponents.verdict != "expanding":
        return None
    return Structure("chaos", float(exponents.exponents[0]), ())
