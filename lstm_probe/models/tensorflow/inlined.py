"""Running functions that are decorated with `tf.function` as part of the graph that calls them."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import tensorflow as tf
from tensorflow.python.autograph.core import ag_ctx, converter
from tensorflow.python.autograph.impl import api
from tensorflow.python.util import tf_decorator

__all__ = ["inlined"]

#: Functions of these packages hold no layers of the user's.
_STOCK: Final = ("keras", "tf_keras", "tensorflow")
_Function: Any = type(tf.function(lambda: None))
_call: Callable[..., Any] = _Function.__call__
_lock = threading.Lock()
_threads: Counter[int] = Counter()


@contextmanager
def inlined() -> Iterator[None]:
    """While the context lasts, this thread calls what `tf.function` decorates as plain Python.

    Such a function has a graph of its own, in which nobody can listen to the layers. It also keeps
    what it has traced: a pass of ours would use the graph that the training has traced, or leave
    the training a graph of ours.
    """
    global _threads
    thread = threading.get_ident()
    with _lock:
        _threads[thread] += 1
        _Function.__call__ = _inline
    try:
        yield
    finally:
        with _lock:
            _threads[thread] -= 1
            _threads += Counter()  # drops the threads that are done
            if not _threads:
                _Function.__call__ = _call


def _inline(function: Any, *args: Any, **kwargs: Any) -> Any:
    """What stands in for the call of every function that `tf.function` decorates."""
    _, python = tf_decorator.unwrap(function._python_function)
    home = str(getattr(python, "__module__", "")).partition(".")[0]
    if not _threads[threading.get_ident()] or home in _STOCK:
        return _call(function, *args, **kwargs)
    if not function._autograph:
        return function._python_function(*args, **kwargs)
    options = converter.ConversionOptions(
        recursive=True,
        optional_features=function._experimental_autograph_options,
        user_requested=True,
    )
    with ag_ctx.ControlStatusCtx(status=ag_ctx.Status.ENABLED, options=options):
        return api.converted_call(python, args, kwargs, options=options)
