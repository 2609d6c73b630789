"""The LSTM cell against Keras's own layer, against a per-gate loop, and against its mutations."""

from __future__ import annotations

from dataclasses import replace

import helpers_cells
import numpy as np
import pytest
import samples
from helpers_cells import keras_lstm_arrays, largest, naive_lstm, random_arrays

from lstm_probe import weights
from lstm_probe.analysis.parity.error import TOLERANCES
from lstm_probe.cells import LstmCell, lstm
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.core.masks import emitted
from lstm_probe.weights import LstmWeights

# batch, time, features, units
SHAPES = [(1, 1, 1, 1), (1, 28, 28, 16), (3, 50, 1, 5), (4, 7, 6, 32)]


def keras_layer(arrays, dtype, features, **options):
    import keras

    units = arrays[1].shape[0]
    options = {"return_sequences": True, "use_bias": len(arrays) > 2, **options}
    layer = keras.layers.LSTM(units, dtype=dtype, **options)
    layer.build((None, None, features))
    layer.set_weights(arrays)
    return layer


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", SHAPES)
def test_hidden_states_are_those_of_keras_when_weights_are_random(shape, dtype):
    batch, time, features, units = shape
    rng = np.random.default_rng(time)
    arrays = keras_lstm_arrays(rng, features, units, dtype)
    x, h, c = random_arrays(
        rng, (batch, time, features), (batch, units), (batch, units), dtype=dtype
    )
    layer = keras_layer(arrays, dtype, features, return_state=True)
    theirs = [np.asarray(y) for y in layer(x, initial_state=[h, c])]
    trace = lstm(x, weights.from_keras(*arrays), initial_state=(h, c))
    assert trace.h.dtype == np.dtype(dtype)
    assert largest(trace.h, theirs[0]) < TOLERANCES[dtype]
    assert largest(trace.h[:, -1], theirs[1]) < TOLERANCES[dtype]
    assert largest(trace.c[:, -1], theirs[2]) < TOLERANCES[dtype]


@pytest.mark.parametrize("pair", [("hard_sigmoid", "relu"), ("softmax", "softsign")])
def test_hidden_states_are_those_of_keras_when_activations_differ(pair):
    rng = np.random.default_rng(1)
    arrays = keras_lstm_arrays(rng, 3, 5)
    (x,) = random_arrays(rng, (2, 9, 3))
    layer = keras_layer(arrays, "float64", 3, recurrent_activation=pair[0], activation=pair[1])
    cell = LstmCell(recurrent_activation=pair[0], activation=pair[1])
    ours = lstm(x, weights.from_keras(*arrays), cell=cell).h
    assert largest(ours, layer(x)) < TOLERANCES["float64"]


def hard_sigmoid_keras2(a):
    return np.clip(0.2 * a + 0.5, 0, 1)


def total(a):
    """Reads all units of a sequence, as `softmax` does: it may see one gate of the layer's shape
    only."""
    assert a.ndim == 2
    return a / (1 + np.abs(a).sum(axis=1, keepdims=True))


@pytest.mark.parametrize("shape", [(1, 12, 2, 40), (1, 12, 9, 5), (3, 12, 2, 8)])
@pytest.mark.parametrize(
    ("named", "sigma", "phi"),
    [
        (("hard_sigmoid", "tanh"), lambda a: np.clip(a / 6 + 0.5, 0, 1), np.tanh),
        (("hard_sigmoid_keras2", "tanh"), hard_sigmoid_keras2, np.tanh),
        (("hard_sigmoid_keras2", "sigmoid"), hard_sigmoid_keras2, helpers_cells.sigmoid),
        (("tanh", "tanh"), np.tanh, np.tanh),
        ((total, total), total, total),
    ],
)
def test_every_gate_is_that_of_the_naive_loop_when_activations_differ(shape, named, sigma, phi):
    batch, time, features, units = shape
    rng = np.random.default_rng(3)
    arrays = keras_lstm_arrays(rng, features, units)
    x, h, c = random_arrays(rng, (batch, time, features), (batch, units), (batch, units))
    cell = LstmCell(recurrent_activation=named[0], activation=named[1])
    trace = lstm(x, weights.from_keras(*arrays), cell=cell, initial_state=(h, c))
    theirs = naive_lstm(x, *arrays, h=h, c=c, sigma=sigma, phi=phi)
    # Some of these activations make a chaotic network. What a longer type of numbers shows that
    # the loop itself loses in float64 is then the yardstick.
    long = [array.astype(np.longdouble) for array in (x, *arrays, h, c)]
    exact = naive_lstm(*long[:-2], h=long[-2], c=long[-1], sigma=sigma, phi=phi)
    for letter in trace.letters:
        lost = largest(theirs[letter], exact[letter])
        assert largest(trace[letter], exact[letter]) < max(1e-13, 4 * lost)
        assert lost < 1e-11


def test_hidden_states_are_those_of_keras_when_there_is_no_bias():
    rng = np.random.default_rng(2)
    arrays = keras_lstm_arrays(rng, 3, 5)[:2]
    (x,) = random_arrays(rng, (2, 9, 3))
    ours = lstm(x, weights.from_keras(*arrays)).h
    assert largest(ours, keras_layer(arrays, "float64", 3)(x)) < TOLERANCES["float64"]


@pytest.mark.parametrize("zero_output_for_mask", [False, True])
def test_output_is_that_of_keras_when_steps_are_masked(zero_output_for_mask):
    rng = np.random.default_rng(4)
    arrays = keras_lstm_arrays(rng, 3, 5)
    x, h, c = random_arrays(rng, (4, 8, 3), (4, 5), (4, 5))
    mask = rng.random((4, 8)) > 0.4
    mask[0], mask[1, :3], mask[2, 5:] = False, False, False
    layer = keras_layer(
        arrays, "float64", 3, zero_output_for_mask=zero_output_for_mask, return_state=True
    )
    output, h_last, c_last = layer(x, mask=mask, initial_state=[h, c])
    trace = lstm(x, weights.from_keras(*arrays), mask=mask, initial_state=(h, c))
    ours = emitted(trace.h, trace.mask, zero_output_for_mask=zero_output_for_mask)
    assert largest(ours, output) < TOLERANCES["float64"]
    assert largest(trace.h[:, -1], h_last) < TOLERANCES["float64"]
    assert largest(trace.c[:, -1], c_last) < TOLERANCES["float64"]


@pytest.mark.parametrize("shape", SHAPES)
def test_every_gate_is_that_of_the_naive_loop_when_weights_are_random(shape):
    batch, time, features, units = shape
    rng = np.random.default_rng(units)
    arrays = keras_lstm_arrays(rng, features, units)
    x, h, c = random_arrays(rng, (batch, time, features), (batch, units), (batch, units))
    theirs = naive_lstm(x, *arrays, h=h, c=c)
    trace = lstm(x, weights.from_keras(*arrays), initial_state=(h, c))
    assert {letter: largest(trace[letter], theirs[letter]) for letter in trace.letters} == (
        pytest.approx(dict.fromkeys("ifgoch", 0), abs=1e-14)
    )


def test_states_are_carried_and_gates_go_on_when_a_step_is_masked():
    rng = np.random.default_rng(5)
    arrays = keras_lstm_arrays(rng, 3, 5)
    (x,) = random_arrays(rng, (1, 6, 3))
    mask = np.array([[True, False, True, False, False, True]])
    trace = lstm(x, weights.from_keras(*arrays), mask=mask)
    shorter = lstm(x[:, mask[0]], weights.from_keras(*arrays))
    for letter in trace.letters:
        assert largest(trace.valid(letter), shorter[letter][0]) < 1e-15
    np.testing.assert_array_equal(trace.c[0, [1, 3, 4]], trace.c[0, [0, 2, 2]])
    assert largest(trace.f[0, 1], trace.f[0, 0]) > 0.01


def test_nothing_changes_when_the_mask_is_all_true():
    rng = np.random.default_rng(6)
    cell = weights.from_keras(*keras_lstm_arrays(rng, 3, 5))
    (x,) = random_arrays(rng, (2, 6, 3))
    masked = lstm(x, cell, mask=np.ones((2, 6), bool))
    np.testing.assert_array_equal(masked.h, lstm(x, cell).h)


def test_inputs_are_left_alone_when_they_have_the_dtype_that_is_computed_in():
    rng = np.random.default_rng(7)
    arrays = keras_lstm_arrays(rng, 3, 5)
    x, h, c = random_arrays(rng, (1, 6, 3), (1, 5), (1, 5))
    given = [*arrays, x, h, c]
    copies = [a.copy() for a in given]
    for array in given:
        array.flags.writeable = False
    mask = np.arange(6)[None] != 2
    lstm(x, weights.from_keras(*arrays), initial_state=(h, c), mask=mask)
    for array, copy in zip(given, copies, strict=True):
        np.testing.assert_array_equal(array, copy)


def test_dtype_is_float32_when_the_weights_are_narrower():
    rng = np.random.default_rng(8)
    arrays = keras_lstm_arrays(rng, 3, 5, "float16")
    (x,) = random_arrays(rng, (1, 6, 3))
    assert lstm(x, weights.from_keras(*arrays)).h.dtype == np.float32
    assert lstm(x, weights.from_keras(*arrays), dtype="float64").h.dtype == np.float64


def test_nan_and_infinity_flow_through_when_the_input_has_them():
    rng = np.random.default_rng(9)
    cell = weights.from_keras(*keras_lstm_arrays(rng, 2, 4))
    (x,) = random_arrays(rng, (3, 5, 2))
    x[0, 2, 0], x[1, 2, 0] = np.nan, np.inf
    with np.errstate(all="raise"):
        trace = lstm(x, cell)
    assert np.isfinite(trace.h[:, :2]).all()
    assert np.isnan(trace.h[0, 2:]).all()
    assert np.isin(trace.f[1, 2], [0.0, 1.0]).all()
    assert np.isfinite(trace.h[2]).all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"x": np.zeros((2, 3))}, r"Received: shape \(2, 3\). Expected: \(batch, time, 3\)"),
        ({"x": np.zeros((2, 6, 4))}, r"Received: shape \(2, 6, 4\). Expected: \(batch, time, 3\)"),
        ({"x": np.zeros((2, 0, 3))}, "at least one sequence and one timestep"),
        ({"mask": np.ones((6, 2))}, r"mask .* Received: shape \(6, 2\). Expected: .*\(2, 6\)"),
        ({"initial_state": [np.zeros((2, 5))]}, r"states h, c.* shapes \[\(2, 5\), \(2, 5\)\]"),
        ({"weights": weights.from_keras(np.ones((3, 5)), np.ones((5, 5)))}, "SimpleRnnWeights"),
    ],
)
def test_the_error_says_what_was_expected_when_arrays_do_not_fit(changes, message):
    cell = weights.from_keras(np.ones((3, 20)), np.ones((5, 20)))
    arguments = {"x": np.zeros((2, 6, 3)), "weights": cell, **changes}
    with pytest.raises(LstmProbeError, match=message):
        lstm(**arguments)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"activation": "tahn"}, "Received: 'tahn'"),
        ({"recurrent_activation": None}, "Received: None"),
        ({"cell_clip": -1.0}, r"Received: cell_clip=-1.0. Expected: 0 or more"),
        ({"proj_clip": float("nan")}, r"Received: proj_clip=nan"),
    ],
)
def test_the_error_comes_at_once_when_an_option_is_wrong(options, message):
    with pytest.raises(LstmProbeError, match=message):
        LstmCell(**options)


# Each entry breaks a correct cell in one way: what goes in are Keras's arrays split in four.
def _mutations(kernel, recurrent_kernel, bias):
    k, u, b = (np.split(a, 4, axis=-1) for a in (kernel, recurrent_kernel, bias))

    def swapped(*order):
        return [np.concatenate([p[n] for n in order], axis=-1) for p in (k, u, b)]

    transposed = np.concatenate([part.T for part in u], axis=1)
    return {
        "i and f swapped": swapped(1, 0, 2, 3),
        "i and g swapped": swapped(2, 1, 0, 3),
        "i and o swapped": swapped(3, 1, 2, 0),
        "f and g swapped": swapped(0, 2, 1, 3),
        "f and o swapped": swapped(0, 3, 2, 1),
        "g and o swapped": swapped(0, 1, 3, 2),
        "only the bias swapped": [kernel, recurrent_kernel, swapped(1, 0, 2, 3)[2]],
        "bias dropped": [kernel, recurrent_kernel, 0 * bias],
        "recurrent kernel transposed": [kernel, transposed, bias],
        "recurrent kernel dropped": [kernel, 0 * recurrent_kernel, bias],
        "kernel rows reversed": [kernel[::-1], recurrent_kernel, bias],
        "forget bias added": [kernel, recurrent_kernel, bias + np.repeat([0, 1, 0, 0], len(u[0]))],
    }


MUTATIONS = list(_mutations(*keras_lstm_arrays(np.random.default_rng(0), 3, 5)))


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_the_parity_error_is_an_alarm_when_the_weights_are_mutated(mutation):
    rng = np.random.default_rng(10)
    arrays = keras_lstm_arrays(rng, 3, 5)
    (x,) = random_arrays(rng, (2, 9, 3))
    truth = naive_lstm(x, *arrays)["h"]
    broken = lstm(x, weights.from_keras(*_mutations(*arrays)[mutation])).h
    assert largest(broken, truth) > 100 * TOLERANCES["float32"]
    assert largest(lstm(x, weights.from_keras(*arrays)).h, truth) < TOLERANCES["float64"]


@pytest.mark.parametrize(
    ("options", "wrong"),
    [
        ({"recurrent_activation": "hard_sigmoid"}, {"recurrent_activation": "hard_sigmoid_keras2"}),
        ({}, {"recurrent_activation": "hard_sigmoid"}),
        ({}, {"activation": "softsign"}),
        ({"forget_bias": 1.0}, {"forget_bias": 0.0}),
        ({"cell_clip": 0.1}, {"cell_clip": None}),
    ],
)
def test_the_parity_error_is_an_alarm_when_an_option_is_wrong(options, wrong):
    rng = np.random.default_rng(11)
    cell = weights.from_keras(*keras_lstm_arrays(rng, 3, 5))
    (x,) = random_arrays(rng, (2, 9, 3))
    right = lstm(x, cell, cell=LstmCell(**options)).h
    broken = lstm(x, cell, cell=replace(LstmCell(**options), **wrong)).h
    assert largest(broken, right) > 100 * TOLERANCES["float32"]


def test_the_gates_are_the_same_when_inputs_are_multiplied_in_blocks(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = samples.lstm_weights(rng)
    x = rng.normal(size=(2, 7, weights.input_size))
    whole = LstmCell().run(x, weights)
    monkeypatch.setattr("lstm_probe.cells.recurrence._STRETCH", 2)
    blocks = LstmCell().run(x, weights)
    for letter in whole.letters:
        np.testing.assert_allclose(blocks[letter], whole[letter], atol=1e-14)


@pytest.mark.parametrize(("time", "batch", "features"), [(1, 1, 784), (4, 3, 300), (40, 2, 300)])
def test_float64_is_exact_when_the_kernels_are_float32(rng, time, batch, features):
    """Kernels are converted in stretches, or whole; gates are not in the recurrence's order."""
    narrow = LstmWeights(
        rng.normal(0, 0.1, (features, 4, 70)).astype(np.float32),
        rng.normal(0, 0.1, (70, 4, 70)).astype(np.float32),
        rng.normal(0, 0.1, (4, 70)).astype(np.float32),
    )
    x, state = rng.normal(size=(batch, time, features)), rng.normal(size=(2, batch, 70))
    for initial in (None, state):
        found, expected = (
            LstmCell().run(x, each, initial_state=initial, dtype="float64")
            for each in (narrow, narrow.astype("float64"))
        )
        for letter in "ifgoch":
            assert found[letter].dtype == np.float64
            np.testing.assert_allclose(found[letter], expected[letter], rtol=0, atol=1e-14)


def test_nan_in_the_recurrent_kernel_shows_when_nothing_has_been_remembered(rng):
    weights = LstmWeights(rng.normal(size=(1000, 4, 5)), rng.normal(size=(5, 4, 5)))
    x = rng.normal(size=(1, 1, 1000))
    assert np.isfinite(LstmCell().run(x, weights).h).all()
    weights.recurrent_kernel[1, 0, 2] = np.nan
    assert np.isnan(LstmCell().run(x, weights).h[0, 0]).tolist() == [
        False,
        False,
        True,
        False,
        False,
    ]


@pytest.mark.parametrize("option", ["activation", "recurrent_activation"])
@pytest.mark.parametrize(
    "function",
    [
        lambda a: np.float64(1.7159) * np.tanh(a),
        lambda a: np.tanh(a, out=a),
        lambda a: np.where(a > 0, 1, 0),
    ],
    ids=["wider", "in place", "whole numbers"],
)
def test_functions_of_the_users_own_neither_widen_nor_overwrite(rng, option, function):
    weights_ = samples.lstm_weights(rng)
    x = rng.normal(size=(2, 7, weights_.input_size)).astype(np.float32)
    trace = LstmCell(**{option: function}).run(x, weights_, dtype="float32")
    assert {array.dtype for array in trace.arrays.values()} == {np.dtype("float32")}
    exact = LstmCell(**{option: lambda a: function(a.copy())}).run(x, weights_, dtype="float64")
    for letter in trace.letters:
        np.testing.assert_allclose(trace[letter], exact[letter], atol=1e-4)
