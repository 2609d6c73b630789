"""One order of arguments for the functions that take a snapshot and its trace."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from lstm_probe.core.trace import GateTrace

__all__ = ["snapshot_first"]

P = ParamSpec("P")
R = TypeVar("R")


def snapshot_first(function: Callable[P, R]) -> Callable[P, R]:
    """Let a function of `(snapshot, trace)` be called in the old order for one more release.

    Some functions took `(trace, snapshot=None)` up to version 0.1. A call in that order still
    works, and gives a `DeprecationWarning` that names the new order.

    Args:
        function: takes `snapshot` and `trace`, in this order, and then only keywords.

    Example:
        >>> import numpy as np
        >>> @snapshot_first
        ... def letters(snapshot, trace):
        ...     return trace.letters
        >>> trace = GateTrace({"h": np.zeros((1, 5, 2))}, {"h": None})
        >>> letters(None, trace)
        ('h',)
    """

    @wraps(function)
    def ordered(*args: P.args, **kwargs: P.kwargs) -> R:
        old = isinstance(args[0], GateTrace) if args else "snapshot" not in kwargs
        if not old:
            return function(*args, **kwargs)
        warnings.warn(
            f"{function.__name__}(trace, snapshot) is the old order of the arguments, which the "
            f"next release does not take. Use {function.__name__}(snapshot, trace), with None for "
            "a snapshot that is not known.",
            DeprecationWarning,
            stacklevel=2,
        )
        given: Any = {"snapshot": None, **dict(zip(("trace", "snapshot"), args, strict=False))}
        return function(**{**given, **kwargs})  # type: ignore[call-arg]

    return ordered
