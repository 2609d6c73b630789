"""TF1's own cells, step by step, against the NumPy cells with the weights cut by `from_tf1`."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from helpers_cells import largest, random_arrays

from lstm_probe.analysis.parity.error import TOLERANCES
from lstm_probe.cells import GruCell, LstmCell, SimpleRnnCell, gru, lstm, simple_rnn
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.weights import (
    from_contrib_layer_norm,
    from_keras,
    from_tf1,
    from_tf1_gru,
    from_tf1_rnn,
    to_tf1,
    to_tf1_gru,
    to_tf1_rnn,
)


def tf1_cell(name, *arguments, features=3, dtype="float64", seed=0, **options):
    """A real TF1 cell with random weights, and its weights."""
    from tf_keras.src.layers.rnn import legacy_cells

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # every one of these classes is deprecated
        cell = getattr(legacy_cells, name)(*arguments, dtype=dtype, **options)
        cell.build((None, features))
    rng = np.random.default_rng(seed)
    arrays = random_arrays(rng, *[v.shape for v in cell.variables], dtype=dtype)
    cell.set_weights(arrays)
    names = [v.name.split(":")[0].split("/", 1)[1] for v in cell.variables]
    return cell, dict(zip(names, arrays, strict=True))


def steps(cell, x, state):
    """The outputs `(batch, time, output)` of a cell, and its last state."""
    outputs = []
    for t in range(x.shape[1]):
        y, state = cell(x[:, t], state)
        outputs.append(np.asarray(y))
    return np.stack(outputs, axis=1), state


def lstm_state(cell, h, c):
    import tensorflow as tf
    from tf_keras.src.layers.rnn.legacy_cells import LSTMStateTuple

    return LSTMStateTuple(c=tf.constant(c), h=tf.constant(h))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("forget_bias", [1.0, 0.0, -0.5])
def test_hidden_states_are_those_of_basic_lstm_cell_when_weights_are_random(dtype, forget_bias):
    cell, w = tf1_cell("BasicLSTMCell", 5, forget_bias=forget_bias, dtype=dtype)
    x, h, c = random_arrays(np.random.default_rng(1), (2, 9, 3), (2, 5), (2, 5), dtype=dtype)
    theirs, last = steps(cell, x, lstm_state(cell, h, c))
    trace = lstm(
        x, from_tf1(*w.values()), cell=LstmCell(forget_bias=forget_bias), initial_state=(h, c)
    )
    assert largest(trace.h, theirs) < TOLERANCES[dtype]
    assert largest(trace.c[:, -1], last.c) < TOLERANCES[dtype]
    if forget_bias:
        assert largest(lstm(x, from_tf1(*w.values())).h, theirs) > 100 * TOLERANCES["float32"]


LSTM_OPTIONS = [
    {},
    {"use_peepholes": True},
    {"num_proj": 4},
    {"num_proj": 4, "proj_clip": 0.2},
    {"cell_clip": 0.3},
    {"cell_clip": 0.0},
    {"use_peepholes": True, "num_proj": 4, "proj_clip": 0.2, "cell_clip": 0.3},
]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("options", LSTM_OPTIONS, ids=lambda o: "-".join(o) or "plain")
def test_hidden_states_are_those_of_lstm_cell_when_weights_are_random(options, dtype):
    cell, w = tf1_cell("LSTMCell", 6, dtype=dtype, **options)
    w["projection"] = w.pop("projection/kernel", None)
    output = options.get("num_proj", 6)
    x, h, c = random_arrays(np.random.default_rng(2), (2, 9, 3), (2, output), (2, 6), dtype=dtype)
    theirs, last = steps(cell, x, lstm_state(cell, h, c))
    clips = {name: options[name] for name in ("cell_clip", "proj_clip") if name in options}
    trace = lstm(x, from_tf1(**w), cell=LstmCell(forget_bias=1.0, **clips), initial_state=(h, c))
    assert largest(trace.h, theirs) < TOLERANCES[dtype]
    assert largest(trace.c[:, -1], last.c) < TOLERANCES[dtype]
    for clip in clips:
        unclipped = LstmCell(forget_bias=1.0, **{**clips, clip: None})
        broken = lstm(x, from_tf1(**w), cell=unclipped, initial_state=(h, c)).h
        assert largest(broken, theirs) > 100 * TOLERANCES["float32"]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_hidden_states_are_those_of_gru_cell_when_weights_are_random(dtype):
    cell, w = tf1_cell("GRUCell", 5, dtype=dtype)
    x, h = random_arrays(np.random.default_rng(3), (2, 9, 3), (2, 5), dtype=dtype)
    theirs, _ = steps(cell, x, h)
    gates = from_tf1_gru(*w.values())
    assert list(w) == ["gates/kernel", "gates/bias", "candidate/kernel", "candidate/bias"]
    assert largest(gru(x, gates, initial_state=[h]).h, theirs) < TOLERANCES[dtype]
    broken = gru(x, gates, initial_state=[h], cell=GruCell(reset_after=True)).h
    assert largest(broken, theirs) > 100 * TOLERANCES["float32"]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_hidden_states_are_those_of_basic_rnn_cell_when_weights_are_random(dtype):
    cell, w = tf1_cell("BasicRNNCell", 5, activation="relu", dtype=dtype)
    x, h = random_arrays(np.random.default_rng(4), (2, 9, 3), (2, 5), dtype=dtype)
    theirs, _ = steps(cell, x, h)
    options = SimpleRnnCell(activation="relu")
    ours = simple_rnn(x, from_tf1_rnn(*w.values()), cell=options, initial_state=[h]).h
    assert largest(ours, theirs) < TOLERANCES[dtype]


def contrib_layer_norm_lstm(x, kernel, norms):
    """tf.contrib's `LayerNormBasicLSTMCell.call` of TensorFlow 1.15, line for line."""
    units = kernel.shape[1] // 4

    def norm(a, scope):
        gamma, beta = norms[scope]
        mean, variance = a.mean(1, keepdims=True), a.var(1, keepdims=True)
        return (a - mean) / np.sqrt(variance + 1e-12) * gamma + beta

    def sigmoid(a):
        return 1 / (1 + np.exp(-a))

    c, h, outputs = np.zeros((len(x), units)), np.zeros((len(x), units)), []
    for t in range(x.shape[1]):
        concat = np.concatenate([x[:, t], h], 1) @ kernel
        i, j, f, o = np.split(concat, 4, axis=1)
        i, j = norm(i, "input"), norm(j, "transform")
        f, o = norm(f, "forget"), norm(o, "output")
        c = norm(c * sigmoid(f + 1.0) + sigmoid(i) * np.tanh(j), "state")
        h = np.tanh(c) * sigmoid(o)
        outputs.append(h)
    return np.stack(outputs, 1)


def test_hidden_states_are_those_of_layer_norm_cell_when_weights_are_random():
    rng = np.random.default_rng(5)
    x, kernel = random_arrays(rng, (2, 9, 3), (8, 20))
    scopes = "input", "transform", "forget", "output", "state"
    norms = {scope: tuple(random_arrays(rng, (5,), (5,))) for scope in scopes}
    w = from_contrib_layer_norm(kernel, norms)
    ours = lstm(x, w, cell=LstmCell(forget_bias=1.0, norm_epsilon=1e-12)).h
    assert largest(ours, contrib_layer_norm_lstm(x, kernel, norms)) < TOLERANCES["float64"]


def test_the_error_names_the_scopes_when_a_norm_is_missing():
    with pytest.raises(
        LstmProbeError, match=r"Received: input. Expected: input, forget, transform"
    ):
        from_contrib_layer_norm(np.ones((8, 20)), {"input": (np.ones(5), np.ones(5))})


@pytest.mark.parametrize("features", [1, 3, 5])
def test_layouts_come_back_when_they_make_a_round_trip(features):
    rng = np.random.default_rng(6)
    rows = features + 5
    plain = random_arrays(rng, (rows, 20), (20,))
    gru_arrays = random_arrays(rng, (rows, 10), (10,), (rows, 5), (5,))
    rnn_arrays = random_arrays(rng, (rows, 5), (5,))
    for arrays, there, back in [
        (plain, from_tf1, to_tf1),
        (plain[:1], from_tf1, to_tf1),
        (gru_arrays, from_tf1_gru, to_tf1_gru),
        (rnn_arrays, from_tf1_rnn, to_tf1_rnn),
        (rnn_arrays[:1], from_tf1_rnn, to_tf1_rnn),
    ]:
        returned = back(there(*arrays))
        assert len(returned) == len(arrays)
        for a, b in zip(arrays, returned, strict=True):
            np.testing.assert_array_equal(a, b)


def test_peepholes_and_projection_come_back_when_they_make_a_round_trip():
    rng = np.random.default_rng(7)
    names = "kernel", "bias", "w_f_diag", "w_i_diag", "w_o_diag", "projection"
    arrays = random_arrays(rng, (3 + 4, 24), (24,), (6,), (6,), (6,), (6, 4))
    returned = to_tf1(from_tf1(**dict(zip(names, arrays, strict=True))))
    for a, b in zip(arrays, returned, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: from_tf1(np.ones((8, 18)), np.ones(18)), r"Received: shapes \(8, 18\), \(18,\)"),
        (
            lambda: from_tf1(np.ones((5, 20)), np.ones(20)),
            "These are not the weights of a TF1 LSTM",
        ),
        (lambda: from_tf1(np.ones((8, 20)), np.ones(5)), r"bias \(4 \* units,\)"),
        (lambda: from_tf1(np.ones(8)), "TF1 LSTM"),
        (lambda: from_tf1(np.ones((3, 20)), np.ones((5, 20))), r"would fit from_keras \(an LSTM\)"),
        (lambda: from_tf1(np.ones((20, 3)), np.ones((20, 5))), r"fit from_torch \(an LSTM\)"),
        (lambda: from_tf1_rnn(np.ones((8, 20)), np.ones(20)), r"would fit from_tf1 \(an LSTM\)"),
        (
            lambda: from_tf1_gru(np.ones((8, 10)), np.ones((8, 5)), np.ones(10), np.ones(5)),
            r"would fit from_gru_block \(a GRU\)",
        ),
        (lambda: from_tf1(np.ones((8, 20)), w_f_diag=np.ones(5)), "Expected: all three, or none"),
        (lambda: from_tf1(np.ones((8, 20)), projection=np.ones((4, 3))), "projection does not fit"),
        (lambda: to_tf1_gru(from_keras(*map(np.ones, [(3, 6), (2, 6), (2, 6)]))), "one bias"),
    ],
)
def test_the_error_says_which_layout_fits_when_shapes_are_wrong(call, message):
    with pytest.raises(LstmProbeError, match=message):
        call()
