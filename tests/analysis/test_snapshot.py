"""A snapshot takes what people write, or says what it expected, and never fails from within."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import samples

from lstm_probe import LstmCell, LstmProbeError, Snapshot, analyse, gru, lstm, simple_rnn
from lstm_probe.cells.custom import CustomCell
from lstm_probe.weights import NamedWeights, from_keras

DTYPES = {
    "float64": ["float64", "float", "double", np.float64, np.dtype("float64"), float, "f8", ">f8"],
    "float32": ["float32", "single", np.float32, np.dtype("float32"), "f4", np.dtype(">f4")],
    "float16": ["float16", "half", np.float16, np.dtype("float16")],
    "bfloat16": ["bfloat16", SimpleNamespace(name="bfloat16")],
}
WRITTEN = [(name, dtype) for name, each in DTYPES.items() for dtype in each]


class TorchLike:
    """A dtype whose text is that of PyTorch's."""

    def __repr__(self):
        return "torch.float32"


@pytest.mark.parametrize(("name", "dtype"), [*WRITTEN, ("float32", TorchLike())], ids=str)
def test_a_dtype_may_be_written_as_people_write_it(rng, name, dtype):
    snapshot = replace(samples.snapshot(rng), dtype=dtype)
    assert snapshot.dtype == name
    assert analyse(snapshot).parity.verdict.kind == "match"
    run = lstm(snapshot.x, snapshot.weights, dtype=dtype)
    assert run.h.dtype == ("float64" if name == "float64" else "float32")


def test_a_dtype_of_tensorflow_is_taken(rng):
    tf = pytest.importorskip("tensorflow")
    for dtype, name in ((tf.float32, "float32"), (tf.bfloat16, "bfloat16")):
        assert replace(samples.snapshot(rng), dtype=dtype).dtype == name


@pytest.mark.parametrize("dtype", ["int32", None, np.int64, "mixed_float16", "no dtype", 3, []])
def test_another_dtype_is_refused_with_what_was_received(rng, dtype):
    snapshot = samples.snapshot(rng)
    with pytest.raises(LstmProbeError, match=r"Received: dtype=.*Expected: float64, .* bfloat16"):
        replace(snapshot, dtype=dtype)
    if dtype is not None:  # which is the default of a run
        with pytest.raises(LstmProbeError, match=r"Received: dtype="):
            lstm(snapshot.x, snapshot.weights, dtype=dtype)


def masked(rng):
    mask = np.array([[True] * 7, [True, True, True, False, False, False, False]])
    return samples.snapshot(rng, mask=mask)


@pytest.mark.parametrize(
    "as_given", [np.ndarray.tolist, lambda a: a.astype(float), lambda a: 1 * a]
)
def test_lists_and_masks_of_numbers_are_taken(rng, as_given):
    right = masked(rng)
    given = replace(
        right, x=right.x.tolist(), output=right.output.tolist(), mask=as_given(right.mask)
    )
    assert given.mask.dtype == np.bool_
    assert np.array_equal(given.x, right.x)
    assert analyse(given).parity.float64.max_abs == analyse(right).parity.float64.max_abs == 0
    traced = lstm(right.x.tolist(), right.weights, mask=as_given(right.mask))
    assert np.array_equal(traced.h, lstm(right.x, right.weights, mask=right.mask).h)


def test_states_and_last_outputs_are_taken_as_lists(rng):
    states = [rng.normal(size=(2, 5)), rng.normal(size=(2, 5))]
    right = samples.snapshot(rng, initial_state=states)
    given = replace(
        right,
        initial_state=[state.tolist() for state in states],
        final_output=right.output[:, -1].tolist(),
    )
    assert analyse(given).parity.float64.max_abs == 0
    assert isinstance(given.initial_state, tuple)


def test_arrays_of_the_core_are_not_copied(rng):
    right = masked(rng)
    again = replace(right)
    assert again.x is right.x
    assert again.output is right.output
    assert again.mask is right.mask
    half = replace(right, x=right.x.astype(np.float16), output=np.zeros((2, 7, 5), int))
    assert (half.x.dtype, half.output.dtype) == (np.float32, np.float64)


WRONG = {
    "a ragged input": ({"x": [[1.0], [1.0, 2.0]]}, "x of layer 'memory' is no array of numbers"),
    "an input of text": ({"x": [["a"]]}, "x of layer 'memory' is no array of numbers"),
    "complex outputs": ({"output": np.zeros((2, 7, 5), complex)}, "output of layer 'memory'"),
    "an input of two axes": ({"x": np.zeros((7, 3))}, r"input \(7, 3\), output"),
    "a mask turned": ({"mask": np.ones((7, 2), bool)}, r"shape \(7, 2\). Expected: \(2, 7\)"),
    "a mask of halves": ({"mask": np.full((2, 7), 0.5)}, r"Received: 0.5 among its values"),
    "a mask of NaN": ({"mask": np.full((2, 7), np.nan)}, r"Received: nan among its values"),
    "a mask of text": ({"mask": [["yes"] * 7] * 2}, "The mask is no array of numbers"),
    "a last output turned": (
        {"final_output": np.zeros((5, 2))},
        r"shape \(5, 2\). Expected: \(2, 5\)",
    ),
    "states of text": ({"initial_state": ["a", "b"]}, "initial state of layer 'memory'"),
    "a state that is a number": ({"initial_state": 3.0}, "Received: initial_state=3.0"),
    "no weights": ({"weights": None}, "Received: weights=None"),
    "a class for a cell": ({"cell": LstmCell}, "Received: cell=<class"),
    "a name for a cell": ({"cell": "lstm"}, "Received: cell='lstm'"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_cannot_be_taken_is_refused_in_words(rng, what):
    fields, words = WRONG[what]
    with pytest.raises(LstmProbeError, match=words) as refused:
        replace(samples.snapshot(rng), **fields)
    assert "Received: " in str(refused.value)
    assert "Expected: " in str(refused.value)


@pytest.mark.parametrize("count", [1, 3])
def test_another_number_of_states_is_refused(rng, count):
    snapshot = samples.snapshot(rng, initial_state=None)
    wrong = replace(snapshot, initial_state=[np.zeros((2, 5))] * count)
    with pytest.raises(LstmProbeError, match=r"one array for each of the states h, c"):
        analyse(wrong)


@pytest.mark.parametrize("function", [lstm, gru, simple_rnn])
def test_a_run_refuses_what_is_no_array_of_numbers(rng, function):
    gates = {lstm: 4, gru: 3, simple_rnn: 1}[function]
    weights = from_keras(rng.normal(size=(3, 5 * gates)), rng.normal(size=(5, 5 * gates)))
    x = rng.normal(size=(2, 7, 3))
    assert np.array_equal(function(x.tolist(), weights).h, function(x, weights).h)
    for options in ({"mask": np.full((2, 7), 2.0)}, {"initial_state": [["a"]]}, {"mask": "no"}):
        with pytest.raises(LstmProbeError, match=r"Received: .*Expected: "):
            function(x, weights, **options)
    with pytest.raises(LstmProbeError, match=r"The input is no array of numbers"):
        function([[[1.0]], [[1.0, 2.0]]], weights)


def test_weights_take_lists_and_refuse_kernels_without_gates(rng):
    weights = samples.lstm_weights(rng)
    kind = type(weights)
    lists = kind(weights.kernel.tolist(), weights.recurrent_kernel.tolist(), weights.bias.tolist())
    x = rng.normal(size=(2, 4, 3))
    assert np.array_equal(lstm(x, lists).h, lstm(x, weights).h)
    with pytest.raises(LstmProbeError, match=r"kernels without an axis of gates"):
        kind(np.zeros((3, 20)), np.zeros((5, 20)))
    with pytest.raises(LstmProbeError, match=r"kernels without an axis of gates"):
        kind(np.zeros(3), np.float64(1.0))
    with pytest.raises(LstmProbeError, match=r"The bias of LstmWeights is no array of numbers"):
        kind(weights.kernel, weights.recurrent_kernel, [["a"] * 5] * 4)


def own_cell(states):
    def recurrence(x, state, weights):
        h = np.tanh(x @ weights["k"] + state[0])
        return {"h": h, "c": state[-1]}, [h, *state[1:]]

    return CustomCell("Own", recurrence, (("h", (-1, 1)), ("c", None)), states)


def test_a_registered_cell_checks_the_shape_of_its_initial_states(rng):
    weights = NamedWeights({"k": rng.normal(size=(3, 2))}, 3, 2)
    x, h, c = rng.normal(size=(4, 5, 3)), np.zeros((4, 2)), np.zeros((4, 6))
    cell = own_cell(("h", "c"))
    assert cell.run(x, weights, initial_state=[h, c]).h.shape == (4, 5, 2)
    for wrong in ([h.T, c], [h, c[:3]], [np.zeros(2), c], [h, np.zeros(4)], [c, h]):
        with pytest.raises(
            LstmProbeError, match=r"does not fit cell 'Own'. Received: [hc] of shape"
        ):
            cell.run(x, weights, initial_state=wrong)
    with pytest.raises(LstmProbeError, match=r"An initial state is no array of numbers"):
        cell.run(x, weights, initial_state=[h, "c"])
    unnamed = own_cell(("h",))  # the user has not said which arrays are the states
    assert unnamed.run(x, weights, initial_state=[h, h]).h.shape == (4, 5, 2)
    with pytest.raises(LstmProbeError, match=r"state 1 of shape \(2, 4\)"):
        unnamed.run(x, weights, initial_state=[h, h.T])


def test_a_snapshot_without_a_cell_is_checked_as_well(rng):
    right = samples.snapshot(rng)
    assert replace(right, cell=None, dtype="single").dtype == "float32"
    with pytest.raises(LstmProbeError, match="mask of layer"):
        replace(right, cell=None, mask=np.ones((2, 6), bool))
    assert isinstance(right, Snapshot)
