"""The convolutional LSTM cell against Keras's own layers, and against its mutations."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from helpers_cells import largest, random_arrays

from lstm_probe.analysis.parity.error import TOLERANCES
from lstm_probe.cells import ConvLstmCell, conv_lstm
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.core.masks import emitted
from lstm_probe.weights import from_keras, to_keras

CHANNELS, FILTERS = 2, 3

# kernel size, extent of space, options of the layer
CASES = [
    ((3,), (9,), {}),
    ((4,), (9,), {"padding": "same", "strides": (2,)}),
    ((2,), (9,), {"padding": "same", "dilation_rate": (3,)}),
    ((3, 2), (7, 6), {"padding": "same"}),
    ((3, 4), (8, 7), {"padding": "same", "strides": (2, 3)}),
    ((3, 2), (8, 7), {"strides": (2, 1)}),
    ((2, 3), (8, 9), {"dilation_rate": (2, 3)}),
    ((2, 3, 2), (4, 5, 3), {"padding": "same"}),
    ((2, 3, 2), (4, 5, 3), {"strides": (1, 2, 1)}),
]


def arrays_of(rng, size, dtype):
    shapes = (*size, CHANNELS, 4 * FILTERS), (*size, FILTERS, 4 * FILTERS), (4 * FILTERS,)
    return random_arrays(rng, *shapes, scale=0.4, dtype=dtype)


def keras_layer(arrays, size, space, dtype, **options):
    import keras

    layer = getattr(keras.layers, f"ConvLSTM{len(size)}D")(
        FILTERS, size, dtype=dtype, return_sequences=True, use_bias=len(arrays) > 2, **options
    )
    shape = (*space, CHANNELS)
    if options.get("data_format") == "channels_first":
        shape = (CHANNELS, *space)
    layer.build((None, None, *shape))
    layer.set_weights(arrays)
    return layer


def our_cell(options):
    return ConvLstmCell(
        padding=options.get("padding", "valid"),
        strides=options.get("strides", ()),
        dilation=options.get("dilation_rate", ()),
        data_format=options.get("data_format", "channels_last"),
    )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("size", "space", "options"), CASES)
def test_hidden_states_are_those_of_keras_when_weights_are_random(size, space, options, dtype):
    rng = np.random.default_rng(len(size))
    arrays = arrays_of(rng, size, dtype)
    (x,) = random_arrays(rng, (2, 4, *space, CHANNELS), dtype=dtype)
    theirs = np.asarray(keras_layer(arrays, size, space, dtype, **options)(x))
    weights, cell = from_keras(*arrays), our_cell(options)
    trace = conv_lstm(x, weights, cell=cell)
    assert theirs.shape[2:] == replace(cell, input_shape=x.shape[2:]).output_shape(weights)
    assert trace.h.dtype == np.dtype(dtype)
    assert largest(trace.h, theirs.reshape(2, 4, -1)) < TOLERANCES[dtype]


def test_hidden_states_are_those_of_keras_when_channels_come_first():
    import tensorflow as tf

    rng = np.random.default_rng(5)
    options = {"data_format": "channels_first", "padding": "same"}
    arrays = arrays_of(rng, (3, 2), "float64")[:2]
    (x,) = random_arrays(rng, (2, 4, CHANNELS, 5, 6))
    layer = keras_layer(arrays, (3, 2), (5, 6), "float64", **options)
    # Without XLA, TensorFlow convolves images with channels first on a GPU only.
    theirs = np.asarray(tf.function(layer, jit_compile=True)(x))
    trace = conv_lstm(x, from_keras(*arrays), cell=our_cell(options))
    assert largest(trace.h, theirs.reshape(2, 4, -1)) < TOLERANCES["float64"]


def test_output_is_that_of_keras_when_steps_are_masked():
    rng = np.random.default_rng(6)
    arrays = arrays_of(rng, (3,), "float64")
    x, h, c = random_arrays(rng, (3, 6, 9, CHANNELS), (3, 7, FILTERS), (3, 7, FILTERS))
    mask = rng.random((3, 6)) > 0.4
    mask[0] = False
    layer = keras_layer(arrays, (3,), (9,), "float64")
    theirs = np.asarray(layer(x, mask=mask, initial_state=[h, c]))
    trace = conv_lstm(x, from_keras(*arrays), mask=mask, initial_state=(h, c))
    ours = emitted(trace.h, trace.mask, zero_output_for_mask=False)
    assert largest(ours, theirs.reshape(3, 6, -1)) < TOLERANCES["float64"]


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ({"padding": "same"}, {"padding": "valid"}),
        ({"strides": (2, 1)}, {"strides": (1, 1)}),
        ({"dilation": (2, 1)}, {"dilation": (1, 2)}),
        ({"recurrent_activation": "sigmoid"}, {"recurrent_activation": "hard_sigmoid_keras2"}),
        ({"activation": "tanh"}, {"activation": "softsign"}),
    ],
)
def test_the_result_differs_when_an_option_is_wrong(right, wrong):
    rng = np.random.default_rng(7)
    weights = from_keras(*arrays_of(rng, (3, 3), "float64"))
    (x,) = random_arrays(rng, (2, 4, 7, 7, CHANNELS))
    ours = conv_lstm(x, weights, cell=ConvLstmCell(**right)).h
    broken = conv_lstm(x, weights, cell=ConvLstmCell(**{**right, **wrong})).h
    assert ours.shape != broken.shape or largest(ours, broken) > 100 * TOLERANCES["float32"]


@pytest.mark.parametrize("mutation", ["flipped", "turned", "swapped", "no bias"])
def test_the_parity_error_is_an_alarm_when_the_weights_are_mutated(mutation):
    rng = np.random.default_rng(8)
    kernel, recurrent_kernel, bias = arrays_of(rng, (3, 3), "float64")
    (x,) = random_arrays(rng, (2, 4, 7, 7, CHANNELS))
    right = conv_lstm(x, from_keras(kernel, recurrent_kernel, bias)).h
    broken = {
        "flipped": [kernel[::-1], recurrent_kernel, bias],
        "turned": [kernel, recurrent_kernel.swapaxes(0, 1), bias],
        "swapped": [np.roll(a, FILTERS, axis=-1) for a in (kernel, recurrent_kernel, bias)],
        "no bias": [kernel, recurrent_kernel],
    }[mutation]
    error = largest(conv_lstm(x, from_keras(*broken)).h, right)
    assert error > 100 * TOLERANCES["float32"]


def test_arrays_come_back_when_they_make_a_round_trip():
    arrays = arrays_of(np.random.default_rng(9), (3, 2), "float32")
    for a, b in zip(arrays, to_keras(from_keras(*arrays)), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("shape", "options", "message"),
    [
        ((2, 4, 7, 7, 5), {}, r"input_shape \(7, 7, 5\).* Expected: 2 dimensions .* 2 channels"),
        ((2, 4, 7, CHANNELS), {}, "Expected: 2 dimensions of space"),
        ((2, 4, 2, 7, CHANNELS), {}, r"at least as large as the kernel \(3, 3\)"),
        ((2, 4, 7, 7, CHANNELS), {"strides": (1,)}, r"strides \(1,\)"),
        ((2, 0, 7, 7, CHANNELS), {}, "at least one sequence"),
    ],
)
def test_the_error_says_what_was_expected_when_the_input_does_not_fit(shape, options, message):
    weights = from_keras(*arrays_of(np.random.default_rng(0), (3, 3), "float64"))
    with pytest.raises(LstmProbeError, match=message):
        conv_lstm(np.zeros(shape), weights, cell=ConvLstmCell(**options))


@pytest.mark.parametrize("option", [{"padding": "causal"}, {"data_format": "first"}])
def test_the_error_comes_at_once_when_an_option_is_unknown(option):
    with pytest.raises(LstmProbeError, match=f"Received: '{next(iter(option.values()))}'"):
        ConvLstmCell(**option)
