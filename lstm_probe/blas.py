"""How many threads NumPy's matrix products take."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import ParamSpec, TypeVar

from threadpoolctl import ThreadpoolController

__all__ = ["on_one_blas_thread"]

P = ParamSpec("P")
T = TypeVar("T")


def on_one_blas_thread(function: Callable[P, T]) -> Callable[P, T]:
    """Let a function's matrix products run on one thread.

    They are small: two threads gain a few per cent on an idle machine, and while the framework
    trains on the same cores they wait for each other, up to seconds.

    Example:
        >>> import numpy as np
        >>> on_one_blas_thread(np.matmul)(np.eye(2), np.ones((2, 1))).ravel().tolist()
        [1.0, 1.0]
    """

    @wraps(function)
    def limited(*args: P.args, **kwargs: P.kwargs) -> T:
        with _controller().limit(limits=1, user_api="blas"):
            return function(*args, **kwargs)

    return limited


@lru_cache(maxsize=1)
def _controller() -> ThreadpoolController:
    return ThreadpoolController()  # looks for the loaded libraries, which takes milliseconds
