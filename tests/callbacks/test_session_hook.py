"""The session hook in real sessions: when it captures, what it logs, what it leaves alone."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import event_reading
import keras
import numpy as np
import pytest
import session_graphs as graphs
import tensorflow as tf
from session_graphs import cells, tf1, wrappers

from lstm_probe.callbacks import ProbeCallback, ProbeHook
from lstm_probe.logs.stored.reader import find_runs

pytestmark = pytest.mark.filterwarnings("ignore:.tf.nn.rnn_cell:UserWarning")
NAME = "rnn/basic_lstm_cell"


class Training(NamedTuple):
    x: Any
    keep: Any
    cell: Any
    outputs: Any
    step: Any
    loss: Any
    feed: dict[Any, Any]


def training(rng: np.random.Generator, *, dropout: bool = False) -> Training:
    """A small regression in the default graph."""
    tf1.set_random_seed(7)
    x = tf1.placeholder("float32", [None, graphs.TIME, graphs.FEATURES], name="x")
    keep = tf1.placeholder_with_default(1.0, [], name="keep")
    inputs = tf.nn.dropout(x, rate=1 - keep) if dropout else x
    cell: Any = cells.BasicLSTMCell(5)
    if dropout:
        cell = wrappers.DropoutWrapper(cell, keep, keep, keep)
    initializer = tf1.random_uniform_initializer(-0.5, 0.5, seed=7)
    with tf1.variable_scope("rnn", initializer=initializer) as scope:
        # One step at a time: dropout draws in the order in which the steps happen to run.
        outputs, _ = tf1.nn.dynamic_rnn(
            cell, inputs, dtype="float32", scope=scope, parallel_iterations=1
        )
    loss = tf.reduce_mean(tf.square(outputs[:, -1] - 0.3))
    step = tf1.train.AdamOptimizer(0.01).minimize(
        loss, global_step=tf1.train.get_or_create_global_step()
    )
    return Training(x, keep, cell, outputs, step, loss, {x: graphs.probe_of(rng)})


def hook_for(t: Training, log_dir: Path, **options: Any) -> ProbeHook:
    options = {"every": 5, "detail": "explorer"} | options
    feed = {t.x: t.feed[t.x][:1]} | options.pop("feed", {})
    return ProbeHook(
        t.cell, inputs=t.x, outputs=t.outputs, feed_dict=feed, log_dir=log_dir, **options
    )


def monitored(*hooks: Any, **options: Any) -> Any:
    return tf1.train.MonitoredTrainingSession(hooks=hooks, log_step_count_steps=None, **options)


def steps(log_dir: Path, run: str = "lstm_probe") -> list[int]:
    return event_reading.steps(log_dir / run, f"{NAME}/parity/max_abs_error")


def test_captures_before_the_first_step_at_each_multiple_and_at_the_end(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    with tf.Graph().as_default():
        t = training(rng)
        hook = hook_for(t, tmp_path)
        with monitored(hook) as session:
            for _ in range(13):
                session.run(t.step, t.feed)
    assert steps(tmp_path) == [0, 5, 10, 13]
    assert (hook.report.captured, hook.report.failed) == (4, 0)
    assert hook.report.layers[NAME].max_abs_error < 1e-5


def test_captures_in_a_plain_loop_when_given_the_step(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    with tf.Graph().as_default() as graph, tf1.Session() as session:
        t = training(rng)
        hook = hook_for(t, tmp_path)
        session.run(tf1.global_variables_initializer())
        hook.begin()
        graph.finalize()
        hook.after_step(session, 0)
        for step in (1, 4, 6, 7, 12, 3, 13):  # 3: a step that goes back is not captured
            session.run(t.step, t.feed)
            hook.after_step(session, step)
        hook.end(session)
    assert steps(tmp_path) == [0, 6, 12, 13]


def test_every_capture_is_from_after_the_update(tmp_path: Path, rng: np.random.Generator) -> None:
    """Each step adds 1 to every weight: the weights tell the step at which they were read."""
    seen = []
    with tf.Graph().as_default():
        t = training(rng)
        kernel, bias = t.cell.variables
        step = tf1.train.get_global_step()
        ones = [v.assign_add(tf.ones(v.shape)) for v in (kernel, bias)]
        update = tf.group(step.assign_add(1), *ones)
        hook = hook_for(t, tmp_path, every=1, max_overhead=None)
        with monitored(hook) as session:
            first = hook.analyses[NAME].snapshot.weights.gate("f").bias
            for _ in range(300):
                session.run(update)
                snapshot = hook.analyses[NAME].snapshot
                moved = snapshot.weights.gate("f").bias - first
                seen.append((snapshot.step, float(moved.min()), float(moved.max())))
    assert seen == [(n, n, n) for n in range(1, 301)]
    assert hook.report.captured == 301


def weights_after(
    probed: bool, log_dir: Path, *, dropout: bool, monitored_session: bool
) -> list[np.ndarray]:
    rng = np.random.default_rng(5)
    with tf.Graph().as_default():
        t = training(rng, dropout=dropout)
        feed = t.feed | {t.keep: 0.6}
        hook = hook_for(t, log_dir, every=2) if probed else None
        variables = tf1.global_variables()
        if monitored_session:
            with monitored(*[hook] if hook else []) as session:
                for _ in range(9):
                    session.run(t.step, feed)
                return list(session.run(variables))
        with tf1.Session() as session:
            session.run(tf1.global_variables_initializer())
            for step in range(9):
                if hook:
                    hook.after_step(session, step)
                session.run(t.step, feed)
            if hook:
                hook.end(session)
            return list(session.run(variables))


@pytest.fixture
def old_control_flow() -> Iterator[None]:
    """Loops made of single ops, as under tf.compat.v1.disable_v2_behavior()."""
    tf1.disable_control_flow_v2()
    yield
    tf1.enable_control_flow_v2()


@pytest.mark.usefixtures("old_control_flow")
def test_training_is_bit_for_bit_the_same_when_loops_are_those_of_tf1(tmp_path: Path) -> None:
    options = {"dropout": True, "monitored_session": True}
    bare = weights_after(False, tmp_path, **options)
    probed = weights_after(True, tmp_path, **options)
    assert steps(tmp_path)[:3] == [0, 2, 4]
    for without, with_probe in zip(bare, probed, strict=True):
        np.testing.assert_array_equal(without, with_probe)


@pytest.mark.parametrize("monitored_session", [True, False])
@pytest.mark.parametrize("dropout", [False, True])
def test_training_is_bit_for_bit_the_same_with_the_probe(
    dropout: bool, monitored_session: bool, tmp_path: Path
) -> None:
    options = {"dropout": dropout, "monitored_session": monitored_session}
    bare = weights_after(False, tmp_path, **options)
    probed = weights_after(True, tmp_path, **options)
    assert steps(tmp_path)[:3] == [0, 2, 4]
    for without, with_probe in zip(bare, probed, strict=True):
        np.testing.assert_array_equal(without, with_probe)


def test_two_hooks_watch_one_graph(tmp_path: Path, rng: np.random.Generator) -> None:
    with tf.Graph().as_default():
        t = training(rng, dropout=True)
        hooks = [hook_for(t, tmp_path / name, every=n) for name, n in (("a", 2), ("b", 3))]
        variables = tf1.global_variables()
        with monitored(*hooks) as session:
            assert tf1.global_variables() == variables
            for _ in range(6):
                session.run(t.step, t.feed)
    assert steps(tmp_path / "a") == [0, 2, 4, 6]
    assert steps(tmp_path / "b") == [0, 3, 6]


def test_a_hook_serves_a_second_session(tmp_path: Path, rng: np.random.Generator) -> None:
    with tf.Graph().as_default() as graph:
        t = training(rng)
        hook = hook_for(t, tmp_path / "logs")
        for _ in range(2):
            with monitored(hook, checkpoint_dir=str(tmp_path / "checkpoints")) as session:
                operations = len(graph.get_operations())
                for _ in range(7):
                    session.run(t.step, t.feed)
                assert len(graph.get_operations()) == operations
    assert steps(tmp_path / "logs") == [0, 5, 7, 10, 14]


def test_the_log_has_the_tags_of_the_keras_callback(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    model = keras.Sequential([keras.Input((6, 4)), keras.layers.LSTM(5, name="memory")])
    model.compile("sgd", "mse")
    x = graphs.probe_of(rng)
    probe = ProbeCallback(x[:1], tmp_path / "keras", every=1)
    model.fit(x, np.ones((len(x), 5)), verbose=0, callbacks=[probe])
    with tf.Graph().as_default():
        t = training(rng)
        with monitored(hook_for(t, tmp_path / "session", every=1, detail="gates")) as session:
            session.run(t.step, t.feed)
    keras_values = event_reading.values(tmp_path / "keras" / "lstm_probe")
    values = event_reading.values(tmp_path / "session" / "lstm_probe")
    renamed = {(tag.replace(NAME, "memory"), step): v for (tag, step), v in values.items()}
    assert renamed.keys() == keras_values.keys()
    for key, value in renamed.items():
        assert value.metadata.plugin_data == keras_values[key].metadata.plugin_data
        assert value.metadata.summary_description == keras_values[key].metadata.summary_description


def test_a_global_step_that_stands_still_is_warned_of(
    tmp_path: Path, rng: np.random.Generator, caplog: pytest.LogCaptureFixture
) -> None:
    with tf.Graph().as_default(), caplog.at_level(logging.WARNING):
        t = training(rng)
        with monitored(hook_for(t, tmp_path)) as session:
            for _ in range(3):
                session.run(t.outputs, t.feed)
    assert "the global step stayed at 0 during 3 runs" in caplog.text


def test_the_loss_of_a_loop_is_logged(rng: np.random.Generator, tmp_path: Path) -> None:
    with tf.Graph().as_default(), tf1.Session() as session:
        t = training(rng)
        hook, seen = hook_for(t, tmp_path), []
        session.run(tf1.global_variables_initializer())
        hook.after_step(session, 0)
        for step in range(1, 11):
            seen.append(session.run([t.loss, t.step], t.feed)[0])
            hook.after_step(session, step, logs={"loss": seen[-1], "no number": "x"})
        hook.end(session)
    (run,) = find_runs(tmp_path).values()
    logged = [point.as_data()["training"] for point in run.course if point.step]
    assert [each["loss"] for each in logged] == pytest.approx([seen[4], seen[9]], rel=1e-6)


def test_logs_that_are_none_stop_no_training(rng: np.random.Generator, tmp_path: Path) -> None:
    with tf.Graph().as_default(), tf1.Session() as session:
        t = training(rng)
        hook = hook_for(t, tmp_path, every=1)
        session.run(tf1.global_variables_initializer())
        hook.after_step(session, 0)
        for step in (1, 2):
            session.run(t.step, t.feed)
            hook.after_step(session, step, logs=np.ones(2))  # type: ignore[arg-type]
        hook.end(session)
    assert steps(tmp_path) == [0, 1, 2]
