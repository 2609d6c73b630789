"""Dropout and noise in graphs of TF1: the probe goes without, or is called random."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import session_graphs as graphs
import tensorflow as tf
from session_graphs import cells, tf1, wrappers

from lstm_probe.callbacks import ProbeHook

# TF1's cells announce their own age when they are made.
pytestmark = pytest.mark.filterwarnings("ignore:.tf.nn.rnn_cell:UserWarning")

CELLS: dict[str, Callable[[], Any]] = {
    "basic_lstm": lambda: cells.BasicLSTMCell(4),
    "lstm": lambda: cells.LSTMCell(4, use_peepholes=True),
    "gru": lambda: cells.GRUCell(4),
    "basic_rnn": lambda: cells.BasicRNNCell(4),
}


def old_dropout(x: Any) -> Any:
    """As TensorFlow 1.0 to 1.12 computed it: graphs that were imported hold that form."""
    keep = tf.constant(0.5)
    return tf.math.divide(x, keep) * tf.floor(keep + tf.random.uniform(tf.shape(x)))


def middle_dropout(x: Any) -> Any:
    """As TensorFlow 1.13 to 2.5 computed it."""
    mask = tf.random.uniform(tf.shape(x)) >= 0.3
    return x * (1 / 0.7) * tf.cast(mask, x.dtype)


NOISE: dict[str, Callable[[Any], Any]] = {
    "dropout": lambda x: tf.nn.dropout(x, rate=0.5),
    "dropout of TF1": lambda x: tf1.nn.dropout(x, keep_prob=0.5),
    "rate in the graph": lambda x: tf.nn.dropout(x, rate=tf.constant(0.5)),
    "one mask for all steps": lambda x: tf.nn.dropout(x, 0.5, noise_shape=[graphs.BATCH, 1, 4]),
    "old dropout": old_dropout,
    "middle dropout": middle_dropout,
    "twice": lambda x: tf.nn.dropout(tf.nn.dropout(x, 0.5), 0.25),
    "noise": lambda x: x + tf.random.normal(tf.shape(x), stddev=0.3),
    "truncated noise": lambda x: tf1.truncated_normal(tf.shape(x), stddev=0.3) + x,
    "gaussian dropout": lambda x: x * tf.random.normal(tf.shape(x), mean=1.0, stddev=0.3),
}


def captured(
    cell: Any, inputs: Any, outputs: Any, feed: Any, log_dir: Path, rng: Any, **options: Any
) -> tuple[ProbeHook, list[np.ndarray]]:
    """Three captures, and the inputs and outputs that each of them has shown."""
    hook = ProbeHook(
        cell, inputs=inputs, outputs=outputs, feed_dict=feed, log_dir=log_dir, every=1,
        detail="scalars", **options,
    )  # fmt: skip
    seen = []
    with tf1.Session() as session:
        hook.begin()
        graphs.randomise(session, rng)
        for step in range(3):
            hook.after_step(session, step)
            for analysis in hook.analyses.values():
                assert analysis.parity.verdict.kind == "match"
            shown = [[a.snapshot.x, a.snapshot.output] for a in hook.analyses.values()]
            seen.append([array for pair in shown for array in pair])
        hook.end(session)
    return hook, seen


def constant(seen: list[list[np.ndarray]]) -> bool:
    return all(map(np.array_equal, seen[0], seen[1])) and all(map(np.array_equal, seen[0], seen[2]))


# The form of the noise does not depend on the cell.
PAIRS = [
    *(("basic_lstm", noise) for noise in NOISE),
    *((name, noise) for name in ("lstm", "gru", "basic_rnn") for noise in ("dropout", "noise")),
]


@pytest.mark.parametrize(("name", "noise"), PAIRS)
def test_the_probe_goes_without_dropout_and_noise_before_the_cell(
    name: str, noise: str, tmp_path: Path, rng: np.random.Generator
) -> None:
    probe = graphs.probe_of(rng)
    with tf.Graph().as_default():
        x, cell = tf1.placeholder("float32", [None, graphs.TIME, graphs.FEATURES]), CELLS[name]()
        noisy = NOISE[noise](2 * x)
        outputs, _ = tf1.nn.dynamic_rnn(cell, noisy, dtype="float32")
        hook, seen = captured(cell, noisy, outputs, {x: probe}, tmp_path, rng)
    assert constant(seen)
    np.testing.assert_allclose(seen[0][0], 2 * probe, rtol=1e-6)
    assert "runs without dropout and noise" in str(hook.report)


@pytest.mark.parametrize("variational", [False, True])
@pytest.mark.parametrize("name", CELLS)
def test_wrappers_with_a_fixed_probability_drop_nothing_of_the_probe(
    name: str, variational: bool, tmp_path: Path, rng: np.random.Generator
) -> None:
    probe = graphs.probe_of(rng)
    options: dict[str, Any] = {"input_keep_prob": 0.5, "state_keep_prob": 0.8}
    if variational:
        size = tf.TensorShape([graphs.FEATURES])
        options |= {"variational_recurrent": True, "dtype": "float32", "input_size": size}
    with tf.Graph().as_default():
        x = tf1.placeholder("float32", [None, graphs.TIME, graphs.FEATURES])
        cell = wrappers.DropoutWrapper(CELLS[name](), output_keep_prob=0.5, **options)
        outputs, _ = tf1.nn.dynamic_rnn(cell, x, dtype="float32")
        hook, seen = captured(cell, x, outputs, {x: probe}, tmp_path, rng)
        assert cell._output_keep_prob == 0.5
    assert constant(seen)
    np.testing.assert_allclose(seen[0][0], probe, rtol=1e-6)
    assert "without dropout and noise" in str(hook.report)
    assert "DropoutWrapper" in str(hook.report)


@pytest.fixture(params=["loops of TF2", "loops of TF1"])
def loops(request: pytest.FixtureRequest) -> Any:
    """Loops as functions, and as ops of the graph."""
    if request.param == "loops of TF2":
        yield
        return
    tf1.disable_control_flow_v2()
    yield
    tf1.enable_control_flow_v2()


@pytest.mark.usefixtures("loops")
@pytest.mark.parametrize("form", ["dynamic", "static", "last", "both ways"])
@pytest.mark.long
def test_a_stack_of_wrappers_drops_nothing_under_any_runner(
    form: str, tmp_path: Path, rng: np.random.Generator
) -> None:
    def stack() -> Any:
        inner = [cells.BasicLSTMCell(4), cells.GRUCell(3)]
        return cells.MultiRNNCell(
            [wrappers.DropoutWrapper(inner[0], output_keep_prob=0.5), inner[1]]
        )

    with tf.Graph().as_default():
        x = tf1.placeholder("float32", [None, graphs.TIME, graphs.FEATURES])
        cell, inputs = stack(), x
        if form == "static":
            inputs = tf.unstack(x, axis=1)
            outputs, _ = tf1.nn.static_rnn(cell, inputs, dtype="float32")
        elif form == "both ways":
            cell = stack(), stack()
            outputs, _ = tf1.nn.bidirectional_dynamic_rnn(*cell, x, dtype="float32")
        else:
            outputs, _ = tf1.nn.dynamic_rnn(cell, x, dtype="float32")
        outputs = outputs[:, -1] if form == "last" else outputs
        feed = {x: graphs.probe_of(rng)}
        hook, seen = captured(cell, inputs, outputs, feed, tmp_path, rng)
    assert constant(seen)
    assert len(hook.analyses) == (4 if form == "both ways" else 2)


def test_noise_of_another_form_is_called_random(tmp_path: Path, rng: np.random.Generator) -> None:
    with tf.Graph().as_default():
        x = tf1.placeholder("float32", [None, graphs.TIME, graphs.FEATURES])
        cell, noisy = cells.GRUCell(4), x * tf.random.uniform(tf.shape(x))
        outputs, _ = tf1.nn.dynamic_rnn(cell, noisy, dtype="float32")
        hook, seen = captured(cell, noisy, outputs, {x: graphs.probe_of(rng)}, tmp_path, rng)
    assert not constant(seen)
    assert "the probe is random" in str(hook.report)


def test_a_mean_and_its_noise_are_told_apart(tmp_path: Path, rng: np.random.Generator) -> None:
    """What is added to noise is the signal, also where it is computed from what is noisy."""
    with tf.Graph().as_default():
        x = tf1.placeholder("float32", [None, graphs.TIME, graphs.FEATURES])
        mean, deviation = 3 * x, tf.exp(x)
        noisy = mean + deviation * tf.random.normal(tf.shape(x))
        cell = cells.GRUCell(4)
        outputs, _ = tf1.nn.dynamic_rnn(cell, noisy, dtype="float32")
        probe = graphs.probe_of(rng)
        _, seen = captured(cell, noisy, outputs, {x: probe}, tmp_path, rng)
    assert constant(seen)
    np.testing.assert_allclose(seen[0][0], 3 * probe, rtol=1e-6)
