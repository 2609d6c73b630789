"""Models whose layers keep state in all the ways that layers do, for the proof that no capture
changes a bit of it.

Each is made of one Keras (`keras` or `tf_keras`), whose tensors are computed with by Python's
operators alone, so that it runs on every backend.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

__all__ = ["Case", "zoo"]

#: A batch of 8 sequences of 6 steps, 3 features wide.
SHAPE = (8, 6, 3)
COUNTS = {"global": 0}
calls = 0


@dataclass(frozen=True)
class Case:
    """One model and how it is trained.

    Attributes:
        build: makes the model.
        compile: what it is compiled with, beside the defaults.
        way: `fit`, or `loop` for `train_on_batch`.
        background: whether captures are computed by another thread.
        on: the backends that have what it needs; all if empty.
    """

    build: Callable[[], Any]
    compile: dict[str, Any] = field(default_factory=dict)
    way: str = "fit"
    background: bool = False
    on: tuple[str, ...] = ()


def zoo(K: Any, backend: str) -> dict[str, Case]:  # noqa: N803 - a package, as `K` in Keras
    """The models of one Keras on one backend, by name."""
    cases = {**_own(K), **_ways(K), **_stock(K)}
    if backend == "tensorflow":
        from purity_zoo_tensorflow import on_tensorflow

        cases |= on_tensorflow(K)
    if backend == "torch":
        from purity_zoo_torch import on_torch

        cases |= on_torch(K)
    if backend == "jax":
        from purity_zoo_jax import on_jax

        cases |= on_jax(K)
    return {name: case for name, case in cases.items() if not case.on or backend in case.on}


def stack(K: Any, *layers: Any, kind: Any = None) -> Any:  # noqa: N803
    """A model of the layers given, with a recurrent layer behind them, and a Dense layer."""
    inputs = hidden = K.Input(batch_shape=SHAPE)
    for layer in layers:
        hidden = layer(hidden)
    if len(hidden.shape) == 3:
        hidden = K.layers.SimpleRNN(4, name="memory")(hidden)
    return (kind or K.Model)(inputs, K.layers.Dense(2)(hidden))


def _stock(K: Any) -> dict[str, Case]:  # noqa: N803
    """Models of Keras's own layers."""
    L = K.layers  # noqa: N806
    wrap = {
        "LSTM": lambda: L.LSTM(4),
        "LSTM, dropout": lambda: L.LSTM(4, dropout=0.3, recurrent_dropout=0.2),
        "LSTM, stateful": lambda: L.LSTM(4, stateful=True, dropout=0.2),
        "GRU": lambda: L.GRU(4, recurrent_dropout=0.3),
        "GRU, reset before": lambda: L.GRU(4, reset_after=False, stateful=True),
        "SimpleRNN": lambda: L.SimpleRNN(4, dropout=0.3),
        "Bidirectional": lambda: L.Bidirectional(L.LSTM(3, dropout=0.2)),
        "stacked cells": lambda: L.RNN([L.LSTMCell(3, dropout=0.2), L.GRUCell(4)]),
        "backwards": lambda: L.LSTM(4, go_backwards=True, recurrent_dropout=0.3),
        "unrolled": lambda: L.LSTM(4, unroll=True, dropout=0.3),
    }
    before = {
        "Dropout": lambda: L.Dropout(0.3),
        "SpatialDropout1D": lambda: L.SpatialDropout1D(0.3),
        "GaussianNoise": lambda: L.GaussianNoise(0.3),
        "GaussianDropout": lambda: L.GaussianDropout(0.3),
        "AlphaDropout": lambda: L.AlphaDropout(0.3),
        "BatchNormalization": lambda: L.BatchNormalization(momentum=0.5),
        "LayerNormalization": lambda: L.LayerNormalization(),
        "SpectralNormalization": lambda: L.SpectralNormalization(L.Dense(3)),
        "Masking": lambda: L.Masking(),
        "TimeDistributed": lambda: L.TimeDistributed(L.Dense(3)),
        "frozen": lambda: L.Dense(3, trainable=False),
        "activity regulariser": lambda: L.ActivityRegularization(0.1),
    }
    # That of tf_keras takes its parts from the other Keras, where both are installed.
    if not hasattr(L, "SpectralNormalization") or K.__name__ == "tf_keras":
        before.pop("SpectralNormalization")
    # Keras itself cannot train a stateful LSTM on PyTorch: it writes to the states in place.
    made = {
        name: Case(
            lambda make=make: stack(K, make()),
            on=("tensorflow", "jax") if name == "LSTM, stateful" else (),
        )
        for name, make in wrap.items()
    }
    made |= {name: Case(lambda make=make: stack(K, make())) for name, make in before.items()}
    made["all dropouts"] = Case(lambda: stack(K, *(before[n]() for n in list(before)[:5])))
    made["attention"] = Case(lambda: _attention(K))
    return made


def _attention(K: Any) -> Any:  # noqa: N803
    inputs = K.Input(batch_shape=SHAPE)
    attention = K.layers.MultiHeadAttention(2, 3, dropout=0.2)
    hidden = K.layers.LSTM(4)(attention(inputs, inputs))
    return K.Model(inputs, K.layers.Dense(2)(hidden))


def _own(K: Any) -> dict[str, Case]:  # noqa: N803
    """Models with layers that keep state in Python."""

    class Misbehaving(K.layers.Layer):
        """Does something in each call beside passing on its input."""

        count = 0

        def __init__(self, act: Callable[[Any, Any], Any], **state: Any) -> None:
            super().__init__()
            self.act = act
            for name, value in state.items():
                setattr(self, name, value)

        def call(self, x: Any) -> Any:
            factor = self.act(self, x)
            return x if factor is None else x * (1 + 0.01 * factor)

    class Global(K.layers.Layer):
        def call(self, x: Any) -> Any:
            global calls
            calls += 1
            COUNTS["global"] += 1
            return x * (1 + 0.01 * calls + 0.01 * COUNTS["global"])

    class OnClass(K.layers.Layer):
        seen = 0
        history: list[int] = []  # noqa: RUF012 - one for all, as users write it

        def call(self, x: Any) -> Any:
            type(self).seen += 1
            self.history.append(self.seen)
            return x * (1 + 0.01 * self.seen + 0.01 * len(self.history))

    class Moving(K.layers.Layer):
        """Keeps a moving average by hand, also when it is not trained."""

        def build(self, shape: Any) -> None:
            self.average = self.add_weight(shape=(), trainable=False, name="average")

        def call(self, x: Any) -> Any:
            self.average.assign(0.9 * self.average + 0.1)
            return x * (1 + self.average)

    class Experts(K.layers.Layer):
        """Counts in a metric, and adds a loss, each time it is called."""

        def __init__(self) -> None:
            super().__init__()
            self.load = K.metrics.Mean(name="load")
            self.gate = K.layers.Dense(3, activation="softmax")

        def call(self, x: Any) -> Any:
            gate = self.gate(x)
            self.load.update_state(gate)
            self.add_loss(0.01 * _mean(gate))
            return x * gate

    def on_function() -> Any:
        counted = [0]
        total = 0

        def act(x: Any) -> Any:
            nonlocal total
            total += 1
            counted[0] += 1
            return x * (1 + 0.01 * total + 0.01 * counted[0])

        return stack(K, K.layers.Lambda(act))

    acts: dict[str, tuple[Callable[[Any, Any], Any], Callable[[], dict[str, Any]]]] = {
        "attribute": (lambda s, _: _set(s, "n", s.n + 1), lambda: {"n": 0}),
        "dict": (lambda s, _: _put(s.d, "n", s.d["n"] + 1), lambda: {"d": {"n": 0}}),
        "list": (lambda s, _: s.li.append(1) or len(s.li), lambda: {"li": [0]}),
        "set": (lambda s, _: s.s.add(len(s.s)) or len(s.s), lambda: {"s": {0}}),
        "deque": (lambda s, _: s.q.append(1) or len(s.q), lambda: {"q": deque([0], 9)}),
        "array": (lambda s, _: _grow(s.a), lambda: {"a": np.zeros(3)}),
        "tensor kept": (lambda s, x: (_set(s, "last", x), None)[1], lambda: {"last": None}),
        "tensors in a list": (lambda s, x: s.cache.append(x), lambda: {"cache": []}),
        "random": (lambda s, _: random.random(), dict),
        "np.random": (lambda s, _: np.random.rand(), dict),  # noqa: NPY002
        "both randoms": (lambda s, _: random.gauss(0, 1) + np.random.randn(), dict),  # noqa: NPY002
        "random.Random": (lambda s, _: s.r.random(), lambda: {"r": random.Random(3)}),
        "np.random.Generator": (
            lambda s, _: s.g.normal(),
            lambda: {"g": np.random.default_rng(3)},
        ),
        "RandomState": (lambda s, _: s.g.rand(), lambda: {"g": np.random.RandomState(3)}),
        "object": (
            lambda s, _: _set(s.o, "n", s.o.n + 1),
            lambda: {"o": _Object()},
        ),
        "several": (
            lambda s, _: _set(s, "n", s.n + 1) + len(s.li.append(1) or s.li) + random.random(),
            lambda: {"n": 0, "li": [0]},
        ),
    }
    made = {}
    for name, (act, state) in acts.items():
        for eager in (False, True):
            way = {"run_eagerly": True} if eager else {}
            made[f"{name}{', eager' if eager else ''}"] = Case(
                lambda act=act, state=state: stack(K, Misbehaving(act, **state())), way
            )
    others = {
        "global names": lambda: stack(K, Global()),
        "class attributes": lambda: stack(K, OnClass()),
        "moving average": lambda: stack(K, Moving()),
        "experts": lambda: stack(K, Experts()),
        "closure": on_function,
    }
    for name, build in others.items():
        # Keras itself does not train a layer with a metric on JAX.
        on = ("tensorflow", "torch") if name == "experts" else ()
        made[name] = Case(build, on=on)
        made[f"{name}, eager"] = Case(build, {"run_eagerly": True}, on=on)
    return made


def _ways(K: Any) -> dict[str, Case]:  # noqa: N803
    """Ways of training, with a model that drops out and counts."""

    def plain() -> Any:
        layers = (K.layers.Dropout(0.2), K.layers.LSTM(4, dropout=0.2, return_sequences=True))
        return stack(K, *layers, K.layers.BatchNormalization())

    class Subclassed(K.Model):
        """Built by its first batch."""

        def __init__(self) -> None:
            super().__init__()
            self.memory = K.layers.LSTM(4, dropout=0.2)
            self.head = K.layers.Dense(2)
            self.n, self.passes = 0, [0]

        def call(self, x: Any, training: Any = None) -> Any:
            self.n += 1
            self.passes.append(self.n)
            noise = 1 + 0.01 * random.random() + 0.01 * np.random.rand()  # noqa: NPY002
            return self.head(self.memory(x, training=training)) * noise

    def averaged() -> Any:
        return K.optimizers.Adam(use_ema=True, ema_overwrite_frequency=3)

    return {
        "loop": Case(plain, way="loop"),
        "background": Case(plain, background=True),
        "eager": Case(plain, {"run_eagerly": True}),
        "several steps": Case(plain, {"steps_per_execution": 2}, on=("tensorflow", "jax")),
        "moving weights": Case(plain, {"optimizer": averaged}),
        "momentum": Case(plain, {"optimizer": lambda: K.optimizers.SGD(0.1, momentum=0.9)}),
        "subclassed": Case(Subclassed),
        "subclassed, loop": Case(Subclassed, way="loop"),
        "subclassed, eager": Case(Subclassed, {"run_eagerly": True}),
    }


class _Object:
    def __init__(self) -> None:
        self.n = 0


def _set(owner: Any, name: str, value: Any) -> Any:
    setattr(owner, name, value)
    return value


def _put(owner: dict[str, Any], name: str, value: Any) -> Any:
    owner[name] = value
    return value


def _grow(array: Any) -> float:
    array += 1
    return float(array[0])


def _mean(x: Any) -> Any:
    """Of a tensor of any framework."""
    if hasattr(x, "mean"):
        return x.mean()
    import tensorflow as tf

    return tf.reduce_mean(x)
