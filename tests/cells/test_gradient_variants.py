"""Gradients through LSTM variants and convolutional LSTMs: TensorFlow's own, and differences."""

from __future__ import annotations

from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf
from test_cells_lstm_variants import VARIANT, variant_weights

from lstm_probe import ConvLstmCell, LstmCell, Snapshot
from lstm_probe.analysis.gradient.gradient import (
    gradient_of_loss,
    gradient_through_time,
    jacobian_norms,
)
from lstm_probe.cells.conv_lstm_cell.convolution import convolve
from lstm_probe.cells.conv_lstm_cell.convolution_backward import convolve_back
from lstm_probe.core.masks import emitted
from lstm_probe.weights import CoupledLstmWeights, LstmWeights, from_keras

as_numpy = keras.ops.convert_to_numpy
EXTRAS = ("peepholes", "projection", "projection_bias", "norm_scale", "state_norm")
#: Clips that some values reach and others do not.
WIDE = replace(VARIANT, cell_clip=1.3, proj_clip=1.5)
PARTS = {
    "peepholes": (LstmCell(), ["peepholes"]),
    "projection": (LstmCell(), ["projection", "projection_bias"]),
    "clips": (LstmCell(cell_clip=0.3, proj_clip=0.2), ["projection"]),
    "norms": (LstmCell(norm_epsilon=1e-3), ["norm_scale", "state_norm"]),
    "coupled": (LstmCell("mish", forget_bias=1.0), []),
    "clipped sums": (LstmCell(gate_clip=0.5, state_clip=0.4), ["peepholes"]),
    "two activations": (LstmCell(state_activation="softsign", gate_clip=0.7), ["projection"]),
    "clipped norms": (LstmCell("mish", gate_clip=0.6, state_clip=0.5), EXTRAS),
    "all": (WIDE, EXTRAS),
    "all, coupled": (WIDE, EXTRAS),
}


def variant(rng, name, masked=False, reverse=False):
    cell, kept = PARTS[name]
    kind = CoupledLstmWeights if "coupled" in name else LstmWeights
    units, output = 6, 4 if "projection" in kept else 6
    w = variant_weights(rng, 3, units, output, kind=kind)
    w = replace(w, **{extra: None for extra in EXTRAS if extra not in kept})
    x = rng.normal(size=(2, 8, 3))
    mask = rng.random((2, 8)) > 0.3 if masked else None
    states = rng.normal(size=(2, output)), rng.normal(0, 0.1, size=(2, units))
    blank = np.zeros((2, 8, output))
    seen = Snapshot(
        0, "memory", cell, w, x=x, output=blank, mask=mask, initial_state=states, reverse=reverse
    )
    return replace(seen, output=shown(seen, x)), trace_of(seen, x)


def read(snapshot, x):
    """The trace in reading order."""
    flip = slice(None, None, -1 if snapshot.reverse else 1)
    mask = None if snapshot.mask is None else snapshot.mask[:, flip]
    return snapshot.cell.run(
        x[:, flip],
        snapshot.weights,
        initial_state=snapshot.initial_state,
        mask=mask,
        dtype=np.float64,
    )


def trace_of(snapshot, x):
    trace = read(snapshot, x)
    return trace.reversed_in_time() if snapshot.reverse else trace


def shown(snapshot, x):
    trace = read(snapshot, x)
    hidden = emitted(trace.h, trace.mask, zero_output_for_mask=snapshot.zero_output_for_mask)
    return hidden[:, :: -1 if snapshot.reverse else 1]


def taped(snapshot):
    """The equations in TensorFlow, one tensor for each step, under a tape."""
    cell, w = snapshot.cell, snapshot.weights
    phi = keras.activations.get(cell.activation)
    psi = keras.activations.get(cell.state_activation or cell.activation)

    def clipped(a, bound):
        return a if bound is None else tf.clip_by_value(a, -bound, bound)

    def norm(a):
        centred = a - tf.reduce_mean(a, 1, keepdims=True)
        variance = tf.reduce_mean(centred**2, 1, keepdims=True)
        return centred / tf.sqrt(variance + cell.norm_epsilon)

    def gate(letter, x_t, h, c):
        kernel, recurrent_kernel, bias = w.gate(letter)
        a = x_t @ kernel + h @ recurrent_kernel
        if w.peepholes is not None and letter in w.peephole_gates:
            a += w.peepholes[w.peephole_gates.index(letter)] * c
        if w.norm_scale is not None:
            a = norm(a) * w.norm_scale[w.gates.index(letter)]
        a += bias + (cell.forget_bias if letter == "f" else 0)
        a = clipped(a, cell.gate_clip)
        return phi(a) if letter == "g" else tf.sigmoid(a)

    inputs = [tf.constant(snapshot.x[:, t]) for t in range(snapshot.timesteps)]
    h, c = (tf.constant(state) for state in snapshot.initial_state)
    states = []
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(inputs)
        for x_t in inputs:
            f = gate("f", x_t, h, c)
            i = gate("i", x_t, h, c) if "i" in w.gates else 1 - f
            c = f * c + i * gate("g", x_t, h, c)
            if w.state_norm is not None:
                c = norm(c) * w.state_norm[0] + w.state_norm[1]
            if cell.cell_clip is not None:
                c = tf.clip_by_value(c, -cell.cell_clip, cell.cell_clip)
            h = gate("o", x_t, h, c) * psi(clipped(c, cell.state_clip))
            if w.projection is not None:
                h = h @ w.projection
                h = h if w.projection_bias is None else h + w.projection_bias
                if cell.proj_clip is not None:
                    h = tf.clip_by_value(h, -cell.proj_clip, cell.proj_clip)
            states.append((h, c))
    return tape, inputs, states


@pytest.mark.parametrize("name", PARTS)
def test_gradients_of_a_variant_are_those_of_the_tape(rng, name):
    snapshot, trace = variant(rng, name)
    tape, inputs, states = taped(snapshot)
    np.testing.assert_allclose(states[-1][0], trace.h[:, -1], atol=1e-13)
    gradient = gradient_through_time(snapshot, trace)
    for index, ours in enumerate([gradient.hidden, gradient.cell]):
        with tape:
            target = tf.reduce_sum(states[-1][index]) / states[-1][index].shape[1] ** 0.5
        sources = [state[index] for state in states]
        theirs = tape.gradient(target, sources, unconnected_gradients="zero")
        norms = np.stack([np.linalg.norm(g, axis=1) for g in theirs], axis=1)
        np.testing.assert_allclose(ours, norms, rtol=1e-10, atol=1e-12 * norms.max())
    cotangent = rng.normal(size=trace.h.shape)
    with tape:
        loss = sum(tf.reduce_sum(h * cotangent[:, t]) for t, (h, _) in enumerate(states))
    theirs = np.stack(tape.gradient(loss, inputs), axis=1)
    ours = gradient_of_loss(snapshot, trace, cotangent)
    np.testing.assert_allclose(ours.inputs, theirs, rtol=1e-10, atol=1e-12)
    assert np.abs(theirs).max() > 1e-3


@pytest.mark.parametrize("zero", [False, True])
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("name", ["peepholes", "norms", "all, coupled", "projection"])
def test_gradients_of_a_variant_are_finite_differences_when_steps_are_masked(
    rng, name, reverse, zero
):
    snapshot, _ = variant(rng, name, masked=True, reverse=reverse)
    snapshot = replace(snapshot, zero_output_for_mask=zero)
    differences_agree(snapshot, rng)


def differences_agree(snapshot, rng):
    cotangent = rng.normal(size=snapshot.output.shape)
    trace = trace_of(snapshot, snapshot.x)
    ours = gradient_of_loss(snapshot, trace, cotangent).inputs
    assert ours.shape == snapshot.x.shape
    for _ in range(12):
        place = tuple(int(rng.integers(n)) for n in ours.shape)
        step = np.zeros_like(snapshot.x)
        step[place] = 1e-6
        pair = [(shown(snapshot, snapshot.x + s) * cotangent).sum() for s in (step, -step)]
        assert ours[place] == pytest.approx((pair[0] - pair[1]) / 2e-6, rel=1e-6, abs=1e-7)


CONVOLUTIONS = {
    1: {"kernel_size": 3},
    2: {"kernel_size": (2, 3), "padding": "same"},
    3: {"kernel_size": 2, "strides": (2, 1, 1)},
    "dilated": {"kernel_size": 2, "dilation_rate": 2},
    "silu": {"kernel_size": 3, "padding": "same", "strides": 2, "activation": "silu"},
}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("kind", CONVOLUTIONS)
def test_gradients_of_a_convolution_are_those_of_keras(rng, kind, dtype):
    rank = kind if isinstance(kind, int) else 2
    options = CONVOLUTIONS[kind]
    cls = getattr(keras.layers, f"ConvLSTM{rank}D")
    layer = cls(3, return_sequences=True, dtype=dtype, **options)
    shape = (7, 6, 5)[:rank]
    x = tf.constant(rng.normal(size=(2, 4, *shape, 2)), dtype)
    layer.build(x.shape)
    for variable in layer.trainable_variables:
        variable.assign(rng.normal(0, 0.3, variable.shape))
    with tf.GradientTape() as tape:
        tape.watch(x)
        output = layer(x)
        cotangent = rng.normal(size=output.shape)
        loss = tf.reduce_sum(output * tf.constant(cotangent, dtype))
    theirs = as_numpy(tape.gradient(loss, x)).reshape(2, 4, -1)
    cell = ConvLstmCell(
        input_shape=(*shape, 2),
        padding=layer.padding,
        strides=tuple(layer.strides),
        dilation=tuple(layer.dilation_rate),
        activation=options.get("activation", "tanh"),
    )
    weights = from_keras(*(as_numpy(v) for v in layer.trainable_variables))
    flat = as_numpy(x).reshape(2, 4, -1)
    snapshot = Snapshot(
        0, "conv", cell, weights, x=flat, output=as_numpy(output).reshape(2, 4, -1), dtype=dtype
    )
    trace = trace_of(snapshot, flat)
    ours = gradient_of_loss(snapshot, trace, cotangent.reshape(2, 4, -1))
    limit = 1e-10 if dtype == "float64" else 1e-4
    assert np.abs(ours.inputs - theirs).max() < limit * np.abs(theirs).max()
    gradient = gradient_through_time(snapshot, trace)
    assert gradient.hidden[:, -1] == pytest.approx(1)
    assert gradient.inputs.shape == (2, 4)


@pytest.mark.parametrize("layout", ["channels_last", "channels_first"])
def test_gradients_of_a_convolution_are_finite_differences_when_steps_are_masked(rng, layout):
    kernels = [rng.normal(0, 0.4, shape) for shape in ((2, 3, 2, 12), (2, 3, 3, 12), (12,))]
    shape = (4, 5, 2) if layout == "channels_last" else (2, 4, 5)
    cell = ConvLstmCell(input_shape=shape, padding="same", strides=(1, 2), data_format=layout)
    weights, x = from_keras(*kernels), rng.normal(size=(2, 6, 40))
    size = cell.output_size(weights)
    mask = rng.random((2, 6)) > 0.3
    snapshot = Snapshot(0, "conv", cell, weights, x=x, output=np.zeros((2, 6, size)), mask=mask)
    differences_agree(snapshot, rng)
    trace = trace_of(snapshot, x)
    assert jacobian_norms(snapshot, trace)[:, -1] == pytest.approx(1)


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("strides", [(1, 1), (2, 3)])
@pytest.mark.parametrize("size", [(1, 1), (2, 3), (4, 2)])
def test_a_convolution_and_its_way_back_are_adjoint(rng, size, strides, padding):
    for dilation in ((1, 1), (2, 1)) if strides == (1, 1) else ((1, 1),):
        x, kernel = rng.normal(size=(2, 9, 8, 3)), rng.normal(size=(*size, 3, 4))
        options = {"padding": padding, "strides": strides, "dilation": dilation}
        y = convolve(x, kernel, **options)
        change = rng.normal(size=y.shape)
        back = convolve_back(change, kernel, (9, 8), **options)
        assert back.shape == x.shape
        assert (y * change).sum() == pytest.approx((x * back).sum(), rel=1e-12)
