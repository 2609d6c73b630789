"""The number of threads that NumPy's matrix products use."""

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
    """Decorate a function so that its matrix products run on one thread.

    The products are small. On an idle machine a second thread gains a few per cent. While the
    framework trains on the same cores, threads wait for each other, and this may take seconds.

    Args:
        function: Any function. Without threadpoolctl it runs unchanged.

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
    """A context in which BLAS uses one thread."""
    controller = _controller()
    return nullcontext() if controller is None else controller.limit(limits=1, user_api="blas")


@lru_cache(maxsize=1)
def _controller() -> ThreadpoolController | None:
    """What sets the number of threads, or None without threadpoolctl."""
    try:
        from threadpoolctl import ThreadpoolController
    except ImportError:  # recomputing gates must need nothing but NumPy
        return None
    return ThreadpoolController()  # the search for loaded libraries takes milliseconds
