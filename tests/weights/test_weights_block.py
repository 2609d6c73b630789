"""TensorFlow's block kernels, run for real, against the NumPy cells."""

from __future__ import annotations

import numpy as np
import pytest
from helpers_cells import largest, random_arrays

from lstm_probe.analysis.parity.error import TOLERANCES
from lstm_probe.cells import LstmCell, gru, lstm
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.weights import from_block_lstm, from_gru_block

TOLERANCE = TOLERANCES["float32"]  # the kernels exist in float32 and float16 only


def block_arrays(seed):
    rng = np.random.default_rng(seed)
    shapes = (2, 9, 3), (2, 5), (2, 5), (8, 20), (20,), (5,), (5,), (5,)
    return random_arrays(rng, *shapes, dtype="float32")


@pytest.mark.parametrize("use_peephole", [False, True])
@pytest.mark.parametrize(
    ("version", "forget_bias", "cell_clip"), [(1, 1.0, 3.0), (1, -0.5, 0.3), (2, 0.0, 0.3)]
)
def test_gates_are_those_of_the_kernel_when_weights_are_random(
    version, forget_bias, cell_clip, use_peephole
):
    import tensorflow as tf

    x, h, c, w, b, wci, wcf, wco = block_arrays(version)
    peepholes = {"wci": wci, "wcf": wcf, "wco": wco}
    options = {"forget_bias": forget_bias} if version == 1 else {}
    kernel = tf.raw_ops.BlockLSTM if version == 1 else tf.raw_ops.BlockLSTMV2
    theirs = kernel(
        seq_len_max=tf.constant(9, tf.int64),
        x=x.swapaxes(0, 1),
        cs_prev=c,
        h_prev=h,
        w=w,
        b=b,
        cell_clip=cell_clip,
        use_peephole=use_peephole,
        **peepholes,
        **options,
    )
    weights = from_block_lstm(w, b, version=version, **(peepholes if use_peephole else {}))
    cell = LstmCell(forget_bias=forget_bias, cell_clip=cell_clip)
    trace = lstm(x, weights, cell=cell, initial_state=(h, c))
    names = {"i": theirs.i, "f": theirs.f, "g": theirs.ci, "o": theirs.o, "h": theirs.h}
    names["c"] = theirs.cs
    for letter, array in names.items():
        assert largest(trace[letter], np.asarray(array).swapaxes(0, 1)) < TOLERANCE
    wrong = from_block_lstm(w, b, version=3 - version, **(peepholes if use_peephole else {}))
    broken = lstm(x, wrong, cell=cell, initial_state=(h, c))
    assert largest(broken.h, np.asarray(theirs.h).swapaxes(0, 1)) > 100 * TOLERANCE


def test_one_step_is_that_of_lstm_block_cell_when_weights_are_random():
    import tensorflow as tf

    x, h, c, w, b, wci, wcf, wco = block_arrays(3)
    peepholes = {"wci": wci, "wcf": wcf, "wco": wco}
    theirs = tf.raw_ops.LSTMBlockCell(
        x=x[:, 0], cs_prev=c, h_prev=h, w=w, b=b, use_peephole=True, cell_clip=0, **peepholes
    )
    cell = LstmCell(forget_bias=1.0)  # a clip of 0 is off in this kernel
    trace = lstm(x[:, :1], from_block_lstm(w, b, **peepholes), cell=cell, initial_state=(h, c))
    assert largest(trace.h[:, 0], theirs.h) < TOLERANCE
    assert largest(trace.c[:, 0], theirs.cs) < TOLERANCE


def test_steps_are_those_of_gru_block_cell_when_weights_are_random():
    import tensorflow as tf

    shapes = (2, 9, 3), (2, 5), (8, 10), (8, 5), (10,), (5,)
    x, h, *arrays = random_arrays(np.random.default_rng(4), *shapes, dtype="float32")
    trace = gru(x, from_gru_block(*arrays), initial_state=[h])
    names = dict(zip(("w_ru", "w_c", "b_ru", "b_c"), arrays, strict=True))
    for t in range(9):
        theirs = tf.raw_ops.GRUBlockCell(x=x[:, t], h_prev=h, **names)
        h = theirs.h
        for letter, array in {"r": theirs.r, "z": theirs.u, "g": theirs.c, "h": h}.items():
            assert largest(trace[letter][:, t], array) < TOLERANCE


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: from_block_lstm(np.ones((8, 20)), np.ones(20), version=3), "Expected: 1 or 2"),
        (lambda: from_block_lstm(np.ones((8, 18)), np.ones(18)), r"Received: shapes \(8, 18\)"),
        (lambda: from_block_lstm(np.ones((8, 20)), np.ones(20), wci=np.ones(5)), "Received: 1 of"),
        (
            lambda: from_gru_block(np.ones((8, 10)), np.ones(10), np.ones((8, 5)), np.ones(5)),
            r"would fit from_tf1_gru \(a GRU\)",
        ),
    ],
)
def test_the_error_says_what_was_expected_when_arrays_are_wrong(call, message):
    with pytest.raises(LstmProbeError, match=message):
        call()
