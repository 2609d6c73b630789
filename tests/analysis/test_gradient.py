"""Gradients through time against TensorFlow's own and against finite differences."""

from __future__ import annotations

from dataclasses import replace

import keras
import numpy as np
import pytest
import samples
import tensorflow as tf
from test_parity_verdict import keras_snapshot

import lstm_probe.analysis.gradient.gradient as gradient_module
from lstm_probe import GruCell, LstmCell, LstmProbeError, SimpleRnnCell, Snapshot, analyse
from lstm_probe.analysis.gradient.gradient import (
    gradient_of_loss,
    gradient_through_time,
    jacobian_norms,
)
from lstm_probe.cells import walk
from lstm_probe.core.activations import ACTIVATIONS
from lstm_probe.core.derivatives import COUPLED, derivative_of_argument, derivative_of_value
from lstm_probe.core.masks import emitted
from lstm_probe.weights import from_keras

as_numpy = keras.ops.convert_to_numpy
CELLS = {
    "lstm": keras.layers.LSTMCell,
    "gru": keras.layers.GRUCell,
    "rnn": keras.layers.SimpleRNNCell,
}

DESCRIBED = {"lstm": LstmCell, "gru": GruCell, "rnn": SimpleRnnCell}


def taped(rng, kind, *, dtype="float64", masked=False, state=False, reverse=False, **options):
    """A Keras cell that runs step by step under a tape, and the snapshot of it."""
    batch, steps, units = 3, 9, 6
    cell = CELLS[kind](units, dtype=dtype, **options)
    cell.build((batch, 4))
    for variable in cell.trainable_variables:
        variable.assign(rng.normal(0, 0.5, variable.shape))
    x = tf.constant(rng.normal(size=(batch, steps, 4)), dtype)
    mask = rng.random((batch, steps)) > 0.35 if masked else np.ones((batch, steps), bool)
    letters = "hc" if kind == "lstm" else "h"
    begin = [tf.constant(rng.normal(size=(batch, units)) * state, dtype) for _ in letters]
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        states, seen, inputs, shown = list(begin), [], [], []
        order = range(steps)[:: -1 if reverse else 1]
        output = tf.zeros((batch, units), dtype)
        for t in order:
            x_t = tf.identity(x[:, t])
            inputs.append(x_t)
            valid = tf.constant(mask[:, t, None])
            if kind == "lstm":
                states = lstm_step(cell, x_t, *states, valid)
            else:
                states = [tf.where(valid, cell(x_t, states)[0], states[0])]
            output = tf.where(valid, states[0], output)
            seen.append(states)
            shown.append(output)
        outputs = tf.stack(shown, axis=1)
    turned = slice(None, None, -1 if reverse else 1)
    names = [
        (lambda x: np.sin(x) / 2)
        if function is half_sine
        else keras.activations.serialize(function)
        for name in ("activation", "recurrent_activation")
        if (function := getattr(cell, name, None)) is not None
    ]
    extra = {"reset_after": cell.reset_after} if kind == "gru" else {}
    arrays = [cell.kernel, cell.recurrent_kernel, cell.bias]
    snapshot = Snapshot(
        step=0,
        layer="memory",
        cell=DESCRIBED[kind](*names, **extra),
        weights=from_keras(*(as_numpy(a) for a in arrays if a is not None)),
        x=as_numpy(x),
        output=as_numpy(outputs)[:, turned],
        mask=mask if masked else None,
        initial_state=tuple(as_numpy(b) for b in begin) if state else None,
        reverse=reverse,
        dtype=dtype,
    )
    return tape, seen, inputs, outputs, snapshot


def lstm_step(cell, x, h, c, valid):
    """Keras's own step, but a masked `c` and the `c` in `h` are one tensor under the tape."""
    a = x @ cell.kernel.value + h @ cell.recurrent_kernel.value
    a = a if cell.bias is None else a + cell.bias.value
    i, f, g, o = tf.split(a, 4, axis=1)
    i, f, o = (cell.recurrent_activation(gate) for gate in (i, f, o))
    c = tf.where(valid, f * c + i * cell.activation(g), c)
    return [tf.where(valid, o * cell.activation(c), h), c]


def theirs(tape, target, sources, reverse):
    rows = [as_numpy(g) for g in tape.gradient(target, sources, unconnected_gradients="zero")]
    return np.stack(rows, axis=1)[:, :: -1 if reverse else 1].astype(np.float64)


def relative(ours, reference):
    return np.abs(ours - reference).max() / np.abs(reference).max()


def half_sine(x):
    return keras.ops.sin(x) / 2


def half_sine_in_numpy(x):
    return np.sin(x) / 2


OPTIONS = [
    {},
    {"masked": True, "state": True},
    {"reverse": True, "masked": True},
    {"use_bias": False},
    {"activation": "gelu", "recurrent_activation": "hard_sigmoid"},
    {"activation": "silu", "recurrent_activation": half_sine, "masked": True},
    {"activation": "relu", "recurrent_activation": "softsign"},
    {"reset_after": False, "masked": True, "state": True},
]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("options", OPTIONS, ids=range(len(OPTIONS)))
@pytest.mark.parametrize("kind", CELLS)
def test_gradients_are_those_of_the_tape_when_taken_through_time(rng, kind, options, dtype):
    if "reset_after" in options and kind != "gru":
        pytest.skip("an option of the GRU")
    if kind == "rnn":
        options = {k: v for k, v in options.items() if k != "recurrent_activation"}
    if options.get("activation") == "gelu" and dtype == "float64":
        options = {**options, "activation": "mish"}  # TensorFlow's gelu is not float64 inside
    tape, seen, inputs, outputs, snapshot = taped(rng, kind, dtype=dtype, **options)
    trace, reverse = analyse(snapshot).trace, snapshot.reverse
    assert analyse(snapshot).parity.verdict.kind == "match"
    limit = 1e-10 if dtype == "float64" else 1e-4
    if options.get("recurrent_activation") is half_sine:
        limit = max(limit, 1e-8)  # by central differences
    gradient = gradient_through_time(snapshot, trace)
    for index, ours in enumerate([gradient.hidden, gradient.cell]):
        if ours is None:
            continue
        with tape:
            target = tf.reduce_sum(seen[-1][index]) / np.sqrt(6)
        reference = theirs(tape, target, [states[index] for states in seen], reverse)
        assert relative(ours, np.linalg.norm(reference, axis=2)) < limit
        if index == 0:
            assert relative(gradient.by_unit, reference) < limit
            reference = theirs(tape, target, inputs, reverse)
            assert relative(gradient.inputs, np.linalg.norm(reference, axis=2)) < limit

    cotangent = rng.normal(size=outputs.shape)
    with tape:
        loss = tf.reduce_sum(outputs * tf.constant(cotangent, dtype))
    ours = gradient_of_loss(snapshot, trace, cotangent[:, :: -1 if reverse else 1])
    assert relative(ours.inputs, theirs(tape, loss, inputs, reverse)) < limit
    if not options.get("masked"):  # with a mask, the output is another tensor than the state
        hidden = theirs(tape, loss, [states[0] for states in seen], reverse)
        direct = cotangent[:, :: -1 if reverse else 1]
        assert (
            relative(ours.hidden - direct, hidden) < limit or relative(ours.hidden, hidden) < limit
        )


@pytest.mark.parametrize("zero", [False, True])
@pytest.mark.parametrize("kind", CELLS)
def test_gradients_of_a_loss_are_finite_differences_when_steps_are_masked(rng, kind, zero):
    snapshot = keras_snapshot(
        rng, kind, dtype="float64", masked=True, zero_output_for_mask=zero, units=4, time=8
    )
    snapshot.mask[0, :2] = False
    cotangent = rng.normal(size=snapshot.output.shape)

    def loss(x):
        h = snapshot.cell.run(x, snapshot.weights, mask=snapshot.mask).h
        return float((emitted(h, snapshot.mask, zero_output_for_mask=zero) * cotangent).sum())

    ours = gradient_of_loss(snapshot, analyse(snapshot).trace, cotangent).inputs
    for place in [(0, 0, 1), (0, 3, 0), (1, 5, 2), (2, 7, 4), (1, 0, 3)]:
        step = np.zeros_like(snapshot.x)
        step[place] = 1e-6
        difference = (loss(snapshot.x + step) - loss(snapshot.x - step)) / 2e-6
        assert ours[place] == pytest.approx(difference, rel=1e-6, abs=1e-8)


def test_a_cotangent_of_the_last_output_counts_at_the_last_step_that_is_read(rng):
    for reverse in (False, True):
        snapshot = samples.snapshot(rng, reverse=reverse)
        trace = analyse(snapshot).trace
        last = rng.normal(size=(2, 5))
        whole = np.zeros((2, 7, 5))
        whole[:, 0 if reverse else 6] = last
        short, long = (gradient_of_loss(snapshot, trace, c) for c in (last, whole))
        np.testing.assert_array_equal(short.inputs, long.inputs)
        assert np.abs(short.inputs).min() > 0
    with pytest.raises(LstmProbeError, match=r"\(2, 6\).*\(2, 7, 5\)"):
        gradient_of_loss(snapshot, trace, np.zeros((2, 6)))


def test_jacobian_norms_are_those_of_the_whole_matrix(rng):
    snapshot = samples.snapshot(rng, batch=1)
    trace = analyse(snapshot).trace
    rows = [gradient_of_loss(snapshot, trace, np.eye(5)[None, unit]).hidden for unit in range(5)]
    expected = np.sqrt(sum(np.square(row).sum(axis=2) for row in rows) / 5)
    np.testing.assert_allclose(jacobian_norms(snapshot, trace), expected, rtol=1e-12)


@pytest.mark.parametrize("name", sorted(set(ACTIVATIONS) - COUPLED))
def test_derivatives_are_those_of_tensorflow(rng, name):
    x = np.concatenate([rng.normal(0, 2, 500), np.linspace(-8, 8, 401) + 1e-3])
    with tf.GradientTape() as tape:
        arguments = tf.constant(x)
        tape.watch(arguments)
        there = "hard_sigmoid" if name == "hard_sigmoid_keras2" else name
        values = keras.activations.get(there)(arguments)
        if name == "hard_sigmoid_keras2":
            values = tf.clip_by_value(0.2 * arguments + 0.5, 0, 1)
    reference = tape.gradient(values, arguments).numpy()
    limit = 1e-7 if name in ("gelu", "leaky_relu") else 1e-12
    np.testing.assert_allclose(derivative_of_argument(name)(x), reference, atol=limit)
    if derivative_of_value(name) is not None:
        ours = derivative_of_value(name)(ACTIVATIONS[name](x))
        np.testing.assert_allclose(ours, reference, atol=limit)


@pytest.mark.parametrize("kind", CELLS)
@pytest.mark.parametrize("steps", [1, 5])
@pytest.mark.parametrize("illness", ["none", "all masked", "nan", "constant"])
def test_gradient_is_defined_when_the_probe_says_nothing(rng, kind, steps, illness):
    snapshot = keras_snapshot(rng, kind, units=1, time=steps, dtype="float64")
    weights = snapshot.weights
    if illness == "all masked":
        snapshot = replace(snapshot, mask=np.zeros(snapshot.x.shape[:2], bool))
    if illness == "nan":
        weights.kernel[:] = np.nan
    if illness == "constant":
        weights.kernel[:], weights.recurrent_kernel[:] = 0, 0
    gradient = analyse(snapshot).gradient
    assert gradient.hidden.shape == snapshot.x.shape[:2]
    expected = steps == 1 or illness in ("all masked", "nan")
    assert np.isnan(gradient.decay[gradient.memory]) == expected


def test_gradient_vanishes_as_fast_as_the_forget_gate_says(rng):
    weights = samples.lstm_weights(rng)
    weights.recurrent_kernel[:] = 0
    weights.kernel[:, 1], weights.bias[1] = 0, np.log(0.9 / 0.1)
    gradient = analyse(samples.snapshot(rng, weights=weights, time=80)).gradient
    assert gradient.decay["c"] == pytest.approx(0.9, rel=1e-9)
    assert gradient.reach["c"] == 43  # 0.9^43 > 0.01 > 0.9^44


@pytest.mark.parametrize("cell", [LstmCell(), LstmCell(recurrent_activation="hard_sigmoid")])
@pytest.mark.parametrize(("time", "kept"), [(30, 0.7), (300, 0.3), (30, 0.0)])
def test_gradient_of_a_float32_layer_is_that_in_float64_however_far_it_fades(
    rng, monkeypatch, cell, time, kept
):
    weights = samples.lstm_weights(rng).astype(np.float32)
    bias = np.log(kept / (1 - kept)) if kept else -200.0
    weights.kernel[:, 1], weights.recurrent_kernel[:, 1], weights.bias[1] = 0, 0, bias
    if not kept:  # nothing at all comes through
        weights.recurrent_kernel[:] = 0
    x = rng.normal(size=(2, time, weights.input_size)).astype(np.float32)
    trace = cell.run(x, weights, dtype=np.float64)
    snapshot = Snapshot(0, "lstm", cell, weights, x=x, output=trace.h)
    wide = gradient_through_time(replace(snapshot, weights=weights.astype(np.float64)), trace)
    assert wide.by_unit.dtype == np.float64
    walks = []
    walk_back = gradient_module.walk_back

    def counted(cell, run, seeds, **options):
        walks.append(run.weights.dtype)
        return walk_back(cell, run, seeds, **options)

    monkeypatch.setattr(gradient_module, "walk_back", counted)
    ours = gradient_through_time(snapshot, trace)
    for name in ("hidden", "cell"):
        np.testing.assert_allclose(getattr(ours, name), getattr(wide, name), rtol=2e-5)
    moderate = min(wide.hidden.min(), wide.cell.min()) > 1e-25
    assert ours.by_unit.dtype == (np.float32 if moderate else np.float64)
    assert moderate == (time == 30 and kept == 0.7)
    assert len(walks) == (1 if moderate else 2)
    # Where float32 did not hold it at the capture before, it is not tried.
    walks.clear()
    gradient_through_time(snapshot, trace, previous=ours)
    assert len(walks) == 1


def test_gradient_is_not_given_when_the_activation_mixes_the_units(rng):
    snapshot = samples.snapshot(rng, cell=LstmCell("softmax"))
    assert analyse(snapshot).gradient is None
    assert gradient_of_loss(snapshot, analyse(snapshot).trace, np.ones((2, 5))) is None
    assert jacobian_norms(snapshot, analyse(snapshot).trace) is None


@pytest.mark.parametrize("masked", [False, True])
def test_gradients_are_the_same_when_a_long_sequence_is_walked_in_stretches(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch, masked: bool
) -> None:
    weights = samples.lstm_weights(rng)
    x = rng.normal(size=(2, 11, weights.input_size))
    mask = rng.random((2, 11)) > 0.3 if masked else None
    trace = LstmCell().run(x, weights, mask=mask)
    seen = Snapshot(0, "lstm", LstmCell(), weights, x=x, output=trace.h, mask=mask)
    cotangent = rng.normal(size=trace.h.shape)
    whole, of_loss = gradient_through_time(seen, trace), gradient_of_loss(seen, trace, cotangent)
    monkeypatch.setattr(walk, "_STRETCH", 4)  # the last stretch is shorter
    parts, loss_parts = gradient_through_time(seen, trace), gradient_of_loss(seen, trace, cotangent)
    for name in ("hidden", "cell", "by_unit", "inputs"):
        np.testing.assert_allclose(getattr(parts, name), getattr(whole, name), atol=1e-13)
    for name in ("hidden", "cell", "inputs"):
        np.testing.assert_allclose(getattr(loss_parts, name), getattr(of_loss, name), atol=1e-13)
