"""Graphs of TF1 with noise of all kinds, trained in sessions with the hook and without."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import session_graphs as graphs
import tensorflow as tf
import tf_keras
from session_graphs import cells, tf1, wrappers

from lstm_probe.callbacks import ProbeHook

__all__ = ["GRAPHS", "differences"]

#: Of the input and of a keep probability: the cell, its outputs, and what else the hook is told.
Build = Callable[[Any, Any], tuple[Any, Any, dict[str, Any]]]


def _dynamic(make: Callable[[Any], Any], **given: Any) -> Build:
    def build(x: Any, keep: Any) -> tuple[Any, Any, dict[str, Any]]:
        cell = make(keep)
        outputs, _ = tf1.nn.dynamic_rnn(cell, x, dtype="float32", parallel_iterations=1, **given)
        return cell, outputs, given

    return build


def _static(make: Callable[[Any], Any]) -> Build:
    def build(x: Any, keep: Any) -> tuple[Any, Any, dict[str, Any]]:
        cell, inputs = make(keep), tf.unstack(x, axis=1)
        outputs, _ = tf1.nn.static_rnn(cell, inputs, dtype="float32")
        return cell, outputs, {"inputs": inputs}

    return build


def _both_ways(make: Callable[[Any], Any]) -> Build:
    def build(x: Any, keep: Any) -> tuple[Any, Any, dict[str, Any]]:
        pair = make(keep), make(keep)
        outputs, _ = tf1.nn.bidirectional_dynamic_rnn(
            *pair, x, dtype="float32", parallel_iterations=1
        )
        return pair, outputs, {}

    return build


def _dropped_before(make: Callable[[Any], Any]) -> Build:
    def build(x: Any, keep: Any) -> tuple[Any, Any, dict[str, Any]]:
        inputs = tf.nn.dropout(x, rate=1 - keep)
        return *_dynamic(make)(inputs, keep)[:2], {"inputs": inputs}

    return build


def _initial_noise(make: Callable[[Any], Any]) -> Build:
    def build(x: Any, keep: Any) -> tuple[Any, Any, dict[str, Any]]:
        cell = make(keep)
        state = tf.random.normal([tf.shape(x)[0], 5])
        outputs, _ = tf1.nn.dynamic_rnn(cell, x, initial_state=state, parallel_iterations=1)
        return cell, outputs, {"initial_state": state}

    return build


def _lstm(_: Any) -> Any:
    return cells.BasicLSTMCell(5)


def _full(_: Any) -> Any:
    return cells.LSTMCell(6, use_peepholes=True, num_proj=5, cell_clip=3.0)


def _gru(_: Any) -> Any:
    return cells.GRUCell(5)


def _rnn(_: Any) -> Any:
    return cells.BasicRNNCell(5)


def _dropout(inner: Callable[[Any], Any], *kinds: str, **options: Any) -> Callable[[Any], Any]:
    def make(keep: Any) -> Any:
        probabilities = {f"{kind}_keep_prob": keep for kind in kinds}
        return wrappers.DropoutWrapper(inner(keep), **probabilities, **options)

    return make


def _variational(inner: Callable[[Any], Any], *kinds: str) -> Callable[[Any], Any]:
    size = tf.TensorShape([graphs.FEATURES])
    options = {"variational_recurrent": True, "dtype": "float32", "input_size": size}
    return _dropout(inner, *kinds, **options)


def _multi(*makes: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda keep: cells.MultiRNNCell([make(keep) for make in makes])


def _residual(inner: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda keep: wrappers.ResidualWrapper(inner(keep))


GRAPHS: dict[str, Build] = {
    "plain": _dynamic(_lstm),
    "all options": _dynamic(_full),
    "GRU": _dynamic(_gru),
    "RNN": _dynamic(_rnn),
    "static": _static(_lstm),
    "both ways": _both_ways(_lstm),
    "dropout before": _dropped_before(_lstm),
    "noise in the initial state": _initial_noise(_gru),
    "dropout of inputs": _dynamic(_dropout(_lstm, "input")),
    "dropout of outputs": _dynamic(_dropout(_gru, "output")),
    "dropout of states": _dynamic(_dropout(_lstm, "state")),
    "dropout of all": _dynamic(_dropout(_full, "input", "output", "state")),
    "dropout, static": _static(_dropout(_lstm, "input", "output")),
    "dropout, both ways": _both_ways(_dropout(_lstm, "input", "output")),
    "dropout in layers": _dynamic(_multi(_dropout(_lstm, "output"), _dropout(_gru, "input"))),
    "dropout, residual": _dynamic(_residual(_dropout(lambda _: cells.GRUCell(4), "output"))),
    "variational": _dynamic(_variational(_lstm, "output")),
    "variational of inputs": _dynamic(_variational(_lstm, "input")),
    "variational of states": _dynamic(_variational(_gru, "state")),
    "variational of all": _dynamic(_variational(_full, "input", "output", "state")),
    "variational, static": _static(_variational(_lstm, "output")),
    "variational, both ways": _both_ways(_variational(_gru, "output")),
    "variational in layers": _dynamic(
        _multi(_variational(_lstm, "output"), _dropout(_gru, "output"))
    ),
}


def differences(name: str, log_dir: Path) -> tuple[list[str], list[str]]:
    """What differs between two trainings without the hook, and between one and that with it."""
    first, again, probed = (_trained(name, each) for each in (None, None, log_dir))
    return _unequal(first, again), _unequal(first, probed)


def _trained(name: str, log_dir: Path | None) -> dict[str, Any]:
    rng = np.random.default_rng(5)
    batches = rng.normal(size=(8, graphs.BATCH, graphs.TIME, graphs.FEATURES))
    tf_keras.utils.set_random_seed(7)  # the initial values
    with tf.Graph().as_default():
        tf1.set_random_seed(7)
        x = tf1.placeholder("float32", [None, graphs.TIME, graphs.FEATURES], name="x")
        keep = tf1.placeholder_with_default(np.float32(0.6), [], name="keep")
        cell, outputs, options = GRAPHS[name](x, keep)
        flat = tf.nest.flatten(outputs)
        loss = tf.add_n([tf.reduce_mean((each - 0.3) ** 2) for each in flat])
        loss += tf.reduce_mean(tf.random.uniform([3]))  # tells where the training's noise is
        step = tf1.train.get_or_create_global_step()
        train = tf1.train.AdamOptimizer(0.01).minimize(loss, global_step=step)
        hooks = []
        if log_dir is not None:
            feed = {x: batches[0][:2], keep: 1.0}
            told = {"inputs": x, "outputs": outputs, "feed_dict": feed, "every": 3, **options}
            hooks = [ProbeHook(cell, log_dir=log_dir, detail="scalars", **told)]
        variables = tf1.global_variables()
        one = tf1.ConfigProto(intra_op_parallelism_threads=1, inter_op_parallelism_threads=1)
        kept = {"hooks": hooks, "config": one, "log_step_count_steps": None}
        with tf1.train.MonitoredTrainingSession(**kept) as session:
            losses = [session.run([loss, train], {x: batch})[0] for batch in batches]
            left = session.run(variables)
        if hooks:
            assert hooks[0].report.failed == 0
            assert hooks[0].report.captured >= 3
    return {
        "losses": np.array(losses),
        **{v.name: value for v, value in zip(variables, left, strict=True)},
    }


def _unequal(a: dict[str, Any], b: dict[str, Any]) -> list[str]:
    return [name for name in a if a[name].tobytes() != b[name].tobytes()]
