"""The LSTM cell against Keras's own layer, against a per-gate loop, and against its mutations."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from helpers_cells import keras_lstm_arrays, largest, naive_lstm, random_arrays

from lstm_probe import weights
from lstm_probe.activations import get_activation
from lstm_probe.cells import LstmCell, lstm
from lstm_probe.errors import LstmProbeError
from lstm_probe.masks import emitted
from lstm_probe.parity import TOLERANCES
from lstm_probe.trace import GateTrace
from lstm_probe.weights import CoupledLstmWeights, LstmWeights

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


# The variants. The framework's own cells are in test_weights_tf1.py; here is the book.


def variant_weights(rng, features, units, output, *, kind=LstmWeights):
    gates, peeping = len(kind.gates), len(kind.peephole_gates)
    shapes = [
        (features, gates, units),
        (output, gates, units),
        (gates, units),
        (peeping, units),
        (units, output),
        (output,),
        (gates, units),
        (2, units),
    ]
    return kind(*random_arrays(rng, *shapes))


def naive_variant(x, w, cell):
    """Every variant at once, letter by letter; norms and clips as `cell` and `w` say."""
    sigma = get_activation("sigmoid")
    bias = dict(zip(w.gates, w.bias, strict=True))
    peephole = dict(zip(w.peephole_gates, w.peepholes, strict=True)) | {"g": 0.0}
    scale = dict(zip(w.gates, w.norm_scale, strict=True))

    def norm(a):
        mean = a.mean(axis=1)[:, None]
        return (a - mean) / np.sqrt(a.var(axis=1)[:, None] + cell.norm_epsilon)

    def pre(letter, x_t, h, c):
        kernel, recurrent_kernel, _ = w.gate(letter)
        return norm(x_t @ kernel + h @ recurrent_kernel + peephole[letter] * c) * scale[letter]

    h, c = np.zeros((len(x), w.output_size)), np.zeros((len(x), w.units))
    hidden, cells = [], []
    for t in range(x.shape[1]):
        f = sigma(pre("f", x[:, t], h, c) + bias["f"] + cell.forget_bias)
        i = sigma(pre("i", x[:, t], h, c) + bias["i"]) if "i" in w.gates else 1 - f
        g = np.tanh(pre("g", x[:, t], h, c) + bias["g"])
        c = norm(f * c + i * g) * w.state_norm[0] + w.state_norm[1]
        c = np.minimum(np.maximum(c, -cell.cell_clip), cell.cell_clip)
        o = sigma(pre("o", x[:, t], h, c) + bias["o"])
        h = (o * np.tanh(c)) @ w.projection + w.projection_bias
        h = np.minimum(np.maximum(h, -cell.proj_clip), cell.proj_clip)
        hidden.append(h)
        cells.append(c)
    return np.stack(hidden, axis=1), np.stack(cells, axis=1)


VARIANT = LstmCell(forget_bias=0.7, cell_clip=0.6, proj_clip=0.5, norm_epsilon=1e-3)


@pytest.mark.parametrize("kind", [LstmWeights, CoupledLstmWeights])
def test_every_variant_at_once_is_the_naive_loop_when_weights_are_random(kind):
    rng = np.random.default_rng(12)
    w = variant_weights(rng, 3, 6, 4, kind=kind)
    (x,) = random_arrays(rng, (2, 9, 3))
    trace = lstm(x, w, cell=VARIANT)
    h, c = naive_variant(x, w, VARIANT)
    assert trace.h.shape == (2, 9, 4)
    assert largest(trace.h, h) < TOLERANCES["float64"]
    assert largest(trace.c, c) < TOLERANCES["float64"]
    assert (np.abs(c) == 0.6).any()
    assert (np.abs(h) == 0.5).any()
    assert trace.ranges["c"] == (-0.6, 0.6)
    assert trace.ranges["h"] == (-0.5, 0.5)


@pytest.mark.parametrize("missing", ["peepholes", "projection_bias", "norm_scale", "state_norm"])
def test_the_parity_error_is_an_alarm_when_a_variant_is_forgotten(missing):
    rng = np.random.default_rng(13)
    w = variant_weights(rng, 3, 6, 4)
    (x,) = random_arrays(rng, (2, 9, 3))
    broken = lstm(x, replace(w, **{missing: None}), cell=VARIANT).h
    assert largest(broken, naive_variant(x, w, VARIANT)[0]) > 100 * TOLERANCES["float32"]


def test_peepholes_are_an_alarm_when_their_order_is_wrong():
    rng = np.random.default_rng(14)
    w = variant_weights(rng, 3, 6, 4)
    (x,) = random_arrays(rng, (2, 9, 3))
    right = naive_variant(x, w, VARIANT)[0]
    for order in ([1, 0, 2], [0, 2, 1], [2, 1, 0]):
        broken = lstm(x, replace(w, peepholes=w.peepholes[order]), cell=VARIANT).h
        assert largest(broken, right) > 100 * TOLERANCES["float32"]


def test_the_variants_road_is_the_plain_road_when_nothing_is_added():
    rng = np.random.default_rng(15)
    w = weights.from_keras(*keras_lstm_arrays(rng, 3, 6))
    (x,) = random_arrays(rng, (2, 9, 3))
    mask = rng.random((2, 9)) > 0.3
    plain = lstm(x, w, mask=mask, cell=LstmCell(forget_bias=1.0))
    general = lstm(x, w, mask=mask, cell=LstmCell(forget_bias=1.0, cell_clip=1e9))
    for letter in plain.letters:
        assert largest(plain[letter], general[letter]) < 1e-15


def test_the_cell_state_is_zero_when_the_clip_is_zero():
    rng = np.random.default_rng(16)
    w = weights.from_keras(*keras_lstm_arrays(rng, 3, 6))
    (x,) = random_arrays(rng, (2, 9, 3))
    trace = lstm(x, w, cell=LstmCell(cell_clip=0.0))
    assert not trace.c.any()
    assert not trace.h.any()


def test_states_have_their_own_widths_when_h_is_projected():
    rng = np.random.default_rng(17)
    w = variant_weights(rng, 3, 6, 4)
    x, h, c = random_arrays(rng, (2, 9, 3), (2, 4), (2, 6))
    whole = lstm(x, w, cell=VARIANT, initial_state=(h, c), dtype="float32")
    assert whole.h.dtype == np.float32
    first = lstm(x[:, :5], w, cell=VARIANT, initial_state=(h, c))
    state = first.h[:, -1], first.c[:, -1]
    rest = lstm(x[:, 5:], w, cell=VARIANT, initial_state=state)
    assert largest(whole.h[:, 5:], rest.h) < TOLERANCES["float32"]
    with pytest.raises(LstmProbeError, match=r"shapes \[\(2, 4\), \(2, 6\)\]"):
        lstm(x, w, cell=VARIANT, initial_state=(c, c))


def test_states_are_carried_when_a_step_of_a_variant_is_masked():
    rng = np.random.default_rng(18)
    w = variant_weights(rng, 3, 6, 4)
    (x,) = random_arrays(rng, (1, 6, 3))
    mask = np.array([[True, False, True, False, False, True]])
    trace = lstm(x, w, cell=VARIANT, mask=mask)
    shorter = lstm(x[:, mask[0]], w, cell=VARIANT)
    for letter in trace.letters:
        assert largest(trace.valid(letter), shorter[letter][0]) < 1e-15


def test_the_trace_keeps_both_widths_when_h_is_projected(tmp_path):
    rng = np.random.default_rng(19)
    w = variant_weights(rng, 3, 6, 4)
    (x,) = random_arrays(rng, (2, 9, 3))
    trace = lstm(x, w, cell=VARIANT, mask=rng.random((2, 9)) > 0.3)
    assert (trace.units, trace.valid("c").shape[1], trace.valid("h").shape[1]) == (6, 6, 4)
    assert replace(trace, mask=None).valid("h").shape == (18, 4)
    trace.save(tmp_path / "trace.npz")
    loaded = GateTrace.load(tmp_path / "trace.npz")
    np.testing.assert_array_equal(loaded.h, trace.h)
    with pytest.raises(LstmProbeError, match="only the last axis of h may differ"):
        replace(trace, arrays={**trace.arrays, "f": trace.h})
    with pytest.raises(LstmProbeError, match="only the last axis of h may differ"):
        replace(trace, arrays={**trace.arrays, "h": trace.h[:, 1:]})
