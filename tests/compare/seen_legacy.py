"""Models of tf_keras, and TF1 cells in sessions with the hook."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import session_graphs as graphs
import tensorflow as tf
import tf_keras
import tf_keras_models
from described import note_analysis
from logs import note_log, warnings_of
from masking import masked
from observations import Observations
from seen_keras import note_model
from seen_logs import note_training
from session_graphs import cells, tf1, wrappers

from lstm_probe.callbacks import ProbeHook

__all__ = ["observe"]

#: Each takes tf_keras about a second.
MODELS = (
    "bidirectional", "cells_in_a_layer", "convolutional", "gated_units", "stacked_cells",
    "stack_in_reverse_order", "stateful", "subclassed", "unusual_activations", "behind_embedding",
)  # fmt: skip


def observe(seen: Observations) -> None:
    """Captures of models, a training, and every kind of cell in a session."""
    for name in MODELS:
        rng = np.random.default_rng(71)
        model, probe, _ = tf_keras_models.MODELS[name](rng)
        note_model(seen, name, tf_keras_models.randomise(model, rng), probe)
    note_training(seen, "tf_keras training", tf_keras, {"every": 4, "detail": "full"})
    for name, cell in _cells().items():
        with tf.Graph().as_default():
            _note_session(seen, name, cell)
    with tf.Graph().as_default():
        _note_monitored(seen)


def _cells() -> dict[str, Any]:
    """By name, what makes the cell in the default graph."""
    return {
        "basic lstm": lambda: cells.BasicLSTMCell(5),
        "basic lstm without forget bias": lambda: cells.BasicLSTMCell(5, forget_bias=0.0),
        "lstm": lambda: cells.LSTMCell(
            5, use_peepholes=True, cell_clip=0.4, num_proj=3, proj_clip=0.3
        ),
        "gru": lambda: cells.GRUCell(5),
        "rnn": lambda: cells.BasicRNNCell(5),
        "stack": lambda: cells.MultiRNNCell([cells.BasicLSTMCell(5), cells.GRUCell(4)]),
        "wrapped": lambda: wrappers.ResidualWrapper(cells.GRUCell(graphs.FEATURES)),
    }


def _note_session(seen: Observations, name: str, make: Any) -> None:
    rng = np.random.default_rng(72)
    x = tf1.placeholder("float32", [None, graphs.TIME, graphs.FEATURES], name="x")
    cell = make()
    outputs, _ = tf1.nn.dynamic_rnn(cell, x, dtype="float32", parallel_iterations=1)
    log_dir = name.replace(" ", "_")
    with warnings_of(seen, name):
        hook = ProbeHook(
            cell, inputs=x, outputs=outputs, feed_dict={x: graphs.probe_of(rng)},
            log_dir=log_dir, detail="full", max_overhead=None,
        )  # fmt: skip
        with tf1.Session() as session:
            hook.begin()
            graphs.randomise(session, rng)
            hook.after_step(session, 0)
            hook.end(session)
    for layer, analysis in hook.analyses.items():
        note_analysis(seen, f"{name}/{layer}", analysis)
    note_log(seen, name, Path(log_dir))
    seen.note("text", f"{name}/report", masked(str(hook.report)))


def _note_monitored(seen: Observations) -> None:
    """A monitored session that trains for 7 steps with the hook."""
    rng = np.random.default_rng(73)
    x = tf1.placeholder("float32", [None, graphs.TIME, graphs.FEATURES], name="x")
    cell = cells.BasicLSTMCell(5)
    constant = tf1.constant_initializer(rng.normal(0, 0.5, (graphs.FEATURES + 5, 20)))
    with tf1.variable_scope("rnn", initializer=constant) as scope:
        outputs, _ = tf1.nn.dynamic_rnn(cell, x, dtype="float32", scope=scope)
    loss = tf.reduce_mean(tf.square(outputs[:, -1] - 0.3))
    step = tf1.train.GradientDescentOptimizer(0.5).minimize(
        loss, global_step=tf1.train.get_or_create_global_step()
    )
    feed = {x: graphs.probe_of(rng)}
    with warnings_of(seen, "monitored"):
        hook = ProbeHook(
            cell, inputs=x, outputs=outputs, feed_dict=feed, log_dir="monitored", every=3,
            max_overhead=None,
        )  # fmt: skip
        with tf1.train.MonitoredTrainingSession(hooks=[hook], log_step_count_steps=None) as session:
            losses = [float(session.run([step, loss], feed)[1]) for _ in range(7)]
    note_log(seen, "monitored", Path("monitored"))
    seen.note("text", "monitored/report", masked(str(hook.report)))
    seen.note("digest", "monitored", [repr(each) for each in losses])
