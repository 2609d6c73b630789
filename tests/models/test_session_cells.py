"""Each of TF1's cells under each of its runners: every trace against TensorFlow's own output."""

from __future__ import annotations

from collections.abc import Callable
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

BOUNDS = {"float32": 1e-5, "float64": 1e-13}
LENGTHS = np.array([6, 2, 4], np.int32)

CELLS: dict[str, Callable[[], Any]] = {
    "basic_lstm": lambda: cells.BasicLSTMCell(5, forget_bias=0.7),
    "basic_lstm_relu": lambda: cells.BasicLSTMCell(5, activation="relu"),
    "basic_lstm_joined_state": lambda: cells.BasicLSTMCell(5, state_is_tuple=False),
    "lstm": lambda: cells.LSTMCell(5, forget_bias=1.3),
    "lstm_everything": lambda: cells.LSTMCell(
        5, use_peepholes=True, cell_clip=0.4, num_proj=3, proj_clip=0.2
    ),
    "lstm_cell_clip_zero": lambda: cells.LSTMCell(5, cell_clip=0.0),
    "gru": lambda: cells.GRUCell(5),
    "basic_rnn": lambda: cells.BasicRNNCell(5),
    "own_activation": lambda: cells.BasicRNNCell(5, activation=lambda x: tf.tanh(x) * 0.8),
    "device": lambda: wrappers.DeviceWrapper(cells.BasicLSTMCell(5), "/cpu:0"),
    "residual": lambda: wrappers.ResidualWrapper(cells.GRUCell(graphs.FEATURES)),
    "stack": lambda: cells.MultiRNNCell(
        [
            cells.BasicLSTMCell(4),
            wrappers.ResidualWrapper(cells.LSTMCell(4, use_peepholes=True)),
            cells.GRUCell(3),
        ]
    ),
    "stack_with_residual_top": lambda: cells.MultiRNNCell(
        [cells.GRUCell(4), wrappers.ResidualWrapper(cells.BasicRNNCell(4))]
    ),
}


def verify(hook: ProbeHook, dtype: str, count: int = 1) -> None:
    assert len(hook.analyses) == count
    for analysis in hook.analyses.values():
        assert analysis.snapshot.dtype == dtype
        assert analysis.parity.float64.max_abs < BOUNDS[dtype]
        assert (
            np.abs(analysis.snapshot.output).max() > 1e-3 or analysis.snapshot.cell.cell_clip == 0
        )


def counted(cell: Any) -> int:
    return len(getattr(cell, "_cells", [cell]))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", CELLS)
def test_gates_are_those_of_the_cell_under_dynamic_rnn(
    name: str, dtype: str, tmp_path: Path, rng: np.random.Generator
) -> None:
    with tf.Graph().as_default():
        x, cell = tf1.placeholder(dtype, [None, None, graphs.FEATURES]), CELLS[name]()
        outputs, _ = tf1.nn.dynamic_rnn(cell, x, sequence_length=LENGTHS, dtype=dtype)
        hook = record(
            cell, x, outputs, {x: graphs.probe_of(rng)}, tmp_path, rng, sequence_length=LENGTHS
        )
    verify(hook, dtype, counted(cell))


@pytest.mark.parametrize("name", ["basic_lstm", "lstm_everything", "gru", "basic_rnn", "stack"])
def test_gates_are_those_of_the_cell_under_static_rnn(
    name: str, tmp_path: Path, rng: np.random.Generator
) -> None:
    with tf.Graph().as_default():
        x, cell = tf1.placeholder("float32", [None, graphs.TIME, graphs.FEATURES]), CELLS[name]()
        inputs = tf.unstack(x, axis=1)
        outputs, _ = tf1.nn.static_rnn(cell, inputs, dtype="float32", sequence_length=LENGTHS)
        feed = {x: graphs.probe_of(rng)}
        hook = record(cell, inputs, outputs, feed, tmp_path, rng, sequence_length=LENGTHS)
    verify(hook, "float32", counted(cell))


@pytest.mark.parametrize("name", ["basic_lstm_joined_state", "lstm_everything", "gru", "stack"])
def test_initial_states_and_time_major_are_followed(
    name: str, tmp_path: Path, rng: np.random.Generator
) -> None:
    with tf.Graph().as_default():
        x, cell = tf1.placeholder("float64", [graphs.TIME, None, graphs.FEATURES]), CELLS[name]()
        zeros = cell.zero_state(graphs.BATCH, tf.float64)
        state = tf.nest.map_structure(lambda z: z + rng.normal(size=z.shape), zeros)
        outputs, _ = tf1.nn.dynamic_rnn(cell, x, initial_state=state, time_major=True)
        feed = {x: graphs.probe_of(rng).swapaxes(0, 1)}
        hook = record(cell, x, outputs, feed, tmp_path, rng, initial_state=state, time_major=True)
    verify(hook, "float64", counted(cell))
    snapshot = next(iter(hook.analyses.values())).snapshot
    assert snapshot.x.shape == (graphs.BATCH, graphs.TIME, graphs.FEATURES)
    assert snapshot.initial_state is not None


@pytest.mark.parametrize("backward", ["lstm", "stack"])
@pytest.mark.parametrize("lengths", [None, LENGTHS])
def test_both_directions_are_followed_under_bidirectional_dynamic_rnn(
    lengths: Any, backward: str, tmp_path: Path, rng: np.random.Generator
) -> None:
    with tf.Graph().as_default():
        x = tf1.placeholder("float64", [None, None, graphs.FEATURES])
        pair = cells.GRUCell(4), CELLS[backward]()
        state = tf.constant(rng.normal(size=(graphs.BATCH, 4)))
        outputs, _ = tf1.nn.bidirectional_dynamic_rnn(
            *pair, x, sequence_length=lengths, dtype="float64", initial_state_fw=state
        )
        hook = record(
            pair, x, outputs, {x: graphs.probe_of(rng)}, tmp_path, rng,
            sequence_length=lengths, initial_state=(state, None),
        )  # fmt: skip
    verify(hook, "float64", 1 + counted(pair[1]))


@pytest.mark.parametrize("joined", [False, True])
@pytest.mark.parametrize("lengths", [None, LENGTHS])
def test_both_directions_are_followed_when_their_outputs_lie_side_by_side(
    lengths: Any, joined: bool, tmp_path: Path, rng: np.random.Generator
) -> None:
    with tf.Graph().as_default():
        x = tf1.placeholder("float64", [None, graphs.TIME, graphs.FEATURES])
        pair = cells.BasicLSTMCell(4), cells.LSTMCell(5, num_proj=2)
        inputs = tf.unstack(x, axis=1)
        outputs: Any = tf1.nn.static_bidirectional_rnn(
            *pair, inputs, sequence_length=lengths, dtype="float64"
        )[0]
        if joined:
            inputs, outputs = x, tf.stack(outputs, axis=1)
        feed = {x: graphs.probe_of(rng)}
        hook = record(pair, inputs, outputs, feed, tmp_path, rng, sequence_length=lengths)
    verify(hook, "float64", 2)


def test_the_last_output_is_enough(tmp_path: Path, rng: np.random.Generator) -> None:
    with tf.Graph().as_default():
        x, cell = tf1.placeholder("float64", [None, None, graphs.FEATURES]), CELLS["lstm"]()
        outputs, _ = tf1.nn.dynamic_rnn(cell, x, dtype="float64")
        hook = record(cell, x, outputs[:, -1], {x: graphs.probe_of(rng)}, tmp_path, rng)
    verify(hook, "float64")
    (analysis,) = hook.analyses.values()
    assert analysis.snapshot.output.shape == (graphs.BATCH, graphs.TIME, 5)
    np.testing.assert_array_equal(analysis.snapshot.final_output, analysis.snapshot.output[:, -1])


def test_names_are_the_variable_scopes_and_count_cells_that_share_variables(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    with tf.Graph().as_default(), tf1.variable_scope("reader"):
        x = tf1.placeholder("float32", [None, None, graphs.FEATURES])
        shared = cells.BasicLSTMCell(graphs.FEATURES)
        stack = cells.MultiRNNCell([shared, shared, cells.GRUCell(3)])
        outputs, _ = tf1.nn.dynamic_rnn(stack, x, dtype="float32")
        hook = record(stack, x, outputs, {x: graphs.probe_of(rng)}, tmp_path, rng)
    scope = "reader/rnn/multi_rnn_cell"
    assert list(hook.analyses) == [
        f"{scope}/cell_0/basic_lstm_cell",
        f"{scope}/cell_0/basic_lstm_cell/call_2",
        f"{scope}/cell_2/gru_cell",
    ]
    verify(hook, "float32", 3)


def test_a_subclass_with_equations_of_its_own_is_refused(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    class Mine(cells.BasicLSTMCell):  # type: ignore[misc]
        def call(self, inputs: Any, state: Any) -> Any:
            output, state = super().call(inputs, state)
            return 2 * output, state

    with tf.Graph().as_default():
        x, cell = tf1.placeholder("float32", [None, None, graphs.FEATURES]), Mine(3)
        outputs, _ = tf1.nn.dynamic_rnn(cell, x, dtype="float32")
        with pytest.raises(LstmProbeError, match=r"cannot be probed. Received: .*Mine"):
            record(cell, x, outputs, {x: graphs.probe_of(rng)}, tmp_path, rng)


@pytest.mark.parametrize("wrong", [{"_forget_bias": 0.0}, {"_activation": tf.nn.relu}])
def test_a_cell_that_computes_otherwise_than_described_is_refused(
    wrong: dict[str, Any], tmp_path: Path, rng: np.random.Generator
) -> None:
    with tf.Graph().as_default():
        x, cell = tf1.placeholder("float32", [None, None, graphs.FEATURES]), CELLS["lstm"]()
        state = cell.zero_state(graphs.BATCH, tf.float32)
        state = tf.nest.map_structure(lambda z: z + 1, state)
        outputs, _ = tf1.nn.dynamic_rnn(cell, x, initial_state=state)
        for name, value in wrong.items():
            object.__setattr__(cell, name, value)
        feed = {x: graphs.probe_of(rng)}
        with pytest.raises(LstmProbeError, match="other equations"):
            record(cell, x, outputs, feed, tmp_path, rng, initial_state=state)
