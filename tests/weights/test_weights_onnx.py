"""ONNX's layout, against the equations of its documentation, and its reference where it is."""

from __future__ import annotations

import numpy as np
import pytest
from helpers_cells import largest, random_arrays, sigmoid

from lstm_probe.analysis.parity.error import TOLERANCES
from lstm_probe.cells import GruCell, gru, lstm, simple_rnn
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.weights import from_onnx

BLOCKS = {"LSTM": 4, "GRU": 3, "RNN": 1}


def node_arrays(rng, name, *, directions=1, features=3, units=5):
    rows = BLOCKS[name] * units
    shapes = (directions, rows, features), (directions, rows, units), (directions, 2 * rows)
    return random_arrays(rng, *shapes)


def documented_lstm(x, w, r, b, p):
    """https://github.com/onnx/onnx/blob/main/docs/Operators.md#lstm, one direction."""
    w, r = np.split(w, 4), np.split(r, 4)
    wb, rb = np.split(b[: len(b) // 2], 4), np.split(b[len(b) // 2 :], 4)
    p_i, p_o, p_f = np.split(p, 3)
    h = c = np.zeros((len(x), r[0].shape[1]))
    outputs = []
    for t in range(x.shape[1]):
        xi, xo, xf, xc = (x[:, t] @ w[k].T + h @ r[k].T + wb[k] + rb[k] for k in range(4))
        i, f = sigmoid(xi + p_i * c), sigmoid(xf + p_f * c)
        c = f * c + i * np.tanh(xc)
        h = sigmoid(xo + p_o * c) * np.tanh(c)
        outputs.append(h)
    return np.stack(outputs, axis=1)


def documented_gru(x, w, r, b, *, linear_before_reset):
    w, r = np.split(w, 3), np.split(r, 3)
    wb, rb = np.split(b[: len(b) // 2], 3), np.split(b[len(b) // 2 :], 3)
    h, outputs = np.zeros((len(x), r[0].shape[1])), []
    for t in range(x.shape[1]):
        z = sigmoid(x[:, t] @ w[0].T + h @ r[0].T + wb[0] + rb[0])
        reset = sigmoid(x[:, t] @ w[1].T + h @ r[1].T + wb[1] + rb[1])
        if linear_before_reset:
            candidate = np.tanh(x[:, t] @ w[2].T + reset * (h @ r[2].T + rb[2]) + wb[2])
        else:
            candidate = np.tanh(x[:, t] @ w[2].T + (reset * h) @ r[2].T + rb[2] + wb[2])
        h = (1 - z) * candidate + z * h
        outputs.append(h)
    return np.stack(outputs, axis=1)


@pytest.mark.parametrize("direction", [0, 1])
@pytest.mark.parametrize("peepholes", [False, True])
def test_hidden_states_are_the_documented_ones_when_the_node_is_an_lstm(direction, peepholes):
    rng = np.random.default_rng(1)
    w, r, b = node_arrays(rng, "LSTM", directions=2)
    p, x = random_arrays(rng, (2, 15), (2, 9, 3))
    ours = lstm(x, from_onnx(w, r, b=b, p=p if peepholes else None, direction=direction)).h
    p = p if peepholes else 0 * p
    theirs = documented_lstm(x, w[direction], r[direction], b[direction], p[direction])
    assert largest(ours, theirs) < TOLERANCES["float64"]


@pytest.mark.parametrize("linear_before_reset", [False, True])
def test_hidden_states_are_the_documented_ones_when_the_node_is_a_gru(linear_before_reset):
    rng = np.random.default_rng(2)
    w, r, b = node_arrays(rng, "GRU")
    (x,) = random_arrays(rng, (2, 9, 3))
    ours = gru(x, from_onnx(w, r, b=b, linear_before_reset=linear_before_reset)).h
    theirs = documented_gru(x, w[0], r[0], b[0], linear_before_reset=linear_before_reset)
    other = documented_gru(x, w[0], r[0], b[0], linear_before_reset=not linear_before_reset)
    assert largest(ours, theirs) < TOLERANCES["float64"]
    assert largest(ours, other) > 100 * TOLERANCES["float32"]


def test_hidden_states_are_the_documented_ones_when_the_node_is_an_rnn_without_bias():
    rng = np.random.default_rng(3)
    w, r, _ = node_arrays(rng, "RNN")
    (x,) = random_arrays(rng, (2, 9, 3))
    ours, h = simple_rnn(x, from_onnx(w, r)).h, np.zeros((2, 5))
    for t in range(9):
        h = np.tanh(x[:, t] @ w[0].T + h @ r[0].T)
        assert largest(ours[:, t], h) < TOLERANCES["float64"]


@pytest.mark.parametrize("linear_before_reset", [0, 1])
@pytest.mark.parametrize("name", BLOCKS)
def test_hidden_states_are_those_of_the_reference_when_onnx_is_installed(name, linear_before_reset):
    onnx = pytest.importorskip("onnx")
    from onnx.reference import ReferenceEvaluator

    rng = np.random.default_rng(4)
    arrays = [a.astype("float32") for a in node_arrays(rng, name)]
    (x,) = random_arrays(rng, (2, 9, 3), dtype="float32")
    attributes = {"hidden_size": 5}
    if name == "GRU":
        attributes["linear_before_reset"] = linear_before_reset
    node = onnx.helper.make_node(name, ["X", "W", "R", "B"], ["Y"], **attributes)
    (theirs,) = ReferenceEvaluator(node).run(
        None, dict(zip("XWRB", [x.swapaxes(0, 1), *arrays], strict=True))
    )
    w, r, b = arrays
    weights = from_onnx(w, r, b=b, linear_before_reset=bool(linear_before_reset))
    ours = {"LSTM": lstm, "GRU": gru, "RNN": simple_rnn}[name](x, weights).h
    assert largest(ours, theirs[:, 0].swapaxes(0, 1)) < TOLERANCES["float32"]


def test_the_option_decides_when_a_gru_has_no_bias():
    rng = np.random.default_rng(5)
    w, r, b = node_arrays(rng, "GRU")
    (x,) = random_arrays(rng, (2, 9, 3))
    for after in (False, True):
        ours = gru(x, from_onnx(w, r), cell=GruCell(reset_after=after)).h
        theirs = documented_gru(x, w[0], r[0], 0 * b[0], linear_before_reset=after)
        assert largest(ours, theirs) < TOLERANCES["float64"]


@pytest.mark.parametrize(
    ("shapes", "options", "message"),
    [
        ([(1, 20, 3), (1, 20, 5)], {"direction": 1}, r"direction=1. Expected: 0 up to 0"),
        ([(20, 3), (20, 5)], {}, r"would fit from_torch \(an LSTM\)"),
        ([(1, 20, 3), (1, 18, 5)], {}, r"an ONNX LSTM, GRU or RNN. Received: shapes \(1, 20, 3\)"),
        ([(1, 20, 3), (1, 20, 5)], {"p": np.ones(15)}, r"Received: shape \(15,\). .* = \(1, 15\)"),
        ([(1, 15, 3), (1, 15, 5)], {"p": np.ones((1, 15))}, "only for an LSTM"),
    ],
)
def test_the_error_says_what_was_expected_when_arrays_are_wrong(shapes, options, message):
    with pytest.raises(LstmProbeError, match=message):
        from_onnx(*map(np.ones, shapes), **options)
