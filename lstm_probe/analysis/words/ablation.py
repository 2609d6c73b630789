"""What an ablation says, in sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from lstm_probe.analysis.words.answers import Answer
from lstm_probe.analysis.words.numbers import counted, short, units_named

__all__ = ["told"]

#: Up to so many units are listed by their numbers.
_FEW = 6


def told(found: Mapping[str, Any]) -> list[Answer]:
    """The sentences of an ablation.

    Args:
        found: as `Ablation.plain` gives it.

    Returns:
        One sentence for each of the two clamps, and one on units that change nothing.
    """
    mean, zero = (found[clamp]["named"] for clamp in ("at_mean", "at_zero"))
    if mean or zero:
        clamps = [_of_clamp(found, "at_mean", "its mean"), _of_clamp(found, "at_zero", "zero")]
    else:
        clamps = [_of_clamp(found, "at_mean", "its mean or at zero")]
    return [*clamps, *_inert(found)]


def _of_clamp(found: Mapping[str, Any], clamp: str, value: str) -> Answer:
    effects, word, array = found[clamp], found["word"], found["array"]
    ranked, named = np.asarray(effects["ranked_by"]), effects["named"]
    held = f"held at {value}" if array is None else f"with its {array} held at {value}"
    first = int(ranked.argmax())
    if len(ranked) < 2:
        return Answer(f"There is one {word}, and no other to compare it with.", float(ranked[0]))
    if not np.isfinite(ranked).all():
        return Answer(f"Where a {word} is {held}, the states become NaN or infinite.")
    second, beyond = (float(each) for each in np.sort(ranked)[::-1][[1, len(named) or 1]])
    if not named:
        text = (
            f"No {word} stands out, {held}: without {word} {first} {_change(found, effects)}, "
            f"without the next by {short(second)}."
        )
    elif len(named) == 1:
        text = (
            f"Without {word} {first}, {held}, {_change(found, effects)}; without any other "
            f"{word} by at most {short(beyond)}."
        )
    else:
        text = (
            f"{units_named(named, word).capitalize()} stand out, {held}: without {word} "
            f"{first} {_change(found, effects)}, and without any other than these by at most "
            f"{short(beyond)}."
        )
    return Answer(text, float(ranked[first]), unit=first if named else None)


def _change(found: Mapping[str, Any], effects: Mapping[str, Any]) -> str:
    """By how much the unit with the largest effect changes what it changes."""
    ranked = np.asarray(effects["ranked_by"])
    first = int(ranked.argmax())
    if found["output_norm"] is None:
        what = f"the h of the other {found['word']}s changes"
        norm = short(found["norm"])
        return f"{what} by {short(float(ranked[first]))} at the last step (its norm is {norm})"
    norm = short(found["output_norm"])
    change = f"{found['output_name']} changes by {short(float(ranked[first]))} (its norm is {norm}"
    if effects["loss"] is None:
        return f"{change})"
    before, after = found["loss"], float(effects["loss"][first])
    verb = "rises" if after > before else "falls"
    return f"{change}; the {found['loss_name']} {verb} from {before:.3g} to {after:.3g})"


def _inert(found: Mapping[str, Any]) -> list[Answer]:
    mean, zero = (np.asarray(found[clamp]["ranked_by"]) for clamp in ("at_mean", "at_zero"))
    inert = [int(each) for each in np.flatnonzero((mean == 0) & (zero == 0))]
    if not inert or len(mean) < 2:
        return []
    what = "the other units" if found["output_norm"] is None else found["output_name"]
    text = (
        f"{counted(len(inert), found['word'])} of {len(mean)} change{'s' * (len(inert) == 1)} "
        f"nothing of {what} at the last step, held at the mean or at zero"
    )
    which = f": {units_named(inert, found['word'])}" if len(inert) <= _FEW else ""
    return [Answer(f"{text}{which}.", len(inert))]
