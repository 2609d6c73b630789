"""What the fixed points of a network say, in sentences: each with its number and its evidence."""

from __future__ import annotations

from collections.abc import Mapping
from math import log
from typing import Any

import numpy as np

from lstm_probe.analysis.words.answers import Answer
from lstm_probe.analysis.words.numbers import counted

__all__ = ["points_told"]


def points_told(found: Mapping[str, Any]) -> list[Answer]:
    """Of the fixed points.

    Args:
        found: as `FixedPoints.plain` gives it.

    Example:
        >>> found = {"missing": "", "kinds": ["stable"], "speeds": [1e-12], "starts": 96,
        ...          "eigenvalues": [[[0.5, 0.0]]], "reached": [16], "left": 16, "restless": 0,
        ...          "periods": [], "tolerance": 1e-10}
        >>> for answer in points_told(found):
        ...     print(answer.text)
        With its input at rest the network has 1 fixed point near the probe's trajectory (1 \
stable; from 96 starts, a step moves it by at most 1e-12).
        Left to itself from 16 states of the probe, it ends at stable point 0 from 16.
        The slowest direction at stable point 0 fades to 1/e within 1.44 steps (eigenvalue 0.5).
    """
    if found["missing"]:
        return [Answer(found["missing"], view="gradient")]
    kinds = found["kinds"]
    said = [_points(found)]
    if found["left"]:
        said.append(_ends(found))
    held = [k for k, kind in enumerate(kinds) if kind == "stable" and found["reached"][k]]
    if held:
        said.append(_slowest(found, max(held, key=lambda k: _size_of(found, k))))
    return said


def _points(found: Mapping[str, Any]) -> Answer:
    kinds, speeds = found["kinds"], found["speeds"]
    fixed = [speed for kind, speed in zip(kinds, speeds, strict=True) if kind != "slow"]
    slow = [speed for kind, speed in zip(kinds, speeds, strict=True) if kind == "slow"]
    starts = f"from {found['starts']} starts"
    if not kinds:
        text = (
            "With its input at rest the network has no fixed point near the probe's trajectory, "
            f"and no state at which it slows down ({starts}, tolerance {found['tolerance']:.0e})."
        )
        return Answer(text, 0, "gradient")
    parts = []
    if fixed:
        counts = [(kinds.count(kind), kind) for kind in ("stable", "marginal", "unstable")]
        which = ", ".join(f"{count} {kind}" for count, kind in counts if count)
        them = "it" if len(fixed) == 1 else "them"
        parts.append(
            f"{counted(len(fixed), 'fixed point')} near the probe's trajectory ({which}; {starts}, "
            f"a step moves {them} by at most {max(fixed):.1g})"
        )
    if slow:
        near = "" if fixed else " near the probe's trajectory"
        parts.append(
            f"{counted(len(slow), 'slow point')}{near}, which a step moves by {min(slow):.1g} to "
            f"{max(slow):.1g}" + ("" if fixed else f" ({starts})")
        )
    text = f"With its input at rest the network has {' and '.join(parts)}."
    return Answer(text, len(fixed), "gradient")


def _ends(found: Mapping[str, Any]) -> Answer:
    left, reached = found["left"], found["reached"]
    places = [f"at {_name(found, k)} from {count}" for k, count in enumerate(reached) if count]
    if len(places) > 4:
        places = [f"at {len(places)} different points from {sum(reached)}"]
    restless = found["restless"]
    if restless:
        periods = found["periods"]
        turning = f" (going round once in {np.median(periods):.3g} steps)" if periods else ""
        places.append(f"nowhere from {restless}{turning}")
    if not places:
        places = ["at no point that was found from any"]
    text = f"Left to itself from {left} states of the probe, it ends {', '.join(places)}."
    return Answer(text, sum(reached), "gradient")


def _name(found: Mapping[str, Any], k: int) -> str:
    return f"{found['kinds'][k]} point {k}"


def _slowest(found: Mapping[str, Any], k: int) -> Answer:
    real, imaginary = found["eigenvalues"][k][0]
    size = _size_of(found, k)
    if size == 0:
        text = f"At {_name(found, k)} one step forgets everything (all eigenvalues are 0)."
        return Answer(text, 0.0, "memory")
    fades = -1 / log(size) if size < 1 else float("inf")
    angle = abs(float(np.arctan2(imaginary, real)))
    turning = f", turning once in {2 * np.pi / angle:.3g} steps" if imaginary else ""
    value = f"{size:.4g} in absolute value" if imaginary else f"{real:.4g}"
    text = (
        f"The slowest direction at {_name(found, k)} fades to 1/e within {fades:.3g} steps"
        f"{turning} (eigenvalue {value})."
    )
    return Answer(text, fades, "memory")


def _size_of(found: Mapping[str, Any], k: int) -> float:
    """The largest absolute eigenvalue at a point."""
    return float(np.hypot(*found["eigenvalues"][k][0]))
