"""What a comparison of units with series says, in sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from lstm_probe.analysis.words.answers import Answer
from lstm_probe.analysis.words.numbers import counted, short, units_named

__all__ = ["told"]

#: At most this many units have a sentence on what of the input they follow.
_MOST = 4
#: A unit of which the step explains as much does the same in all sequences.
_ALIKE = 0.9


def told(found: Mapping[str, Any]) -> list[Answer]:
    """The sentences of a comparison.

    Args:
        found: as `Tracking.plain` gives it.

    Returns:
        A sentence on what is missing, if something is; one for each of the user's series; and one
        for each of a few units that follow something of the input.
    """
    missing = _missing(found)
    if missing is not None:
        return [missing, *_alike(found)]
    labels = [k for k, family in enumerate(found["families"]) if family == "label"]
    said = [_of_label(found, k) for k in labels]
    known = {answer.unit for answer in said}
    return [*said, *_of_inputs(found, known), *_alike(found)]


def _missing(found: Mapping[str, Any]) -> Answer | None:
    sequences, least = found["sequences"], found["least_sequences"]
    if sequences == 1:
        return Answer(
            "There is one sequence: whether a unit follows a series cannot be checked on others. "
            f"Probe at least {least}.",
            sequences,
        )
    if sequences < least:
        return Answer(
            f"With {sequences} sequences chance cannot be told from tracking: there are too few "
            f"orders of them to shuffle. Probe at least {least}.",
            sequences,
        )
    return None


def _of_label(found: Mapping[str, Any], k: int) -> Answer:
    name, word = found["names"][k], found["word"]
    if name in found["untested"]:
        return Answer(f"No {word} can be said to follow {name}: {found['untested'][name]}.")
    r2, units = np.asarray(found["r2"])[:, k], found["named"].get(name, ())
    if units:
        return _follows(found, units[0], k, units)
    together = found["together"].get(name)
    if together is not None and together["named"]:
        return Answer(
            f"No single {word} follows {name}, but all {len(r2)} together tell it: R² "
            f"{short(together['r2'])} in sequences left out (shuffles reach "
            f"{short(together['chance'])}).",
            together["r2"],
        )
    if not np.isfinite(r2).any():
        return Answer(f"No {word} follows {name}: all of them do the same in every sequence.")
    best = int(np.nanargmax(r2))
    square, chance = float(np.asarray(found["correlation"])[best, k] ** 2), found["chance"]["label"]
    how = "closely" if square > chance else "beyond chance"
    return Answer(
        f"No {word} follows {name} {how}: the best, {word} {best}, has R² "
        f"{short(float(r2[best]))} in sequences left out, and a squared correlation of "
        f"{short(square)}, where shuffles reach {short(chance)}.",
        float(r2[best]),
    )


def _follows(found: Mapping[str, Any], unit: int, k: int, units: tuple[int, ...] = ()) -> Answer:
    name, word, family = found["names"][k], found["word"], found["families"][k]
    r2 = float(np.asarray(found["r2"])[unit, k])
    falls = float(np.asarray(found["correlation"])[unit, k]) < 0
    area = float(np.asarray(found["area"])[unit, k])
    evidence = f"R² {short(r2)} in sequences left out"
    evidence += "" if np.isnan(area) else f", area under the curve {max(area, 1 - area):.2f}"
    evidence += f"; {counted(found['shuffles'], 'shuffle')} reach {short(found['chance'][family])}"
    others = f"; so do {len(units) - 1} others" if len(units) > 2 else ""
    others = f"; so does {word} {units[1]}" if len(units) == 2 else others
    text = f"{word.capitalize()} {unit} follows {name}{', with its sign turned' * falls}{others}"
    return Answer(f"{text} ({evidence}).", r2, unit=unit)


def _of_inputs(found: Mapping[str, Any], known: set[int | None]) -> list[Answer]:
    """What of the input some units follow, each said once: those that do so best, without those of
    which it is known what they follow."""
    r2, p = np.nan_to_num(np.asarray(found["r2"]), nan=-1.0), found["named"]
    best: list[tuple[float, int, int]] = []
    for k, (name, family) in enumerate(zip(found["names"], found["families"], strict=True)):
        if family == "input" and name in p:
            best += [(float(r2[unit, k]), unit, k) for unit in p[name] if unit not in known]
    said: dict[int, Answer] = {}
    series: set[int] = set()
    for _, unit, k in sorted(best, key=lambda each: -each[0]):
        if unit not in said and k not in series and len(said) < _MOST:
            said[unit] = _follows(found, unit, k)
            series.add(k)
    return list(said.values())


def _alike(found: Mapping[str, Any]) -> list[Answer]:
    by_step = np.nan_to_num(np.asarray(found["by_step"]), nan=0.0)
    alike = np.flatnonzero(by_step >= _ALIKE).tolist()
    if not alike:
        return []
    word, few = found["word"], len(alike) <= 6
    who = (
        units_named(alike, word).capitalize() if few else f"{len(alike)} of {len(by_step)} {word}s"
    )
    verb = "does" if len(alike) == 1 else "do"
    return [
        Answer(
            f"{who} {verb} nearly the same in every sequence: the step alone explains at least "
            f"{short(float(by_step[alike].min()))} of the variance.",
            float(by_step[alike].min()),
            unit=alike[0] if len(alike) == 1 else None,
        )
    ]
