"""What the stability of a network says, in sentences: each with its number and its evidence.

Each function takes the plain form of a result, so that a log or a page can word what it holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import exp, log
from typing import Any

import numpy as np

from lstm_probe.analysis.words.answers import Answer

__all__ = ["exponents_told", "spectrum_told", "structures_told"]

#: The view of the explorer in which a structure is looked for.
_VIEWS = {
    "latch": "memory",
    "line": "memory",
    "slow": "memory",
    "oscillator": "gates",
    "ringing": "gates",
    "chaos": "gradient",
}


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


def structures_told(found: Mapping[str, Any]) -> list[Answer]:
    """Of what the fixed points and exponents amount to.

    Args:
        found: as `Stability.plain` gives it.

    Example:
        >>> found = {"points": {"timesteps": 40, "reached": [16], "left": 16, "restless": 0},
        ...          "structures": [{"kind": "slow", "value": 99.5, "points": [0]}]}
        >>> print(structures_told(found)[0].text)
        A direction of the state fades so slowly that it outlasts the probe: to 1/e within 99.5 \
steps, where the probe has 40.
    """
    texts = [_structure(each, found["points"]) for each in found["structures"]]
    return [
        Answer(text, each["value"], _VIEWS[each["kind"]])
        for text, each in zip(texts, found["structures"], strict=True)
    ]


def _structure(found: Mapping[str, Any], points: Mapping[str, Any]) -> str:
    kind, value, steps = found["kind"], found["value"], points["timesteps"]
    left = f"{points['left']} states of the probe"
    if kind == "latch":
        ends = " and ".join(str(points["reached"][k]) for k in found["points"])
        return (
            f"The network is a latch: with its input at rest it stays at one of {value:.0f} stable "
            f"states ({ends} of {left} end there)."
        )
    if kind == "line":
        count = len(found["points"])
        return (
            "The network holds a value: along one direction its state stays where it is "
            f"(eigenvalue {value:.6g} at {count} point{'s' * (count != 1)}, for a probe of {steps} "
            "steps)."
        )
    if kind == "slow":
        return (
            "A direction of the state fades so slowly that it outlasts the probe: to 1/e within "
            f"{value:.3g} steps, where the probe has {steps}."
        )
    if kind == "oscillator":
        return (
            "The network oscillates: with its input at rest it goes round once in "
            f"{value:.3g} steps and never stops (from {points['restless']} of {left})."
        )
    if kind == "ringing":
        return (
            f"The network rings: a change goes round once in {value:.3g} steps and outlasts the "
            f"probe of {steps} steps."
        )
    return (
        "The network is chaotic on this probe: its state stays within bounds, and small changes of "
        f"it grow by the factor {exp(value):.3g} a step (largest Lyapunov exponent {value:.3g})."
    )
