"""Keras's layout and cuDNN's: round trips, the cell that the shapes tell, errors that help."""

from __future__ import annotations

import numpy as np
import pytest
from helpers_cells import random_arrays

from lstm_probe.core.errors import LstmProbeError
from lstm_probe.weights import (
    CoupledLstmWeights,
    GruWeights,
    LstmWeights,
    SimpleRnnWeights,
    from_cudnn,
    from_keras,
    from_tf1,
    to_keras,
)
from lstm_probe.weights.gates import join_gates, split_gates

CELLS = [(4, LstmWeights), (3, GruWeights), (1, SimpleRnnWeights)]


@pytest.mark.parametrize(("blocks", "kind"), CELLS)
@pytest.mark.parametrize("features", [1, 3, 5, 12])
def test_arrays_come_back_when_they_make_a_round_trip(blocks, kind, features):
    rng = np.random.default_rng(features)
    columns = blocks * 5
    arrays = random_arrays(rng, (features, columns), (5, columns), (columns,))
    biases = [arrays[2], None]
    if blocks == 3:
        biases += random_arrays(rng, (2, columns))
    for bias in biases:
        given = [*arrays[:2], bias] if bias is not None else arrays[:2]
        weights = from_keras(*given)
        assert type(weights) is kind
        assert (weights.input_size, weights.units, weights.output_size) == (features, 5, 5)
        returned = to_keras(weights)
        assert len(returned) == len(given)
        for a, b in zip(given, returned, strict=True):
            np.testing.assert_array_equal(a, b)


def test_gates_are_those_of_keras_when_they_are_cut():
    kernel, recurrent_kernel = np.arange(24.0).reshape(3, 8), np.arange(16.0).reshape(2, 8)
    weights = from_keras(kernel, recurrent_kernel, np.arange(8.0))
    for column, letter in zip((0, 2, 4, 6), "ifgo", strict=True):
        gate = weights.gate(letter)
        np.testing.assert_array_equal(gate.kernel, kernel[:, column : column + 2])
        np.testing.assert_array_equal(gate.recurrent_kernel, recurrent_kernel[:, column:][:, :2])
        np.testing.assert_array_equal(gate.bias, [column, column + 1])


def test_nothing_is_copied_when_the_order_is_the_canonical_one():
    arrays = random_arrays(np.random.default_rng(0), (3, 8), (2, 8), (8,))
    weights = from_keras(*arrays)
    assert np.shares_memory(weights.kernel, arrays[0])
    assert np.shares_memory(weights.astype("float64").kernel, arrays[0])
    assert weights.astype("float32").kernel.dtype == np.float32


def test_variables_are_read_when_they_are_those_of_a_layer():
    import keras

    layer = keras.layers.GRU(4)
    layer.build((None, None, 3))
    weights = from_keras(*[v.value for v in layer.variables if "seed" not in v.path])
    np.testing.assert_array_equal(to_keras(weights)[0], layer.get_weights()[0])


@pytest.mark.parametrize(("blocks", "layer_name"), [(4, "LSTM"), (3, "GRU")])
@pytest.mark.parametrize("features", [1, 3, 5])
def test_weights_are_those_that_keras_loads_when_the_file_is_from_cudnn(
    blocks, layer_name, features
):
    import tf_keras
    from tf_keras.src.saving.legacy.hdf5_format import preprocess_weights_for_loading

    columns = blocks * 4
    rng = np.random.default_rng(features)
    arrays = random_arrays(rng, (features, columns), (4, columns), (2 * columns,))
    layer = getattr(tf_keras.layers, layer_name)(4)
    layer.build((None, None, features))
    theirs = preprocess_weights_for_loading(layer, [a.copy() for a in arrays], "2")
    ours = to_keras(from_cudnn(*arrays))
    for a, b in zip(theirs, ours, strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(ours[1], arrays[1])


def test_split_gates_is_undone_by_join_gates_when_orders_differ():
    fused = np.random.default_rng(0).normal(size=(3, 12))
    for order in ("igfo", "iofg", "ifgo"):
        split = split_gates(fused, order, "ifgo")
        np.testing.assert_array_equal(join_gates(split, order, "ifgo"), fused)


def ones(*shapes):
    return [np.ones(shape) for shape in shapes]


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        ([(3, 20), (4, 20)], r"Received: shapes \(3, 20\), \(4, 20\). Expected: kernel \(input"),
        ([(3, 10), (5, 10)], "n is 4 for an LSTM, 3 for a GRU"),
        ([(3, 20), (5, 15)], r"Pass the arrays of layer.get_weights\(\) in their order"),
        (
            [(3, 20), (5, 20), (2, 20)],
            "not the weights of a Keras LSTM, GRU, SimpleRNN or ConvLSTM",
        ),
        ([(3, 20), (5, 20), (40,)], r"would fit from_cudnn \(an LSTM\)"),
        ([(3, 15), (5, 15), (30,)], r"would fit from_cudnn \(a GRU\)"),
        ([(20, 3), (20, 5)], r"would fit from_torch \(an LSTM\)"),
        ([(15, 3), (15, 5), (15,)], r"would fit from_torch \(a GRU\)"),
        ([(8, 20), (20,)], r"would fit from_tf1 \(an LSTM\)"),
        ([(1, 20, 3), (1, 20, 5), (1, 40)], r"would fit from_onnx \(an LSTM\)"),
        ([(3,), (20,)], "Expected: kernel"),
        ([(), ()], "Expected: kernel"),
    ],
)
def test_the_error_says_which_layout_fits_when_shapes_are_wrong(shapes, message):
    with pytest.raises(LstmProbeError, match=message):
        from_keras(*ones(*shapes))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: from_cudnn(*ones((3, 20), (5, 20), (20,))), r"would fit from_keras \(an LSTM\)"),
        (lambda: from_keras(*ones((3, 0), (0, 0))), "not the weights of a Keras"),
        (lambda: LstmWeights(*ones((3, 4, 5), (4, 4, 5))), r"\(4, 4, 5\). Expected: \(5, 4, 5\)"),
        (lambda: LstmWeights(*ones((3, 4, 5), (5, 4, 5), (5, 4))), "has a bias that does not fit"),
        (lambda: LstmWeights(*ones((3, 4, 0), (0, 4, 0))), "has no units"),
        (lambda: GruWeights(*ones((3, 4, 5), (5, 4, 5))), r"Expected: \(3, 3, 5\).* order z r g"),
        (lambda: CoupledLstmWeights(*ones((3, 4, 5), (5, 4, 5))), "in the order f g o"),
        (
            lambda: LstmWeights(*ones((3, 4, 5), (5, 4, 5)), projection=np.ones((5, 2))),
            r"recurrent_kernel that does not fit. .* Expected: \(2, 4, 5\)",
        ),
        (
            lambda: LstmWeights(*ones((3, 4, 5), (5, 4, 5)), peepholes=np.ones((4, 5))),
            r"peepholes that does not fit. .* Expected: \(3, 5\)",
        ),
        (lambda: from_keras(*ones((3, 20), (5, 20))).gate("z"), "Received: 'z'. Expected one of i"),
        (lambda: to_keras(CoupledLstmWeights(*ones((3, 3, 5), (5, 3, 5)))), "gates f g o"),
        (
            lambda: to_keras(
                from_tf1(np.ones((8, 20)), **dict.fromkeys(PEEPHOLES, np.ones(5))),
            ),
            "without peepholes",
        ),
    ],
)
def test_the_error_says_what_was_expected_when_weights_are_wrong(call, message):
    with pytest.raises(LstmProbeError, match=message):
        call()


PEEPHOLES = "w_i_diag", "w_f_diag", "w_o_diag"
