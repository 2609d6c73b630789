"""Graphs of TF1 for the tests of the session hook: random distinct weights, real sessions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

# tf.compat.v1.nn.rnn_cell gives these under TF_USE_LEGACY_KERAS=1 only, and then tf.keras is
# tf_keras for the whole process; the classes themselves work beside Keras 3.
from tf_keras.src.layers.rnn import legacy_cell_wrappers as wrappers
from tf_keras.src.layers.rnn import legacy_cells as cells

from lstm_probe.callbacks import ProbeHook

__all__ = [
    "BATCH",
    "FEATURES",
    "TIME",
    "cells",
    "probe_of",
    "randomise",
    "record",
    "tf1",
    "wrappers",
]

BATCH, TIME, FEATURES = 3, 6, 4
tf1 = tf.compat.v1
tf1.logging.set_verbosity(tf1.logging.ERROR)  # each cell announces its age


def probe_of(rng: np.random.Generator) -> np.ndarray:
    return rng.normal(size=(BATCH, TIME, FEATURES))


def randomise(session: Any, rng: np.random.Generator) -> None:
    """Give every float variable random distinct values: equal ones would hide swapped gates."""
    session.run(tf1.global_variables_initializer())
    for variable in tf1.global_variables():
        if variable.dtype.base_dtype.is_floating:
            values = 0.6 * rng.normal(size=variable.shape)
            variable.load(values.astype(variable.dtype.base_dtype.as_numpy_dtype), session)


def record(
    cell: Any,
    inputs: Any,
    outputs: Any,
    feed_dict: Mapping[Any, Any],
    log_dir: Path,
    rng: np.random.Generator,
    **options: Any,
) -> ProbeHook:
    """One capture with random weights, in the default graph."""
    hook = ProbeHook(
        cell, inputs=inputs, outputs=outputs, feed_dict=feed_dict, log_dir=log_dir,
        **{"detail": "explorer", **options},
    )  # fmt: skip
    with tf1.Session() as session:
        hook.begin()
        randomise(session, rng)
        hook.after_step(session, 0)
        hook.end(session)
    return hook
