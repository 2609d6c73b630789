"""Fused ops, and Keras 3 layers in a graph of TF1, against TensorFlow's own output."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import session_graphs as graphs
import tensorflow as tf
from session_graphs import BATCH, FEATURES, TIME, record, tf1

from lstm_probe import LstmProbeError
from lstm_probe.callbacks import FusedCell

UNITS = 5


def lstm_arrays() -> dict[str, Any]:
    shapes = {"w": (FEATURES + UNITS, 4 * UNITS), "b": (4 * UNITS,)}
    shapes |= dict.fromkeys(("wci", "wcf", "wco"), (UNITS,))
    return {name: tf1.get_variable(f"memory/{name}", shape) for name, shape in shapes.items()}


@pytest.mark.parametrize("op", ["BlockLSTM", "BlockLSTMV2"])
@pytest.mark.parametrize(
    "options",
    [{}, {"use_peephole": True}, {"cell_clip": 0.3}, {"cell_clip": 0.0, "use_peephole": True}],
)
def test_gates_are_those_of_a_block_over_all_steps(
    op: str, options: dict[str, Any], tmp_path: Path, rng: np.random.Generator
) -> None:
    extra = {"forget_bias": 0.4} if op == "BlockLSTM" else {}
    with tf.Graph().as_default():
        x, arrays = tf1.placeholder("float32", [TIME, BATCH, FEATURES]), lstm_arrays()
        state = tf.constant(rng.normal(size=(2, BATCH, UNITS)), tf.float32)
        run = getattr(tf.raw_ops, op)(
            seq_len_max=tf.constant(TIME, tf.int64), x=x, cs_prev=state[0], h_prev=state[1],
            **arrays, **options, **extra,
        )  # fmt: skip
        cell = FusedCell(op, **arrays, **options, **extra)
        feed = {x: graphs.probe_of(rng).swapaxes(0, 1)}
        pair = (state[0], state[1])
        hook = record(
            cell, x, run.h, feed, tmp_path, rng, time_major=True, initial_state=pair
        )  # fmt: skip
    assert hook.analyses["memory"].parity.float64.max_abs < 1e-5


def test_gates_are_those_of_a_block_of_one_step(tmp_path: Path, rng: np.random.Generator) -> None:
    with tf.Graph().as_default():
        x, arrays = tf1.placeholder("float32", [BATCH, TIME, FEATURES]), lstm_arrays()
        inputs, outputs = tf.unstack(x, axis=1), []
        c = h = tf.zeros([BATCH, UNITS])
        for step in inputs:
            run = tf.raw_ops.LSTMBlockCell(x=step, cs_prev=c, h_prev=h, **arrays, cell_clip=0.5)
            c, h = run.cs, run.h
            outputs.append(h)
        cell = FusedCell("LSTMBlockCell", **arrays, cell_clip=0.5)
        feed = {x: graphs.probe_of(rng)}
        hook = record(cell, inputs, outputs, feed, tmp_path, rng)
    assert hook.analyses["memory"].parity.float64.max_abs < 1e-5


def test_gates_are_those_of_a_gru_block(tmp_path: Path, rng: np.random.Generator) -> None:
    shapes = {
        "w_ru": (FEATURES + UNITS, 2 * UNITS),
        "w_c": (FEATURES + UNITS, UNITS),
        "b_ru": (2 * UNITS,),
        "b_c": (UNITS,),
    }
    with tf.Graph().as_default():
        x = tf1.placeholder("float32", [BATCH, TIME, FEATURES])
        arrays = {name: tf1.get_variable(f"memory/{name}", s) for name, s in shapes.items()}
        inputs, outputs = tf.unstack(x, axis=1), []
        h = state = tf.constant(rng.normal(size=(BATCH, UNITS)), tf.float32)
        for step in inputs:
            h = tf.raw_ops.GRUBlockCell(x=step, h_prev=h, **arrays).h
            outputs.append(h)
        feed = {x: graphs.probe_of(rng)}
        cell = FusedCell("GRUBlockCell", name="reader", **arrays)
        hook = record(cell, inputs, outputs, feed, tmp_path, rng, initial_state=state)
    assert hook.analyses["reader"].parity.float64.max_abs < 1e-5


def test_a_wrong_clip_is_noticed_when_the_state_is_large(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    with tf.Graph().as_default():
        x, arrays = tf1.placeholder("float32", [TIME, BATCH, FEATURES]), lstm_arrays()
        zeros = tf.zeros([BATCH, UNITS])
        run = tf.raw_ops.BlockLSTM(
            seq_len_max=tf.constant(TIME, tf.int64), x=x, cs_prev=zeros, h_prev=zeros, **arrays
        )
        cell = FusedCell("BlockLSTM", **arrays, cell_clip=0.01)
        feed = {x: graphs.probe_of(rng).swapaxes(0, 1)}
        with pytest.raises(LstmProbeError, match="other equations"):
            record(cell, x, run.h, feed, tmp_path, rng, time_major=True)


@pytest.mark.parametrize(
    ("op", "names", "message"),
    [
        ("CudnnRNN", ("w", "b"), "No such fused op. Received: 'CudnnRNN'"),
        ("BlockLSTM", ("w",), "not the weights of BlockLSTM. Received: w. Expected: w, b"),
        ("GRUBlockCell", ("w", "b"), "Expected: w_ru, w_c, b_ru, b_c"),
    ],
)
def test_a_fused_cell_says_what_it_needs(op: str, names: tuple[str, ...], message: str) -> None:
    with tf.Graph().as_default(), pytest.raises(LstmProbeError, match=message):
        FusedCell(op, **{name: tf.zeros([8, 8]) for name in names})


LAYERS = {
    "sequence": lambda: keras.layers.LSTM(UNITS, return_sequences=True, name="memory"),
    "last": lambda: keras.layers.LSTM(UNITS, name="memory", recurrent_activation="hard_sigmoid"),
    "backwards": lambda: keras.layers.LSTM(UNITS, go_backwards=True, name="memory"),
    "dropout": lambda: keras.layers.LSTM(UNITS, dropout=0.5, recurrent_dropout=0.5, name="memory"),
    "gru": lambda: keras.layers.GRU(UNITS, name="memory"),
    "gru_reset_before": lambda: keras.layers.GRU(UNITS, reset_after=False, name="memory"),
    "simple_rnn": lambda: keras.layers.SimpleRNN(UNITS, return_sequences=True, name="memory"),
    "both": lambda: keras.layers.Bidirectional(keras.layers.LSTM(UNITS, name="lstm"), name="bi"),
}


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("name", LAYERS)
def test_gates_are_those_of_a_keras_layer(
    name: str, masked: bool, tmp_path: Path, rng: np.random.Generator
) -> None:
    with tf.Graph().as_default():
        x, layer = tf1.placeholder("float32", [None, TIME, FEATURES]), LAYERS[name]()
        probe = graphs.probe_of(rng)
        probe[1, 3:] = 0
        inputs = keras.layers.Masking()(x) if masked else x
        hook = record(layer, inputs, layer(inputs), {x: probe}, tmp_path, rng)
    expected = ["bi/forward_lstm", "bi/backward_lstm"] if name == "both" else ["memory"]
    assert list(hook.analyses) == expected
    for analysis in hook.analyses.values():
        assert analysis.parity.float64.max_abs < 1e-5
        assert (analysis.snapshot.mask is not None) == masked


def test_a_keras_layer_takes_no_options_of_dynamic_rnn(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    with tf.Graph().as_default():
        x, layer = tf1.placeholder("float32", [None, TIME, FEATURES]), LAYERS["sequence"]()
        feed = {x: graphs.probe_of(rng)}
        with pytest.raises(LstmProbeError, match=r"no such options. Received: time_major"):
            record(layer, x, layer(x), feed, tmp_path, rng, time_major=True)
        with pytest.raises(LstmProbeError, match="not built"):
            record(LAYERS["last"](), x, layer(x), feed, tmp_path, rng)
        dense = keras.layers.Dense(3)
        with pytest.raises(LstmProbeError, match=r"cannot be probed. Received: Dense"):
            record(dense, x, dense(x), feed, tmp_path, rng)
