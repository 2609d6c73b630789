"""Directions, last states, stacks and pairs, against live Keras with random weights."""

from __future__ import annotations

import keras
import numpy as np
import pytest

import lstm_probe
from lstm_probe import LstmProbeError, weights
from lstm_probe.core.trace import GateTrace

MAKERS = {
    "lstm": (keras.layers.LSTM, lstm_probe.lstm),
    "gru": (keras.layers.GRU, lstm_probe.gru),
    "simple_rnn": (keras.layers.SimpleRNN, lstm_probe.simple_rnn),
}


def built(layer, features, rng):
    layer.build((None, None, features))
    layer.set_weights([rng.normal(0, 0.5, np.shape(w)) for w in layer.get_weights()])
    return layer


def arrays_of(layer):
    return weights.from_keras(*layer.get_weights())


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("kind", MAKERS)
def test_a_layer_that_reads_backwards_is_one_call(kind, masked, rng):
    kind_of_layer, run = MAKERS[kind]
    layer = built(
        kind_of_layer(
            4, return_sequences=True, return_state=True, go_backwards=True, dtype="float64"
        ),
        3,
        rng,
    )
    x = rng.normal(size=(2, 7, 3))
    mask = np.array([[True] * 7, [False, True, True, True, True, False, False]])
    mask = mask if masked else None
    trace = run(x, arrays_of(layer), reverse=True, mask=mask)
    output, *states = layer(x, mask=None if mask is None else keras.ops.array(mask))
    np.testing.assert_allclose(trace.shown()[:, ::-1], output, atol=1e-13)
    for letter, state in zip(trace.states, states, strict=True):
        np.testing.assert_allclose(trace.final[letter], state, atol=1e-13)
    # A loop of its own: turned round, it reads forwards.
    turned = run(x[:, ::-1], arrays_of(layer), mask=None if mask is None else mask[:, ::-1])
    for letter in trace.letters:
        np.testing.assert_array_equal(trace[letter], turned[letter][:, ::-1])


def test_last_states_go_on_where_a_sequence_was_cut(rng):
    w = weights.from_keras(rng.normal(size=(3, 20)), rng.normal(size=(5, 20)))
    x = rng.normal(size=(2, 9, 3))
    whole, first = lstm_probe.lstm(x, w), lstm_probe.lstm(x[:, :4], w)
    rest = lstm_probe.lstm(x[:, 4:], w, initial_state=[first.final[k] for k in first.states])
    np.testing.assert_allclose(rest.h, whole.h[:, 4:], atol=1e-14)
    assert first.states == ("h", "c")


def test_convolutions_read_backwards_too(rng):
    w = weights.from_keras(rng.normal(size=(3, 1, 8)), rng.normal(size=(3, 2, 8)))
    x = rng.normal(size=(1, 5, 6, 1))
    ours = lstm_probe.conv_lstm(x, w, reverse=True)
    turned = lstm_probe.conv_lstm(x[:, ::-1], w)
    np.testing.assert_array_equal(ours.h, turned.h[:, ::-1])
    np.testing.assert_array_equal(ours.final["c"], turned.c[:, -1])


@pytest.mark.parametrize("merge_mode", ["concat", "sum", "mul", "ave"])
@pytest.mark.parametrize("kind", MAKERS)
def test_a_pair_shows_what_keras_shows(kind, merge_mode, rng):
    layer = MAKERS[kind][0](4, return_sequences=True, dtype="float64")
    both = keras.layers.Bidirectional(layer, merge_mode=merge_mode, dtype="float64")
    x = rng.normal(size=(2, 7, 3))
    both.build(x.shape)
    both.set_weights([rng.normal(0, 0.5, np.shape(w)) for w in both.get_weights()])
    mask = np.array([[True] * 7, [True, True, True, False, False, False, False]])
    ours = lstm_probe.bidirectional(
        x,
        arrays_of(both.forward_layer),
        arrays_of(both.backward_layer),
        merge_mode=merge_mode,
        mask=mask,
    )
    np.testing.assert_allclose(ours.output, both(x, mask=keras.ops.array(mask)), atol=1e-13)
    assert ours.backward.reverse
    assert not ours.forward.reverse


def test_a_stack_feeds_each_layer_with_the_one_below(rng):
    layers = [
        built(keras.layers.LSTM(4, return_sequences=True, dtype="float64"), 3, rng),
        built(keras.layers.GRU(5, return_sequences=True, dtype="float64"), 4, rng),
        built(keras.layers.SimpleRNN(2, return_sequences=True, dtype="float64"), 5, rng),
    ]
    x = rng.normal(size=(2, 7, 3))
    mask = np.array([[True] * 7, [False, True, False, True, True, False, False]])
    expected = x
    traces = lstm_probe.stack(x, [arrays_of(layer) for layer in layers], mask=mask)
    for layer, trace in zip(layers, traces, strict=True):
        expected = layer(expected, mask=keras.ops.array(mask))
        np.testing.assert_allclose(trace.shown(), expected, atol=1e-13)
    other = lstm_probe.LstmCell(activation="relu")
    (trace,) = lstm_probe.stack(x, [(other, arrays_of(layers[0]))])
    np.testing.assert_array_equal(trace.h, lstm_probe.lstm(x, arrays_of(layers[0]), cell=other).h)


def test_what_does_not_fit_is_refused(rng):
    w = weights.from_keras(rng.normal(size=(3, 8)), rng.normal(size=(2, 8)))
    x = rng.normal(size=(1, 5, 3))
    with pytest.raises(LstmProbeError, match="Unknown merge mode"):
        lstm_probe.bidirectional(x, w, w, merge_mode="max")
    with pytest.raises(LstmProbeError, match="does not fit the lstm cell"):
        lstm_probe.stack(x, [w, w])
    conv = weights.from_keras(rng.normal(size=(3, 1, 8)), rng.normal(size=(3, 2, 8)))
    with pytest.raises(LstmProbeError, match="do not tell their cell"):
        lstm_probe.stack(x, [conv])


def test_direction_and_states_survive_a_file(rng, tmp_path):
    w = weights.from_keras(rng.normal(size=(3, 8)), rng.normal(size=(2, 8)))
    trace = lstm_probe.lstm(rng.normal(size=(1, 5, 3)), w, reverse=True)
    trace.save(tmp_path / "trace.npz")
    read = GateTrace.load(tmp_path / "trace.npz")
    assert (read.states, read.reverse) == (("h", "c"), True)
    np.testing.assert_array_equal(read.final["c"], trace.final["c"])


@pytest.mark.parametrize("initial", [False, True])
@pytest.mark.parametrize("zero", [False, True])
def test_masked_steps_show_what_is_asked_for(zero, initial):
    h = np.array([[[0.1], [0.5], [0.5], [0.7]]])
    mask = np.array([[False, True, False, True]])
    trace = GateTrace({"h": h}, {"h": None}, mask=mask)
    shown = trace.shown(zero_output_for_mask=zero, initial_output_for_mask=initial).ravel()
    expected = {
        (False, False): [0, 0.5, 0.5, 0.7],
        (False, True): [0.1, 0.5, 0.5, 0.7],
        (True, False): [0, 0.5, 0, 0.7],
        (True, True): [0, 0.5, 0, 0.7],
    }
    assert shown.tolist() == expected[zero, initial]
