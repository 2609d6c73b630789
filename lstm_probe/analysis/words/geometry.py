"""How the states of a layer lie, in sentences: each with its number and its evidence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lstm_probe.analysis.words.answers import Answer

__all__ = ["geometry_told"]


def geometry_told(found: Mapping[str, Any]) -> list[Answer]:
    """Of the dimensions of the states, and of their similarity with an earlier capture.

    Args:
        found: as `Geometry.plain` gives it.

    Example:
        >>> found = {"missing": "", "dimensions": 3.21, "band": (2.9, 3.5), "units": 32,
        ...          "variances": [0.4, 0.25], "similarity": 0.91, "by_chance": 0.2, "earlier": 100,
        ...          "step": 200, "ends": None}
        >>> for answer in geometry_told(found):
        ...     print(answer.text)
        The hidden states spread over 3.21 of 32 dimensions (participation ratio, 95 % band 2.9 to \
3.5); 65 % of their variance lies along two axes.
        Since step 100 the states have changed little: their similarity is 0.91 (linear CKA; 1 is \
the same, and exchanged sequences give at most 0.2).
    """
    if found["missing"]:
        return [Answer(found["missing"])]
    band = found["band"]
    evidence = "" if band is None else f", 95 % band {band[0]:.3g} to {band[1]:.3g}"
    along = 100 * sum(found["variances"])
    text = (
        f"The hidden states spread over {found['dimensions']:.3g} of {found['units']} dimensions "
        f"(participation ratio{evidence}); {along:.0f} % of their variance lies along two axes."
    )
    said = [Answer(text, found["dimensions"])]
    if found["ends"] is not None:
        said.append(_ends(found["ends"]))
    if found["similarity"] is not None:
        said.append(_similarity(found))
    return said


def _ends(ends: Mapping[str, Any]) -> Answer:
    count, right = len(set(ends["classes"])), ends["right"]
    evidence = (
        f"exchanged classes give at most {ends['most_by_chance']} in {ends['exchanges']} orders"
    )
    if not ends["beyond_chance"]:
        how = "do not end apart by class, beyond chance"
        evidence = f"exchanged classes give up to {ends['most_by_chance']}"
    elif right == ends["of"]:
        how = f"end in {count} groups on these axes, which are the classes"
    else:
        how = "end apart by class on these axes"
    return Answer(
        f"The sequences {how}: {right} of {ends['of']} end nearest to the mean of their own class "
        f"({evidence}).",
        right,
    )


def _similarity(found: Mapping[str, Any]) -> Answer:
    value, chance = found["similarity"], found["by_chance"]
    evidence = "" if chance is None else f", and exchanged sequences give at most {chance:.2g}"
    if chance is not None and value <= chance:
        how = "have nothing in common with those of now"
    elif value > 0.9:
        how = "have changed little"
    else:
        how = "have changed"
    return Answer(
        f"Since step {found['earlier']} the states {how}: their similarity is {value:.2g} (linear "
        f"CKA; 1 is the same{evidence}).",
        value,
    )
