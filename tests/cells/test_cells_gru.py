"""The GRU cell against Keras's own layer, against a per-gate loop, and against its mutations."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from helpers_cells import largest, random_arrays, sigmoid

from lstm_probe import weights
from lstm_probe.analysis.parity.error import TOLERANCES
from lstm_probe.cells import GruCell, gru
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.core.masks import emitted

# batch, time, features, units
SHAPES = [(1, 1, 1, 1), (1, 28, 28, 16), (3, 50, 1, 5), (4, 7, 6, 32)]


def keras_gru_arrays(rng, features, units, *, reset_after, dtype="float64"):
    bias = (2, 3 * units) if reset_after else (3 * units,)
    return random_arrays(rng, (features, 3 * units), (units, 3 * units), bias, dtype=dtype)


def keras_layer(arrays, dtype, features, **options):
    import keras

    units = arrays[1].shape[0]
    options = {"return_sequences": True, "use_bias": len(arrays) > 2, **options}
    layer = keras.layers.GRU(units, dtype=dtype, **options)
    layer.build((None, None, features))
    layer.set_weights(arrays)
    return layer


def naive_gru(x, kernel, recurrent_kernel, bias, *, h=None, reset_after=True):
    """A Keras GRU by the book, from Keras's own arrays: `z r g h` by letter."""
    bias, recurrent_bias = bias if reset_after else (bias, 0 * bias)
    w, u, b, d = (np.split(a, 3, axis=-1) for a in (kernel, recurrent_kernel, bias, recurrent_bias))
    h = np.zeros((len(x), len(u[0]))) if h is None else h
    steps = {letter: [] for letter in "zrgh"}
    for t in range(x.shape[1]):
        z = sigmoid(x[:, t] @ w[0] + b[0] + h @ u[0] + d[0])
        r = sigmoid(x[:, t] @ w[1] + b[1] + h @ u[1] + d[1])
        inner = r * (h @ u[2] + d[2]) if reset_after else (r * h) @ u[2]
        g = np.tanh(x[:, t] @ w[2] + b[2] + inner)
        h = z * h + (1 - z) * g
        for letter, value in zip("zrgh", (z, r, g, h), strict=True):
            steps[letter].append(value)
    return {letter: np.stack(values, axis=1) for letter, values in steps.items()}


@pytest.mark.parametrize("reset_after", [True, False])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", SHAPES)
def test_hidden_states_are_those_of_keras_when_weights_are_random(shape, dtype, reset_after):
    batch, time, features, units = shape
    rng = np.random.default_rng(time)
    arrays = keras_gru_arrays(rng, features, units, reset_after=reset_after, dtype=dtype)
    x, h = random_arrays(rng, (batch, time, features), (batch, units), dtype=dtype)
    layer = keras_layer(arrays, dtype, features, reset_after=reset_after)
    trace = gru(x, weights.from_keras(*arrays), initial_state=[h])
    assert trace.h.dtype == np.dtype(dtype)
    assert largest(trace.h, layer(x, initial_state=h)) < TOLERANCES[dtype]


@pytest.mark.parametrize("reset_after", [True, False])
def test_hidden_states_are_those_of_keras_when_activations_differ_and_bias_is_missing(reset_after):
    rng = np.random.default_rng(1)
    arrays = keras_gru_arrays(rng, 3, 5, reset_after=reset_after)[:2]
    (x,) = random_arrays(rng, (2, 9, 3))
    options = {"recurrent_activation": "hard_sigmoid", "activation": "relu"}
    options["reset_after"] = reset_after
    ours = gru(x, weights.from_keras(*arrays), cell=GruCell(**options)).h
    assert largest(ours, keras_layer(arrays, "float64", 3, **options)(x)) < TOLERANCES["float64"]


@pytest.mark.parametrize("zero_output_for_mask", [False, True])
def test_output_is_that_of_keras_when_steps_are_masked(zero_output_for_mask):
    rng = np.random.default_rng(4)
    arrays = keras_gru_arrays(rng, 3, 5, reset_after=True)
    x, h = random_arrays(rng, (4, 8, 3), (4, 5))
    mask = rng.random((4, 8)) > 0.4
    mask[0], mask[1, :3], mask[2, 5:] = False, False, False
    layer = keras_layer(
        arrays, "float64", 3, zero_output_for_mask=zero_output_for_mask, return_state=True
    )
    output, h_last = layer(x, mask=mask, initial_state=h)
    trace = gru(x, weights.from_keras(*arrays), mask=mask, initial_state=[h])
    ours = emitted(trace.h, trace.mask, zero_output_for_mask=zero_output_for_mask)
    assert largest(ours, output) < TOLERANCES["float64"]
    assert largest(trace.h[:, -1], h_last) < TOLERANCES["float64"]


@pytest.mark.parametrize("reset_after", [True, False])
@pytest.mark.parametrize("shape", SHAPES)
def test_every_gate_is_that_of_the_naive_loop_when_weights_are_random(shape, reset_after):
    batch, time, features, units = shape
    rng = np.random.default_rng(units)
    arrays = keras_gru_arrays(rng, features, units, reset_after=reset_after)
    x, h = random_arrays(rng, (batch, time, features), (batch, units))
    theirs = naive_gru(x, *arrays, h=h, reset_after=reset_after)
    trace = gru(x, weights.from_keras(*arrays), initial_state=[h])
    assert {letter: largest(trace[letter], theirs[letter]) for letter in trace.letters} == (
        pytest.approx(dict.fromkeys("zrgh", 0), abs=1e-14)
    )


def test_a_recurrent_bias_is_added_outside_when_the_reset_gate_comes_first():
    rng = np.random.default_rng(2)
    kernel, recurrent_kernel, bias = keras_gru_arrays(rng, 3, 5, reset_after=True)
    (x,) = random_arrays(rng, (2, 9, 3))
    two = weights.from_keras(kernel, recurrent_kernel, bias)
    theirs = naive_gru(x, kernel, recurrent_kernel, bias.sum(axis=0), reset_after=False)["h"]
    assert largest(gru(x, two, cell=GruCell(reset_after=False)).h, theirs) < 1e-14


def test_the_place_of_the_reset_gate_follows_the_biases_when_it_is_not_given():
    rng = np.random.default_rng(3)
    (x,) = random_arrays(rng, (2, 9, 3))
    for reset_after in (True, False):
        arrays = keras_gru_arrays(rng, 3, 5, reset_after=reset_after)
        right = naive_gru(x, *arrays, reset_after=reset_after)["h"]
        cell = weights.from_keras(*arrays)
        wrong = gru(x, cell, cell=GruCell(reset_after=not reset_after)).h
        assert largest(gru(x, cell).h, right) < 1e-14
        assert largest(wrong, right) > 100 * TOLERANCES["float32"]


def _mutations(kernel, recurrent_kernel, bias):
    k, u, b = (np.split(a, 3, axis=-1) for a in (kernel, recurrent_kernel, bias))

    def swapped(*order):
        return [np.concatenate([part[n] for n in order], axis=-1) for part in (k, u, b)]

    return {
        "z and r swapped": swapped(1, 0, 2),
        "z and g swapped": swapped(2, 1, 0),
        "r and g swapped": swapped(0, 2, 1),
        "only the bias swapped": [kernel, recurrent_kernel, swapped(1, 0, 2)[2]],
        "the two biases swapped": [kernel, recurrent_kernel, bias[::-1]],
        "recurrent bias dropped": [kernel, recurrent_kernel, bias * [[1], [0]]],
        "biases merged": [kernel, recurrent_kernel, bias.sum(axis=0) * [[1], [0]]],
        "recurrent kernel transposed": [kernel, np.hstack([part.T for part in u]), bias],
        "update gate turned round": [
            kernel * np.repeat([-1, 1, 1], len(u[0])),
            recurrent_kernel * np.repeat([-1, 1, 1], len(u[0])),
            bias * np.repeat([-1, 1, 1], len(u[0])),
        ],
    }


MUTATIONS = list(_mutations(*keras_gru_arrays(np.random.default_rng(0), 3, 5, reset_after=True)))


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_the_parity_error_is_an_alarm_when_the_weights_are_mutated(mutation):
    rng = np.random.default_rng(10)
    arrays = keras_gru_arrays(rng, 3, 5, reset_after=True)
    (x,) = random_arrays(rng, (2, 9, 3))
    truth = naive_gru(x, *arrays)["h"]
    broken = gru(x, weights.from_keras(*_mutations(*arrays)[mutation])).h
    assert largest(broken, truth) > 100 * TOLERANCES["float32"]


@pytest.mark.parametrize("wrong", [{"recurrent_activation": "hard_sigmoid"}, {"activation": "elu"}])
def test_the_parity_error_is_an_alarm_when_an_option_is_wrong(wrong):
    rng = np.random.default_rng(11)
    cell = weights.from_keras(*keras_gru_arrays(rng, 3, 5, reset_after=True))
    (x,) = random_arrays(rng, (2, 9, 3))
    broken = gru(x, cell, cell=replace(GruCell(), **wrong)).h
    assert largest(broken, gru(x, cell).h) > 100 * TOLERANCES["float32"]


def test_nothing_is_written_to_when_arrays_have_the_dtype_that_is_computed_in():
    rng = np.random.default_rng(7)
    arrays = keras_gru_arrays(rng, 3, 5, reset_after=True)
    x, h = random_arrays(rng, (1, 6, 3), (1, 5))
    for array in (*arrays, x, h):
        array.flags.writeable = False
    mask = np.arange(6)[None] != 2
    trace = gru(x, weights.from_keras(*arrays), initial_state=[h], mask=mask)
    np.testing.assert_array_equal(trace.h[0, 2], trace.h[0, 1])


def test_the_error_says_what_was_expected_when_arrays_do_not_fit():
    lstm_weights = weights.from_keras(np.ones((3, 20)), np.ones((5, 20)))
    with pytest.raises(LstmProbeError, match=r"gru cell. Received: LstmWeights. Expected: GruW"):
        gru(np.zeros((1, 2, 3)), lstm_weights)
    cell = weights.from_keras(np.ones((3, 15)), np.ones((5, 15)))
    with pytest.raises(LstmProbeError, match=r"states h, .*shapes \[\(1, 5\)\]"):
        gru(np.zeros((1, 2, 3)), cell, initial_state=[np.zeros(5)])
    with pytest.raises(LstmProbeError, match="Received: 'tanhh'"):
        GruCell(activation="tanhh")
