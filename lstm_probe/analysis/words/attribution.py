"""What an attribution says, in sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from lstm_probe.analysis.words.answers import Answer
from lstm_probe.analysis.words.numbers import counted, short

__all__ = ["told"]

#: At most this many scalars have a sentence of their own: those that change most.
_MOST = 4
#: A scalar that changes by less between baseline and input does not depend on it.
_NOTHING = 1e-9
#: How scalars after the layer are called.
_OUTPUTS = {"output": "Output {}", "value": "Value {} of the last h of the layers above"}
#: Where the strongest step has a smaller part than this, many steps matter.
_MANY = 0.2


def told(found: Mapping[str, Any]) -> list[Answer]:
    """The sentences of an attribution.

    Args:
        found: as `Attribution.plain` gives it.

    Returns:
        One sentence for each of the scalars that change most, and one that says how complete the
        attributions are.
    """
    effect = np.abs(found["by_step"]).max(axis=(1, 2))
    if not np.isfinite(effect).all():
        return [Answer("The attributions are no numbers: a state becomes NaN or infinite.")]
    order = np.argsort(-effect, kind="stable")[:_MOST]
    said = [_of_scalar(found, int(k)) for k in order]
    missing = found["incompleteness"]
    verb = "add up" if missing <= found["tolerance"] else "do not quite add up"
    text = (
        f"The attributions {verb} to what changes between the baseline ({found['baseline']}) and "
        f"the probe: they miss it by {missing:.0e} at most, from gradients at "
        f"{counted(found['points'], 'point')}."
    )
    return [*said, Answer(text, missing, "gradient")]


def _of_scalar(found: Mapping[str, Any], k: int) -> Answer:
    is_output, which = found["word"] in _OUTPUTS, found["chosen"][k]
    name = f"What {found['word']} {which} holds at the end"
    name = _OUTPUTS[found["word"]].format(which) if is_output else name
    unit, by_step = None if is_output else int(which), np.asarray(found["by_step"])[k]
    if np.abs(by_step).max() < _NOTHING:
        return Answer(f"{name} depends on no step of the input.", 0.0, "gradient", unit)
    rows, steps = np.arange(len(by_step)), found["strongest"][k]
    back = np.asarray(found["steps_back"])[rows, steps]
    lags, counts = np.unique(back, return_counts=True)
    lag, count = int(lags[counts.argmax()]), int(counts.max())
    first = int(np.flatnonzero(back == lag)[0])
    change = np.asarray(found["at_input"])[k, first] - np.asarray(found["at_baseline"])[k, first]
    part = f"{short(float(by_step[first, steps[first]]))} of {short(float(change))}"
    place = f"step {int(steps[first])}, {_before(lag)}"
    sizes = np.abs(by_step)
    share = float(np.median(sizes.max(axis=1) / np.maximum(sizes.sum(axis=1), _NOTHING)))
    agree = int(found["agrees"][k].sum())
    alone = len(rows) == 1
    where = f"({part})" if alone else f"({part} in sequence {first})"
    if share < _MANY:
        text = f"{name} comes from many steps; the strongest is {place} {where}"
    elif alone or 2 * count > len(rows):
        often = "" if alone else f" in {count} of {len(rows)} sequences"
        text = f"{name} comes most from {_before(lag) if often else place}{often} {where}"
    else:
        text = f"{name} comes from another step in each sequence; in sequence {first} from {place}"
        text += f" ({part})"
    said = f"agrees {'' if alone else f'in {agree} of {len(rows)}'}".strip()
    if alone and not agree:
        said = f"says step {int(found['strongest_by_occlusion'][k][0])} instead"
    return Answer(f"{text}; occlusion {said}.", float(lag), "gradient", unit)


def _before(lag: int) -> str:
    return "the last step" if lag == 0 else f"{counted(lag, 'step')} before the last"
