"""How many threads NumPy's matrix products take."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import lru_cache, wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

if TYPE_CHECKING:
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
        with _one_thread():
            return function(*args, **kwargs)

    return limited


def _one_thread() -> AbstractContextManager[Any]:
    controller = _controller()
    return nullcontext() if controller is None else controller.limit(limits=1, user_api="blas")


@lru_cache(maxsize=1)
def _controller() -> ThreadpoolController | None:
    try:
        from threadpoolctl import ThreadpoolController
    except ImportError:  # NumPy is all that recomputing gates needs
        return None
    return ThreadpoolController()  # looks for the loaded libraries, which takes milliseconds
