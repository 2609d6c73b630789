"""By which rule two values are compared: how far apart two numbers may be, and why."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import numpy as np

__all__ = ["differences"]

#: Another order of the same sums moves a float64 trace by some 1e-15; relative to the largest.
TRACE_64 = 1e-12
#: Another order of the same sums moves a float32 trace by some roundoffs of 6e-8.
TRACE_32 = 2e-6
#: Gradients pass through all steps twice, so that rounding has further to grow.
GRADIENT_64 = 1e-10
#: What is taken in float32 keeps five digits over the lengths of the grid.
GRADIENT_32 = 1e-4
#: A parity error is a difference of traces, so it moves by as much as they do, ...
ERROR_64, ERROR_32 = TRACE_64, TRACE_32
#: ... and one that is large on purpose keeps its leading digits.
ERROR_DIGITS = 1e-6
#: An error of one step is a small difference of values, of which float32 leaves some digits.
DEFECT_DIGITS = 1e-3
#: A bound of rounding is an estimate; another derivation may be this much tighter or looser.
BOUND_FACTOR = 1.2
#: A number on the border of two float16 may be rounded to either.
HALF_RELATIVE, HALF_ABSOLUTE = 2.0**-10, 2.0**-23
#: TensorBoard's scalars and histograms are logged in float32 or come from float32.
LOGGED = 1e-6
#: Every other number follows from a trace in few operations.
NUMBER = 1e-9
#: Printed errors below this are float64's rounding alone, of which no digit can be promised.
ROUNDING_NOISE = 1e-12

_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?")


@dataclass(frozen=True)
class Rule:
    """How far apart two numbers may be.

    Attributes:
        wide: relative tolerance of float64, to the largest magnitude of the array.
        narrow: the same where one of the two is float32.
        absolute: tolerance that is added.
        factor: instead, the largest ratio of the two.
        both_below: numbers that are both at most this are alike.
        any_dtype: another dtype alone is no difference.
    """

    wide: float = 0.0
    narrow: float = 0.0
    absolute: float = 0.0
    factor: float | None = None
    both_below: float | None = None
    any_dtype: bool = False


_TRACE = Rule(TRACE_64, TRACE_32, absolute=1e-300)
_ERROR = Rule(ERROR_DIGITS, ERROR_DIGITS, absolute=ERROR_64)
_NARROW_ERROR = Rule(ERROR_DIGITS, ERROR_DIGITS, absolute=ERROR_32)
_SAME = Rule()

#: By kind; of everything else the numbers are compared with `NUMBER`.
_BY_KIND = {
    "trace": _TRACE,
    # In float32 wherever that holds them.
    "gradient": Rule(GRADIENT_64, GRADIENT_32, any_dtype=True),
    "health": _TRACE,
    "scalar": Rule(LOGGED, LOGGED),
    "histogram": Rule(LOGGED, LOGGED),
    "pixels": _SAME,
    "digest": _SAME,
    "tags": _SAME,
}
#: By the name of the number, whatever the kind; the first that fits.
_BY_NAME = (
    ("*same_dtype*", _NARROW_ERROR),
    ("narrow *", _NARROW_ERROR),
    ("bound", Rule(factor=BOUND_FACTOR)),
    ("excess", Rule(factor=BOUND_FACTOR, both_below=1.0)),
    ("*parity/max_abs*", _ERROR),
    ("*parity/rms*", _ERROR),
    ("*max_abs*", _ERROR),
    ("*rms", _ERROR),
    # Of the half precisions it is worked out in float32.
    ("defect", Rule(DEFECT_DIGITS, DEFECT_DIGITS, absolute=ERROR_64)),
    ("*per_timestep", _ERROR),
    ("error*", _ERROR),
    ("ulp", Rule(LOGGED, LOGGED)),
    # That of a mismatch is a multiple of a bound.
    ("value", Rule(LOGGED, LOGGED)),
    # That of a plain LSTM is taken in float32, whatever it is logged in.
    ("*gradient/*", Rule(GRADIENT_32, GRADIENT_32)),
    ("gradient_reach", Rule(GRADIENT_32, GRADIENT_32)),
)


def differences(kind: str, old: Any, new: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Where two values of a kind differ, and how.

    Yields:
        The place within the value, empty for the value itself, and the difference in words.
    """
    if isinstance(old, dict) and isinstance(new, dict):
        for key in [*old, *(key for key in new if key not in old)]:
            if key not in new:
                yield key, "only the old one has it"
            elif key not in old:
                yield key, "only the new one has it"
            else:
                yield from _within(key, differences(kind, old[key], new[key], key))
    elif isinstance(old, list) and isinstance(new, list):
        if len(old) != len(new):
            yield "", f"{len(old)} and {len(new)} entries"
        for index, pair in enumerate(zip(old, new, strict=False)):
            yield from _within(str(index), differences(kind, *pair, name))
    else:
        said = _difference(_rule(kind, name), old, new)
        if said is not None:
            yield "", said


def _within(key: str, found: Iterator[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    for place, said in found:
        yield f"{key}.{place}" if place else key, said


def _rule(kind: str, name: str) -> Rule:
    default = _BY_KIND.get(kind, Rule(NUMBER, LOGGED))
    return next((rule for glob, rule in _BY_NAME if fnmatchcase(name, glob)), default)


def _difference(rule: Rule, old: Any, new: Any) -> str | None:
    if isinstance(old, str) and isinstance(new, str):
        return None if _same_text(old, new) else _where_texts_part(old, new)
    if isinstance(old, np.ndarray) and isinstance(new, np.ndarray):
        return _difference_of_arrays(rule, old, new)
    if isinstance(old, float) and isinstance(new, float):
        if _alike(rule, np.array(old), np.array(new)).all():
            return None
        return f"{old!r} -> {new!r}"
    # A whole number that has become a fraction is a change of format.
    if type(old) is type(new) and old == new:
        return None
    return f"{_shown(old)} -> {_shown(new)}"


def _difference_of_arrays(rule: Rule, old: np.ndarray, new: np.ndarray) -> str | None:
    if old.shape != new.shape or (old.dtype != new.dtype and not rule.any_dtype):
        return f"{old.dtype} {old.shape} -> {new.dtype} {new.shape}"
    alike = _alike(rule, old, new)
    if alike.all():
        return None
    places = np.argwhere(~alike)
    first = tuple(int(index) for index in places[0])
    return f"{len(places)} of {old.size} differ, the first at {first}: {old[first]} -> {new[first]}"


def _alike(rule: Rule, old: np.ndarray, new: np.ndarray) -> np.ndarray:
    """Where two arrays of a shape are the same by a rule; NaN and infinities are values."""
    if old.dtype.kind != "f":
        return np.asarray(old == new)
    same = (old == new) | (np.isnan(old) & np.isnan(new))
    if rule == _SAME or same.all():
        return np.asarray(same)
    narrowest = min(old.dtype.itemsize, new.dtype.itemsize)
    old, new = old.astype(np.float64), new.astype(np.float64)
    with np.errstate(all="ignore"):
        apart = np.abs(old - new)
        if rule.factor is not None:
            near = np.maximum(old / new, new / old) <= rule.factor
            if rule.both_below is not None:
                near |= np.maximum(np.abs(old), np.abs(new)) <= rule.both_below
        elif narrowest == 2:
            near = apart <= HALF_RELATIVE * np.abs(old) + HALF_ABSOLUTE
        else:
            largest = np.abs(old[np.isfinite(old)]).max(initial=0.0)
            relative = rule.narrow if narrowest == 4 else rule.wide
            near = apart <= relative * largest + rule.absolute
    return np.asarray(same | (near & np.isfinite(old) & np.isfinite(new)))


def _same_text(old: str, new: str) -> bool:
    """Whether two texts are the same but for digits of mere rounding."""
    if old == new:
        return True
    if _NUMBER.split(old) != _NUMBER.split(new):
        return False
    pairs = zip(_NUMBER.findall(old), _NUMBER.findall(new), strict=True)
    return all(a == b or max(abs(float(a)), abs(float(b))) < ROUNDING_NOISE for a, b in pairs)


def _where_texts_part(old: str, new: str) -> str:
    """A stretch of both, from shortly before the first difference."""
    pairs = enumerate(zip(old, new, strict=False))
    first = next((index for index, (a, b) in pairs if a != b), min(len(old), len(new)))
    start = max(0, first - 40)
    return f"at {first}: {_shown(old[start:])} -> {_shown(new[start:])}"


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 160 else f"{text[:160]}..."
