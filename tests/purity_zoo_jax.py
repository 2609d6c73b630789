"""Models whose layers call back into Python from what JAX has compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax.experimental import io_callback
from purity_zoo import Case, stack

__all__ = ["on_jax"]


def on_jax(K: Any) -> dict[str, Case]:  # noqa: N803
    """The models, by name."""

    class Calls(K.layers.Layer):
        def __init__(self, call_back: Callable[..., Any], count: Callable[[Any], float]) -> None:
            super().__init__()
            self.call_back, self.count = call_back, count
            self.n = 0
            self.a = np.zeros(2)
            self.g = np.random.default_rng(5)

        def call(self, x: Any) -> Any:
            spec = jax.ShapeDtypeStruct((), np.float32)
            factor = self.call_back(lambda: np.float32(self.count(self)), spec)
            return x * (1 + 0.01 * jax.lax.stop_gradient(factor))

    def counted(layer: Any) -> float:
        layer.n += 1
        layer.a += 1
        return float(layer.n + layer.a[0])

    def drawn(layer: Any) -> float:
        return float(layer.g.normal() + np.random.rand())  # noqa: NPY002

    return {
        f"{call_back.__name__}, {count.__name__}{', background' if background else ''}": Case(
            lambda call_back=call_back, count=count: stack(K, Calls(call_back, count)),
            background=background,
        )
        for call_back in (jax.pure_callback, io_callback)
        for count in (counted, drawn)
        for background in (False, True)
    }
