"""The plain recurrent cell against Keras's own layer, a loop, and its mutations."""

from __future__ import annotations

import numpy as np
import pytest
from helpers_cells import largest, random_arrays

from lstm_probe import weights
from lstm_probe.analysis.parity.error import TOLERANCES
from lstm_probe.cells import SimpleRnnCell, simple_rnn
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.core.masks import emitted


def keras_layer(arrays, dtype, features, **options):
    import keras

    options = {"return_sequences": True, "use_bias": len(arrays) > 2, **options}
    layer = keras.layers.SimpleRNN(len(arrays[1]), dtype=dtype, **options)
    layer.build((None, None, features))
    layer.set_weights(arrays)
    return layer


def naive_rnn(x, kernel, recurrent_kernel, bias, h):
    steps = []
    for t in range(x.shape[1]):
        h = np.tanh(x[:, t] @ kernel + h @ recurrent_kernel + bias)
        steps.append(h)
    return np.stack(steps, axis=1)


def rnn_arrays(rng, features, units, dtype="float64"):
    return random_arrays(rng, (features, units), (units, units), (units,), dtype=dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (3, 50, 2, 5), (4, 7, 6, 8)])
def test_hidden_states_are_those_of_keras_when_weights_are_random(shape, dtype):
    batch, time, features, units = shape
    rng = np.random.default_rng(time)
    arrays = rnn_arrays(rng, features, units, dtype)
    x, h = random_arrays(rng, (batch, time, features), (batch, units), dtype=dtype)
    theirs = keras_layer(arrays, dtype, features)(x, initial_state=h)
    ours = simple_rnn(x, weights.from_keras(*arrays), initial_state=[h]).h
    assert ours.dtype == np.dtype(dtype)
    assert largest(ours, theirs) < TOLERANCES[dtype]


def test_output_is_that_of_keras_when_steps_are_masked_and_there_is_no_bias():
    rng = np.random.default_rng(1)
    arrays = rnn_arrays(rng, 3, 5)[:2]
    (x,) = random_arrays(rng, (4, 8, 3))
    mask = rng.random((4, 8)) > 0.4
    mask[0] = False
    layer = keras_layer(arrays, "float64", 3, activation="softsign")
    cell = SimpleRnnCell(activation="softsign")
    trace = simple_rnn(x, weights.from_keras(*arrays), cell=cell, mask=mask)
    ours = emitted(trace.h, trace.mask, zero_output_for_mask=False)
    assert largest(ours, layer(x, mask=mask)) < TOLERANCES["float64"]


@pytest.mark.parametrize("mutation", ["none", "transposed", "no bias", "no state", "activation"])
def test_the_parity_error_is_an_alarm_when_the_cell_is_mutated(mutation):
    rng = np.random.default_rng(2)
    kernel, recurrent_kernel, bias = rnn_arrays(rng, 3, 5)
    x, h = random_arrays(rng, (2, 9, 3), (2, 5))
    truth = naive_rnn(x, kernel, recurrent_kernel, bias, h)
    recurrent = recurrent_kernel.T if mutation == "transposed" else recurrent_kernel
    cell = weights.from_keras(kernel, recurrent, None if mutation == "no bias" else bias)
    state = None if mutation == "no state" else [h]
    options = SimpleRnnCell(activation="softsign" if mutation == "activation" else "tanh")
    error = largest(simple_rnn(x, cell, cell=options, initial_state=state).h, truth)
    assert error < 1e-14 if mutation == "none" else error > 100 * TOLERANCES["float32"]


def test_the_error_says_what_was_expected_when_weights_are_those_of_an_lstm():
    cell = weights.from_keras(np.ones((3, 20)), np.ones((5, 20)))
    with pytest.raises(LstmProbeError, match=r"Received: LstmWeights. Expected: SimpleRnnWeights"):
        simple_rnn(np.zeros((1, 2, 3)), cell)
