"""The rest of a model that the child has loaded: it runs there, and nothing it says is believed.

Whatever goes wrong with it is a `RestError`, so that the analyses go on without the rest.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np

from lstm_probe.analysis.analysis import Analysis
from lstm_probe.analysis.rest import IN_FLOAT32, Rest, RestError
from lstm_probe.core.arrays import Array
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.models.files.child.allowance import Allowance
from lstm_probe.models.files.child.process import UnexpectedError
from lstm_probe.models.files.child.protocol import Frame

__all__ = ["rests_in_child"]

#: Asks about the model, within an allowance.
Ask = Callable[[Frame, Allowance], Frame]
#: All questions together may take so many times what one may take.
_TIMES: Final = 4
_LONGEST = 1000


def rests_in_child(
    number: int, found: Mapping[str, Analysis], ask: Ask, allowance: Allowance
) -> tuple[dict[str, Rest], str]:
    """The part of a model after each of its layers, which the child runs on the probe that it was
    asked about last.

    Args:
        number: what the child calls the model.
        found: the layers on that probe.
        ask: asks the child.
        allowance: what one question may take.

    Returns:
        The rest of each layer that has one, by its name; and why others have none, in sentences,
        or nothing.
    """
    questions = _Questions(number, ask, allowance)
    try:
        said = questions({"ask": "rests"}, ()).said
        names, why = [str(each) for each in said["rests"]], str(said["why"])[:_LONGEST]
    except (RestError, LookupError, TypeError) as error:
        return {}, f"The model after its layers is not run. {_told(error)}"
    rests = {name: _rest(questions, name) for name in found if name in names}
    return rests, "".join(c if c.isprintable() else " " for c in why)


class _Questions:
    """Asks about the rests of one model, until their time is over or the child has ended."""

    def __init__(self, number: int, ask: Ask, allowance: Allowance) -> None:
        self._number, self._ask, self._allowance = number, ask, allowance
        self._left = _TIMES * allowance.clock
        self._over: str | None = None

    def __call__(self, said: Mapping[str, Any], arrays: Sequence[Array]) -> Frame:
        if self._over is not None:
            raise RestError(self._over)
        whole, began = self._allowance, time.monotonic()
        part = replace(whole, clock=min(whole.clock, self._left))
        try:
            return self._ask(Frame({**said, "model": self._number}, arrays), part)
        except RestError:
            raise
        except (LstmProbeError, UnexpectedError, OSError) as error:
            raise RestError(_told(error)) from error
        finally:
            self._left -= time.monotonic() - began
            if self._left <= 0:
                self._over = str(whole.time_reached(_TIMES * whole.clock))


def _rest(questions: _Questions, layer: str) -> Rest:
    """The rest of one layer. Its output has the same width each time."""
    shapes: list[tuple[int, ...]] = []

    def outputs(h: Array) -> Array:
        found = _numbers(questions({"ask": "rest", "layer": layer}, [h]))
        if found.ndim != 2 or len(found) != len(h) or found.shape not in (shapes or [found.shape]):
            raise RestError(
                f"The process that runs the rest of the model gives something else. Received: "
                f"shape {found.shape}. Expected: {shapes[0] if shapes else (len(h), 'outputs')}."
            )
        shapes[:] = [found.shape]
        return found

    def back(h: Array, by_output: Array) -> Array:
        return _numbers(questions({"ask": "rest_back", "layer": layer}, [h, by_output]))

    return Rest(outputs, back, tolerance=IN_FLOAT32)


def _numbers(answer: Frame) -> Array:
    """The only array of an answer."""
    kinds = [str(each.dtype) for each in answer.arrays]
    if len(kinds) != 1 or kinds[0] not in ("float32", "float64"):
        raise RestError(
            f"The process that runs the rest of the model gives no numbers. Received: arrays of "
            f"{', '.join(kinds)[:80] or 'nothing'}. Expected: one of float32 or float64."
        )
    return np.asarray(answer.arrays[0], np.float64)


def _told(error: Exception) -> str:
    if isinstance(error, LstmProbeError):
        return str(error)
    return (
        f"The process that runs it does not answer as it should. Received: "
        f"{type(error).__name__}: {str(error)[:200]}. Expected: arrays."
    )
