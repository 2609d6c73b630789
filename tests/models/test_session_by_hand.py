"""Cells of TF1 in wrappers of the user's own, in loops written by hand, and beside each other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import session_graphs as graphs
import tensorflow as tf
from session_graphs import cells, record, tf1, wrappers

from lstm_probe import LstmProbeError
from lstm_probe.callbacks import ProbeHook

# TF1's cells announce their own age when they are made.
pytestmark = pytest.mark.filterwarnings("ignore:.tf.nn.rnn_cell:UserWarning")


class Attention(cells.RNNCell):  # type: ignore[misc]
    """What wrappers of seq2seq models do: the inner cell reads the input beside a context."""

    def __init__(self, inner: Any, memory: Any, scale: float = 1.0) -> None:
        super().__init__(name="attention")
        self._inner, self._memory, self._scale = inner, memory, scale
        self._width = int(memory.shape[-1])

    @property
    def state_size(self) -> Any:
        return self._inner.state_size, self._width

    @property
    def output_size(self) -> int:
        return int(self._inner.output_size)

    def call(self, inputs: Any, state: Any) -> Any:
        inner, context = state
        inner = tf.nest.map_structure(lambda each: self._scale * each, inner)
        output, inner = self._inner(tf.concat([inputs, context], 1), inner)
        weights = tf.nn.softmax(tf.einsum("bsw,bw->bs", self._memory, output))
        return output, (inner, tf.einsum("bs,bsw->bw", weights, self._memory))


INNER = {
    "basic_lstm": lambda: cells.BasicLSTMCell(4),
    "lstm": lambda: cells.LSTMCell(6, num_proj=4, use_peepholes=True),
    "gru": lambda: cells.GRUCell(4),
    "stack": lambda: cells.MultiRNNCell([cells.GRUCell(3), cells.BasicLSTMCell(4)]),
    "dropped": lambda: wrappers.DropoutWrapper(cells.GRUCell(4), output_keep_prob=0.5),
}


def dense(x: Any, units: int) -> Any:
    """A layer that is not recurrent, with variables of its own."""
    kernel = tf1.get_variable("dense/kernel", [x.shape[-1], units])
    return tf.tanh(tf.tensordot(x, kernel, 1))


def matches(hook: ProbeHook) -> bool:
    return all(each.parity.verdict.kind == "match" for each in hook.analyses.values())


@pytest.mark.parametrize("lengths", [None, np.array([6, 2, 4], np.int32)])
@pytest.mark.parametrize("name", INNER)
def test_the_cell_inside_a_wrapper_of_the_users_own_is_shown(
    name: str, lengths: Any, tmp_path: Path, rng: np.random.Generator
) -> None:
    with tf.Graph().as_default():
        x = tf1.placeholder("float32", [None, graphs.TIME, graphs.FEATURES])
        memory = tf.constant(rng.normal(size=(graphs.BATCH, 5, 4)), "float32")
        cell = Attention(INNER[name](), memory)
        state = tf.nest.map_structure(
            lambda zero: zero + 0.3, cell.zero_state(graphs.BATCH, tf.float32)
        )
        outputs, _ = tf1.nn.dynamic_rnn(
            cell, x, initial_state=state, sequence_length=lengths, dtype="float32"
        )
        hook = record(
            cell, x, outputs, {x: graphs.probe_of(rng)}, tmp_path, rng,
            initial_state=state, sequence_length=lengths,
        )  # fmt: skip
    assert len(hook.analyses) == (2 if name == "stack" else 1)
    assert matches(hook)
    first = next(iter(hook.analyses.values())).snapshot
    assert first.x.shape == (graphs.BATCH, graphs.TIME, graphs.FEATURES + 4)
    assert first.initial_state is not None
    np.testing.assert_allclose(first.initial_state[0], 0.3, rtol=1e-6)


def test_a_wrapper_that_changes_the_state_is_refused(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    with tf.Graph().as_default():
        x = tf1.placeholder("float32", [None, graphs.TIME, graphs.FEATURES])
        memory = tf.constant(rng.normal(size=(graphs.BATCH, 5, 4)), "float32")
        cell = Attention(cells.GRUCell(4), memory, scale=0.9)
        outputs, _ = tf1.nn.dynamic_rnn(cell, x, dtype="float32")
        with pytest.raises(LstmProbeError, match=r"no sequence. Received: the state that Attent"):
            record(cell, x, outputs, {x: graphs.probe_of(rng)}, tmp_path, rng)


@pytest.mark.parametrize("name", INNER)
def test_a_loop_written_by_hand_is_shown_by_the_lists_of_its_tensors(
    name: str, tmp_path: Path, rng: np.random.Generator
) -> None:
    with tf.Graph().as_default(), tf1.variable_scope("decoder", reuse=tf1.AUTO_REUSE):
        x = tf1.placeholder("float32", [None, graphs.FEATURES])
        cell = INNER[name]()
        first = tf.nest.map_structure(
            lambda zero: zero + 0.2, cell.zero_state(graphs.BATCH, tf.float32)
        )
        y, state, inputs, outputs = x, first, [], []
        for _ in range(5):
            inputs.append(y)
            output, state = cell(y, state)
            outputs.append(output)
            y = dense(output, graphs.FEATURES)
        feed = {x: rng.normal(size=(graphs.BATCH, graphs.FEATURES))}
        hook = record(cell, inputs, outputs, feed, tmp_path, rng, initial_state=first)
    assert matches(hook)
    assert {each.snapshot.timesteps for each in hook.analyses.values()} == {5}


def test_a_raw_rnn_that_reads_a_sequence_is_shown(tmp_path: Path, rng: np.random.Generator) -> None:
    with tf.Graph().as_default():
        x = tf1.placeholder("float32", [graphs.TIME, graphs.BATCH, graphs.FEATURES])
        cell, steps = cells.LSTMCell(4), tf.TensorArray("float32", graphs.TIME).unstack(x)

        def loop(time: Any, output: Any, state: Any, loop_state: Any) -> Any:
            done = time >= graphs.TIME
            following = tf.cond(
                done, lambda: tf.zeros([graphs.BATCH, graphs.FEATURES]), lambda: steps.read(time)
            )
            if output is None:
                state = cell.zero_state(graphs.BATCH, tf.float32)
            return tf.fill([graphs.BATCH], done), following, state, output, None

        array, _, _ = tf1.nn.raw_rnn(cell, loop)
        feed = {x: graphs.probe_of(rng).swapaxes(0, 1)}
        hook = record(cell, x, array.stack(), feed, tmp_path, rng, time_major=True)
    assert matches(hook)
    (analysis,) = hook.analyses.values()
    assert analysis.snapshot.x.shape == (graphs.BATCH, graphs.TIME, graphs.FEATURES)


def test_cells_that_the_hook_was_not_given_are_named(
    tmp_path: Path, rng: np.random.Generator, caplog: pytest.LogCaptureFixture
) -> None:
    with tf.Graph().as_default():
        x = tf1.placeholder("float32", [None, graphs.TIME, graphs.FEATURES])
        with tf1.variable_scope("encoder"):
            encoder = cells.BasicLSTMCell(4)
            outputs, state = tf1.nn.dynamic_rnn(encoder, x, dtype="float32")
        with tf1.variable_scope("decoder"):
            decoder = cells.GRUCell(4)
            dense(decoder(x[:, 0], state.h)[0], 3)
        hook = record(encoder, x, outputs, {x: graphs.probe_of(rng)}, tmp_path, rng)
    assert list(hook.analyses) == ["encoder/rnn/basic_lstm_cell"]
    assert list(hook.report.remarks) == ["decoder/gru_cell"]
    assert "hook of its own" in hook.report.remarks["decoder/gru_cell"]
    assert "decoder/gru_cell" in str(hook.report)
    assert "decoder/gru_cell" in caplog.text


def test_nothing_is_named_where_all_is_shown(tmp_path: Path, rng: np.random.Generator) -> None:
    with tf.Graph().as_default():
        x = tf1.placeholder("float32", [None, graphs.TIME, graphs.FEATURES])
        cell = cells.MultiRNNCell([cells.BasicLSTMCell(4), cells.GRUCell(3)])
        outputs, _ = tf1.nn.dynamic_rnn(cell, x, dtype="float32")
        dense(outputs, 2)
        hook = record(cell, x, outputs, {x: graphs.probe_of(rng)}, tmp_path, rng)
    assert hook.report.remarks == {}


@pytest.mark.parametrize("scoped", [True, False])
def test_the_backward_cell_is_named_by_its_direction(
    scoped: bool, tmp_path: Path, rng: np.random.Generator
) -> None:
    with tf.Graph().as_default():
        x = tf1.placeholder("float32", [None, graphs.TIME, graphs.FEATURES])
        pair = cells.GRUCell(4), cells.GRUCell(4)
        if scoped:
            outputs, _ = tf1.nn.bidirectional_dynamic_rnn(*pair, x, dtype="float32")
        else:
            forward, _ = tf1.nn.dynamic_rnn(pair[0], x, dtype="float32", scope="there")
            backward, _ = tf1.nn.dynamic_rnn(
                pair[1], tf.reverse(x, [1]), dtype="float32", scope="back"
            )
            outputs = forward, tf.reverse(backward, [1])
        hook = record(pair, x, outputs, {x: graphs.probe_of(rng)}, tmp_path, rng)
    assert matches(hook)
    forward, backward = hook.analyses
    assert backward == ("bidirectional_rnn/bw/gru_cell" if scoped else "back/gru_cell/bw")
    assert "bw" not in forward
    assert hook.analyses[backward].snapshot.reverse
