"""What the stability of a network says, in sentences: each with its number and its evidence.

Each function takes the plain form of a result, so that a log or a page can word what it holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import log
from typing import Any

import numpy as np

from lstm_probe.analysis.words.answers import Answer

__all__ = ["exponents_told", "spectrum_told"]


def spectrum_told(found: Mapping[str, Any]) -> list[Answer]:
    """Of the spectrum of the Jacobian along the probe.

    Args:
        found: as `JacobianSpectrum.plain` gives it.

    Example:
        >>> found = {"missing": "", "places": [[0, 0]], "eigenvalues": [[[0.5, 0.0]]],
        ...          "stretch": [0.6], "steps": 1}
        >>> for answer in spectrum_told(found):
        ...     print(answer.text)
        The Jacobian of a step has a spectral radius of 0.5 in the median (0.5 to 0.5 over 1 step \
of the probe); it is above 1 at 0 of them.
        One step stretches a small change of the state at most 0.6 times (the largest singular \
value over 1 step of the probe).
    """
    if found["missing"]:
        return [Answer(found["missing"], view="gradient")]
    values = np.asarray(found["eigenvalues"])
    radius = np.hypot(values[..., 0], values[..., 1]).max(axis=1)
    looked = _looked(len(radius), found["steps"])
    median, most = float(np.median(radius)), max(found["stretch"])
    return [
        Answer(
            f"The Jacobian of a step has a spectral radius of {median:.3g} in the median "
            f"({radius.min():.3g} to {radius.max():.3g} over {looked} of the probe); it is above 1 "
            f"at {int((radius > 1).sum())} of them.",
            median,
            "gradient",
        ),
        Answer(
            f"One step stretches a small change of the state at most {most:.3g} times (the largest "
            f"singular value over {looked} of the probe).",
            most,
            "gradient",
        ),
    ]


def _looked(count: int, steps: int) -> str:
    if count < steps:
        return f"{count} of {steps} steps"
    return f"all {steps} steps" if steps > 1 else "1 step"


def exponents_told(found: Mapping[str, Any]) -> list[Answer]:
    """Of the Lyapunov exponents.

    Args:
        found: as `Lyapunov.plain` gives it.

    Example:
        >>> found = {"missing": "", "exponents": [-0.693], "low": [-0.7], "high": [-0.68],
        ...          "verdict": "contracting", "stretches": 20, "steps": 5, "burn_in": 10}
        >>> print(exponents_told(found)[0].text)
        Small changes of the state die out: the largest Lyapunov exponent is -0.693 a step (95 % \
band -0.7 to -0.68, from 20 stretches of 5 steps after 10 steps of burn-in), so a change is halved \
every 1 steps.
    """
    if found["missing"]:
        return [Answer(found["missing"], view="gradient")]
    evidence = (
        f"from {found['stretches']} stretches of {found['steps']} steps after {found['burn_in']} "
        "steps of burn-in"
    )
    largest = found["exponents"][0]
    if largest is None:
        text = (
            "In the end nothing is left of a small change of the state: the Lyapunov exponents are "
            f"minus infinity ({evidence})."
        )
        return [Answer(text, view="gradient")]
    band = f"95 % band {found['low'][0]:.3g} to {found['high'][0]:.3g}, {evidence}"
    number = f"the largest Lyapunov exponent is {largest:.3g} a step ({band})"
    if found["verdict"] == "expanding":
        says = f"grow: {number}, so a change doubles every {log(2) / largest:.3g}"
    elif found["verdict"] == "contracting":
        says = f"die out: {number}, so a change is halved every {-log(2) / largest:.3g}"
    else:
        text = f"Small changes of the state neither surely grow nor surely die out: {number}."
        return [Answer(text, largest, "gradient")]
    return [Answer(f"Small changes of the state {says} steps.", largest, "gradient")]
