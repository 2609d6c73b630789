"""Models whose layers keep state in objects of TensorFlow's, beside the variables of Keras."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
from purity_zoo import Case, stack

__all__ = ["on_tensorflow"]


def on_tensorflow(K: Any) -> dict[str, Case]:  # noqa: N803
    """The models of one Keras, by name."""
    acts: dict[str, tuple[Callable[[Any, Any], Any], Callable[[], dict[str, Any]]]] = {
        "tf.Variable": (lambda s, _: s.n.assign_add(1.0), lambda: {"n": _variable(0.0)}),
        "tf.Variable now and then": (_now_and_then, lambda: {"n": _variable(0.0)}),
        "tf.Variable in a loop": (_in_a_loop, lambda: {"n": _variable(0.0)}),
        "moving statistics": (_moving, lambda: {"m": _variable(np.zeros(3, "float32"))}),
        "slices of a variable": (_scatter, lambda: {"m": _variable(np.zeros(3, "float32"))}),
        "tf.random.Generator": (
            lambda s, x: s.g.normal(tf.shape(x)),
            lambda: {"g": tf.random.Generator.from_seed(1)},
        ),
        "seeds in a variable": (_stateless, lambda: {"m": _variable([1, 2])}),
        "op with a seed": (lambda s, x: tf.random.uniform(tf.shape(x)), dict),
        "hash table": (_counting_table, lambda: {"t": _Table()}),
        "numpy_function": (_through_numpy, lambda: {"d": {"n": 0}}),
        "py_function": (_through_python, lambda: {"n": _variable(0.0)}),
        "randoms in numpy_function": (_random_numpy, dict),
        "tf.print": (lambda s, x: tf.print("", end="", summarize=1), dict),
    }

    class Raw(K.layers.Layer):
        def __init__(self, act: Callable[[Any, Any], Any], **state: Any) -> None:
            super().__init__()
            self.act = act
            for name, value in state.items():
                setattr(self, name, value)

        def call(self, x: Any) -> Any:
            factor = self.act(self, x)
            return x if factor is None or isinstance(factor, tf.Operation) else _scaled(x, factor)

    made = {}
    for name, (act, state) in acts.items():
        for kind, compiled, background in (
            ("", {}, False),
            (", background", {}, True),
            (", eager", {"run_eagerly": True}, False),
        ):
            made[name + kind] = Case(
                lambda act=act, state=state: stack(K, Raw(act, **state())),
                compiled,
                background=background,
            )
    return made


class _Table:
    """Counts in a hash table."""

    def __init__(self) -> None:
        self.table = tf.lookup.experimental.MutableHashTable(tf.string, tf.float32, 0.0)

    @property
    def state(self) -> Any:
        """For the comparison."""
        return self.table.lookup(tf.constant(["n"]))


def _variable(value: Any) -> tf.Variable:
    return tf.Variable(value, trainable=False)


def _scaled(x: Any, factor: Any) -> Any:
    return x * (1 + 0.01 * tf.cast(factor, x.dtype))


def _now_and_then(layer: Any, _: Any) -> Any:
    """Every third call adds much more than the others."""
    count = layer.n.assign_add(1.0)
    return tf.cond(tf.equal(count % 3, 0), lambda: layer.n.assign_add(5.0), lambda: count)


def _in_a_loop(layer: Any, _: Any) -> Any:
    tf.while_loop(lambda i: i < 3, lambda i: [_added(layer, i)], [tf.constant(0)])
    return layer.n.read_value()


def _added(layer: Any, index: Any) -> Any:
    layer.n.assign_add(1.0)
    return index + 1


def _moving(layer: Any, x: Any) -> Any:
    layer.m.assign(0.9 * layer.m + 0.1 * tf.reduce_mean(x, axis=[0, 1]))
    return layer.m


def _scatter(layer: Any, _: Any) -> Any:
    layer.m.scatter_nd_add([[1]], [1.0])
    return layer.m.read_value()


def _stateless(layer: Any, x: Any) -> Any:
    noise = tf.random.stateless_normal(tf.shape(x), layer.m)
    layer.m.assign_add([1, 1])
    return noise


def _counting_table(layer: Any, _: Any) -> Any:
    table, key = layer.t.table, tf.constant(["n"])
    count = table.lookup(key) + 1.0
    with tf.control_dependencies([table.insert(key, count)]):
        return tf.ensure_shape(count, (1,))[0]


def _through_numpy(layer: Any, _: Any) -> Any:
    def count() -> Any:
        layer.d["n"] += 1
        return np.float32(layer.d["n"])

    return tf.ensure_shape(tf.numpy_function(count, [], tf.float32), ())


def _through_python(layer: Any, _: Any) -> Any:
    def count() -> Any:
        return layer.n.assign_add(1.0).read_value()

    return tf.ensure_shape(tf.py_function(count, [], tf.float32), ())


def _random_numpy(_: Any, x: Any) -> Any:
    def draw() -> Any:
        return np.float32(np.random.rand())  # noqa: NPY002

    return tf.ensure_shape(tf.numpy_function(draw, [], tf.float32), ())
