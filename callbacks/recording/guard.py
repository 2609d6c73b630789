"""The one place that catches whatever goes wrong in code of ours while the user trains."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from typing import TypeVar

from lstm_probe.core.errstate import own_errstate
from lstm_probe.core.warn import warn

__all__ = ["Guard"]

_log = logging.getLogger(__name__)

T = TypeVar("T")


class Guard:
    """Runs code of ours inside a training that it must not stop.

    A failure is counted and warned of, once for each cause. `KeyboardInterrupt` and `SystemExit`
    pass. Floating-point errors are handled as NumPy does by default, whatever the user has chosen
    by `np.seterr` for code of theirs.

    Example:
        >>> guard = Guard()
        >>> guard.run("dividing", lambda: 1 / 1)
        1.0
    """

    def __init__(self) -> None:
        self.failures: Counter[tuple[type[Exception], str, int]] = Counter()

    def run(self, doing: str, action: Callable[[], T]) -> T | None:
        """The action's result; None if it failed.

        Args:
            doing: what is being done, for the warning: `capturing at step 300`.
            action: takes no arguments.
        """
        try:
            with own_errstate():
                return action()
        except Exception as error:
            cause = _cause(error)
            self.failures[cause] += 1
            if self.failures[cause] == 1:
                warn(
                    _log,
                    "lstm_probe failed while %s; training goes on, and further failures of this "
                    "kind are only counted. %s: %s",
                    doing,
                    type(error).__name__,
                    _message(error),
                    exc_info=_log.isEnabledFor(logging.DEBUG),
                )
            return None


def _message(error: Exception) -> str:
    """What an error says; some cannot even say that."""
    try:
        return str(error)
    except Exception:
        return "its message cannot be shown"


def _cause(error: Exception) -> tuple[type[Exception], str, int]:
    """An error's type and the line that raised it: its message may differ from step to step."""
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    if frame is None:
        return type(error), "", 0
    return type(error), frame.tb_frame.f_code.co_filename, frame.tb_lineno
