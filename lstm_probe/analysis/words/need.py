"""What need and memory say, in sentences: each with its number and its evidence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lstm_probe.analysis.words.answers import Answer

__all__ = ["need_told"]


def need_told(found: Mapping[str, Any]) -> list[Answer]:
    """Of how far back the target reaches, and how far the network remembers.

    Args:
        found: as `Need.plain` gives it.

    Example:
        >>> found = {"missing": "", "lags": [0, 20], "need": 20, "explained": 0.94, "orders": 499,
        ...          "by_chance": 5.1, "strength": [30.0] + [0.0] * 19 + [80.0], "sequences": 32,
        ...          "horizon": 4.2, "reach": 9.0, "timesteps": 60, "forget_bias": 3.0,
        ...          "gains": [0.1] * 21}
        >>> for answer in need_told(found):
        ...     print(answer.text)
        To tell the target takes the input of 20 steps back: lags 0 and 20 explain 94 % of its \
variance in sequences that the regression has not seen (lag 20: 80 standard deviations above \
chance; by chance at most 5.1, in 499 orders of 32 sequences).
        The network remembers less than that: its longest memory is 4.2 steps and its gradient \
reaches 9 steps back. A bias of log(20) = 3.0 on the gate that keeps is long enough.
    """
    if found["missing"]:
        return [Answer(found["missing"], view="memory")]
    need, evidence = found["need"], _orders(found)
    if need is None:
        text = (
            "No lag of the input helps a linear regression to tell the target "
            f"({evidence}). What is not linear, such as parity, it does not see."
        )
        return [Answer(text, None, "memory")]
    lags = found["lags"]
    verb = "explains" if len(lags) == 1 else "explain"
    text = (
        f"To tell the target takes the input of {_steps_back(need)}: {_named(lags)} {verb} "
        f"{100 * found['explained']:.0f} % of its variance in sequences that the regression has "
        f"not seen (lag {need}: {found['strength'][need]:.3g} standard deviations above chance; "
        f"{evidence})."
    )
    return [Answer(text, float(need), "memory"), _memory(found)]


def _orders(found: Mapping[str, Any]) -> str:
    return (
        f"by chance at most {found['by_chance']:.2g}, in {found['orders']} orders of "
        f"{found['sequences']} sequences"
    )


def _steps_back(need: int) -> str:
    return "the same step" if not need else f"{need} step{'s' * (need != 1)} back"


def _named(lags: list[int]) -> str:
    """Some lags by their numbers; neighbours as ranges."""
    ranges: list[list[int]] = []
    for lag in lags:
        if ranges and lag == ranges[-1][-1] + 1:
            ranges[-1].append(lag)
        else:
            ranges.append([lag])
    names = [
        f"{each[0]} to {each[-1]}" if len(each) > 2 else " and ".join(map(str, each))
        for each in ranges
    ]
    word = "lag" if len(lags) == 1 else "lags"
    listed = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
    return f"{word} {listed}"


def _memory(found: Mapping[str, Any]) -> Answer:
    horizon, reach, need = found["horizon"], found["reach"], found["need"]
    kept = float("inf") if horizon == "infinity" else horizon
    known = [each for each in (kept, reach) if each is not None]
    if not known:
        return Answer("How far the network remembers is not known for this cell.", view="memory")
    longest = max(known)
    memory = None if kept is None else f"its longest memory is {_horizon(kept)}"
    gradient = None if reach is None else f"its gradient reaches {reach:.3g} steps back"
    both = " and ".join(filter(None, [memory, gradient]))
    if longest < need:
        advice = ""
        if kept is not None and found["forget_bias"] is not None:
            bias = found["forget_bias"]
            advice = f" A bias of log({need}) = {bias:.1f} on the gate that keeps is long enough."
        text = f"The network remembers less than that: {both}.{advice}"
    elif min(known) >= need:
        text = f"The network remembers that far: {both}."
    elif kept == longest:
        text = f"The network remembers that far, and training does not see it: {both}."
    else:
        text = f"The gradient of the network reaches that far, its gates alone do not: {both}."
    return Answer(text, longest, "memory")


def _horizon(steps: float) -> str:
    return "without end" if steps == float("inf") else f"{steps:.3g} steps"
