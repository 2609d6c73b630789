"""What goes wrong in session loops: told before the first step, or survived."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import event_reading
import numpy as np
import pytest
import session_graphs as graphs
import tensorflow as tf
from session_graphs import cells, tf1, wrappers

from lstm_probe import LstmProbeError
from lstm_probe.callbacks import ProbeHook
from lstm_probe.models.session.reader import SessionReader

pytestmark = pytest.mark.filterwarnings("ignore:.tf.nn.rnn_cell:UserWarning")
NAME = "rnn/basic_lstm_cell"


class World:
    """A small training in a graph of its own, and a hook that can be made wrongly."""

    def __init__(self, log_dir: Path, rng: np.random.Generator) -> None:
        self.log_dir = log_dir
        self.x = tf1.placeholder("float32", [None, 6, 4], name="x")
        self.cell = cells.BasicLSTMCell(5)
        self.outputs, self.state = tf1.nn.dynamic_rnn(self.cell, self.x, dtype="float32")
        self.probe = rng.normal(size=(2, 6, 4))
        self.global_step = tf1.train.get_or_create_global_step()
        self.train = tf1.train.GradientDescentOptimizer(0.1).minimize(
            tf.reduce_mean(self.outputs), global_step=self.global_step
        )

    def hook(self, cell: Any = None, **options: Any) -> ProbeHook:
        given = {
            "inputs": self.x,
            "outputs": self.outputs,
            "feed_dict": {self.x: self.probe},
            "log_dir": self.log_dir,
            "every": 2,
            "detail": "explorer",
        }
        return ProbeHook(self.cell if cell is None else cell, **given | options)

    def train_for(self, session: Any, count: int) -> None:
        for _ in range(count):
            session.run(self.train, {self.x: self.probe})

    def steps(self) -> list[int]:
        return event_reading.steps(self.log_dir / "lstm_probe", f"{NAME}/parity/max_abs_error")


@pytest.fixture
def world(tmp_path: Path, rng: np.random.Generator) -> Any:
    with tf.Graph().as_default():
        yield World(tmp_path, rng)


def monitored(*hooks: Any, **options: Any) -> Any:
    return tf1.train.MonitoredTrainingSession(hooks=hooks, log_step_count_steps=None, **options)


def other_tensor(w: World) -> Any:
    return tf1.placeholder("float32", [None, 6, 4], name="other")


WRONG: dict[str, tuple[Callable[[World], dict[str, Any]], str]] = {
    "cell not built": (lambda w: {"cell": cells.GRUCell(3)}, r"no variables yet.*GRUCell"),
    "cell of a kind unknown": (lambda w: {"cell": object()}, r"cannot be probed.*object"),
    "three cells": (lambda w: {"cell": (w.cell,) * 3}, r"two directions.*3 cells"),
    "outputs with the state": (
        lambda w: {"outputs": (w.outputs, w.state)},
        r"not those of a recurrent run|not tensors",
    ),
    "outputs of no graph": (lambda w: {"outputs": np.zeros((2, 6, 5))}, r"not tensors of a graph"),
    "inputs of another run": (lambda w: {"inputs": other_tensor(w)}, r"do not depend on 'other'"),
    "outputs of another width": (
        lambda w: {"outputs": w.outputs[:, :, :3]},
        r"does not fit together",
    ),
    "outputs changed": (lambda w: {"outputs": w.outputs + 0.1}, r"do not belong together"),
    "time-major that is not": (lambda w: {"time_major": True}, r"Expected|do not belong"),
    "no feed": (lambda w: {"feed_dict": {}}, r"holds no probe"),
    "feed of another graph": (
        lambda w: {"feed_dict": {"absent:0": w.probe}},
        r"feeds what the graph does not have",
    ),
    "feed incomplete": (
        lambda w: {"outputs": w.outputs * other_tensor(w)[:, :, :1]},
        r"feed_dict is not complete. Received: no value for other",
    ),
    "probe of another shape": (
        lambda w: {"feed_dict": {w.x: w.probe[0]}},
        r"does not fit what it is fed to. Received: shape \(6, 4\)",
    ),
    "probe of text": (
        lambda w: {"feed_dict": {w.x: np.full((2, 6, 4), "a")}},
        r"does not fit what it is fed to. Received: <U1",
    ),
    "probe not finite": (lambda w: {"feed_dict": {w.x: w.probe * np.nan}}, r"not finite"),
    "probe empty": (lambda w: {"feed_dict": {w.x: w.probe[:0]}}, r"is empty"),
    "every is zero": (lambda w: {"every": 0}, r"every=0"),
    "log directory is a file": (lambda w: {"log_dir": __file__}, r"cannot be written to"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_mistake_is_told_before_the_first_step(name: str, world: World) -> None:
    make, message = WRONG[name]

    def train() -> None:
        with monitored(world.hook(**make(world))):
            pytest.fail("training could begin")

    with pytest.raises(LstmProbeError, match=message) as caught:
        train()
    assert "Received" in str(caught.value)
    assert "Expected" in str(caught.value)


def test_lengths_that_the_hook_was_not_told_are_noticed(world: World) -> None:
    with tf1.variable_scope("short"):
        cell = cells.BasicLSTMCell(5)
        outputs, _ = tf1.nn.dynamic_rnn(
            cell, world.x, dtype="float32", sequence_length=np.array([6, 4])
        )
    hook = world.hook(cell, outputs=outputs)
    with (
        pytest.raises(LstmProbeError, match=r"all zero in 2 steps.*sequence_length"),
        monitored(hook),
    ):
        pytest.fail("training began")


def test_a_probe_that_tensorflow_cannot_compute_is_told_in_one_line(world: World) -> None:
    checked = tf1.verify_tensor_all_finite(world.outputs * np.inf, "not finite: injected")
    hook = world.hook(outputs=checked)
    with (
        pytest.raises(LstmProbeError, match=r"InvalidArgumentError: .*injected") as info,
        monitored(hook),
    ):
        pytest.fail("training began")
    assert len(str(info.value).splitlines()) == 1


def test_a_probe_that_is_dropped_at_random_is_refused(world: World) -> None:
    keep = tf1.placeholder("float32", [])
    cell = wrappers.DropoutWrapper(cells.BasicLSTMCell(5), output_keep_prob=keep)
    with tf1.variable_scope("dropped"):
        outputs, _ = tf1.nn.dynamic_rnn(cell, world.x, dtype="float32")
    hook = world.hook(cell, outputs=outputs, feed_dict={world.x: world.probe, keep: 0.5})
    with pytest.raises(LstmProbeError, match=r"every keep probability fed 1.0"), monitored(hook):
        pytest.fail("training began")


def test_a_probe_that_would_use_up_training_data_is_refused(world: World) -> None:
    data = tf.data.Dataset.from_tensors(world.probe.astype("float32")).repeat()
    batch = tf1.data.make_one_shot_iterator(data).get_next()
    cell = cells.BasicLSTMCell(5)
    with tf1.variable_scope("piped"):
        outputs, _ = tf1.nn.dynamic_rnn(cell, batch, dtype="float32")
    with pytest.raises(LstmProbeError, match=r"uses up training data.*IteratorGetNext"):
        world.hook(cell, inputs=batch, outputs=outputs).begin()
    hook = world.hook(cell, inputs=batch, outputs=outputs, feed_dict={batch: world.probe})
    with monitored(hook):  # what is fed is not drawn
        assert hook.analyses[f"piped/{NAME}"].parity.within_tolerance


def test_outputs_that_write_to_a_variable_are_refused(world: World) -> None:
    counter = tf1.get_variable("counter", initializer=0.0)
    with tf.control_dependencies([counter.assign_add(1.0)]):
        outputs = tf.identity(world.outputs)
    with pytest.raises(LstmProbeError, match=r"would change the training.*AssignAddVariableOp"):
        world.hook(outputs=outputs).begin()


def test_a_graph_without_global_step_is_told(tmp_path: Path, rng: np.random.Generator) -> None:
    with tf.Graph().as_default():
        x = tf1.placeholder("float32", [None, 6, 4])
        cell = cells.BasicLSTMCell(5)
        outputs, _ = tf1.nn.dynamic_rnn(cell, x, dtype="float32")
        feed = {x: graphs.probe_of(rng)}
        hook = ProbeHook(cell, inputs=x, outputs=outputs, feed_dict=feed, log_dir=tmp_path)
        with (
            pytest.raises(LstmProbeError, match="no global step"),
            tf1.train.MonitoredSession(hooks=[hook]),
        ):
            pytest.fail("training began")


@pytest.mark.parametrize("last_only", [False, True])
def test_a_finalized_graph_is_told_only_when_ops_are_needed(last_only: bool, world: World) -> None:
    outputs = world.outputs[:, -1] if last_only else world.outputs
    hook = world.hook(outputs=outputs)
    with tf1.Session() as session:
        session.run(tf1.global_variables_initializer())
        tf1.get_default_graph().finalize()
        if last_only:
            with pytest.raises(LstmProbeError, match=r"finalized graph.*hook.begin\(\)"):
                hook.after_step(session, 0)
        else:
            hook.after_step(session, 0)
            assert hook.report.captured == 1
        hook.end(session)


def test_sessions_that_cannot_compute_the_probe_are_told(world: World) -> None:
    hook = world.hook()
    with tf1.Session() as session:
        with pytest.raises(LstmProbeError, match="initialized variables"):
            hook.after_step(session, 0)
        with pytest.raises(LstmProbeError, match="another graph"):
            hook.after_step(tf1.Session(graph=tf.Graph()), 0)
    with pytest.raises(LstmProbeError, match="closed"):
        hook.after_step(session, 0)


def test_a_session_closed_in_mid_training_is_survived(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    hook = world.hook()
    with tf1.Session() as session:
        session.run(tf1.global_variables_initializer())
        hook.after_step(session, 0)
    for step in (2, 4, 6):
        hook.after_step(session, step)
    hook.end(session)
    assert (hook.report.captured, hook.report.failed) == (1, 3)
    assert caplog.text.count("training goes on") == 1
    assert world.steps() == [0]


def test_a_failing_probe_does_not_fail_the_run(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    hook = world.hook()
    with monitored(hook) as session:
        world.train_for(session, 2)
        with monkeypatch.context() as patch, caplog.at_level(logging.WARNING):
            patch.setattr(SessionReader, "take", _failing)
            world.train_for(session, 6)
        world.train_for(session, 2)
        assert session.run(world.global_step) == 10
    assert world.steps() == [0, 2, 10]
    assert (hook.report.captured, hook.report.failed, hook.report.due) == (3, 3, 6)
    assert caplog.text.count("training goes on") == 1


def _failing(*_: Any, **__: Any) -> Any:
    raise tf.errors.InternalError(None, None, "injected")


def test_a_probe_that_is_interrupted_lets_the_interrupt_pass(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = world.hook()

    def interrupted(*_: Any, **__: Any) -> Any:
        raise KeyboardInterrupt

    with tf1.Session() as session:
        session.run(tf1.global_variables_initializer())
        hook.after_step(session, 0)
        with monkeypatch.context() as patch:
            patch.setattr(SessionReader, "take", interrupted)
            with pytest.raises(KeyboardInterrupt):
                hook.after_step(session, 2)
        hook.after_step(session, 4)
        hook.end(session)
    assert world.steps() == [0, 4]


class Aborting(tf1.train.SessionRunHook):  # type: ignore[misc]
    """Loses the session once, as a parameter server that restarts does."""

    def __init__(self, after: int) -> None:
        self._left = after

    def after_run(self, run_context: Any, run_values: Any) -> None:
        self._left -= 1
        if self._left == 0:
            raise tf.errors.AbortedError(None, None, "injected")


def test_a_recovered_session_writes_no_step_twice(world: World) -> None:
    hook, operations = world.hook(), 0
    saver = tf1.train.CheckpointSaverHook(str(world.log_dir / "checkpoints"), save_steps=5)
    with monitored(
        hook, Aborting(after=9), checkpoint_dir=str(world.log_dir / "checkpoints"),
        chief_only_hooks=[saver], save_checkpoint_steps=None, save_checkpoint_secs=None,
    ) as session:  # fmt: skip
        operations = len(tf1.get_default_graph().get_operations())
        world.train_for(session, 12)
        assert len(tf1.get_default_graph().get_operations()) == operations
        last = int(session.run(world.global_step))
    # From step 9 back to 5 or 6, as the saver had it: 6 and 8 are in the log already.
    assert 7 < last < 10
    assert world.steps() == [*range(0, 9, 2), *([last] if last > 8 else [])]
    assert (hook.report.failed, len(list(world.log_dir.glob("lstm_probe*")))) == (0, 1)


def test_what_was_captured_is_on_disk_when_the_session_fails(world: World) -> None:
    class Failing(tf1.train.SessionRunHook):  # type: ignore[misc]
        def after_run(self, run_context: Any, run_values: Any) -> None:
            if len(world.steps()) == 3:
                raise RuntimeError("injected")

    hook = world.hook()
    with pytest.raises(RuntimeError, match="injected"), monitored(hook, Failing()) as session:
        world.train_for(session, 10)
    assert world.steps() == [0, 2, 4]
    with monitored(hook) as session:  # begun anew: a run of its own
        world.train_for(session, 3)
    assert event_reading.steps(world.log_dir / "lstm_probe_2", f"{NAME}/parity/max_abs_error") == [
        0,
        2,
        3,
    ]


WITHOUT_TF_KERAS = """
import sys
sys.modules["tf_keras"] = None
from lstm_probe import LstmProbeError
from lstm_probe.callbacks import legacy_cells
try:
    legacy_cells()
except LstmProbeError as error:
    print(error)
"""


@pytest.mark.parametrize("enabled", ["", "1"])
@pytest.mark.daily(1)
def test_the_missing_legacy_cells_are_told_with_what_to_do(enabled: str, tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-c", WITHOUT_TF_KERAS],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        env=os.environ | {"TF_USE_LEGACY_KERAS": enabled},
    )
    assert "TF1's recurrent cells are not there. Received: " in run.stdout
    assert "install tf_keras" in run.stdout
    assert "set the environment variable TF_USE_LEGACY_KERAS=1" in run.stdout
