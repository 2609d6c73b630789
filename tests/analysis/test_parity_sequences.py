"""Each sequence is judged by itself, and what cannot be judged is said not to be."""

from __future__ import annotations

from dataclasses import replace

import keras
import numpy as np
import pytest
import samples
from test_parity_verdict import keras_snapshot

from lstm_probe import LstmCell, SimpleRnnCell, Snapshot, analyse, capture
from lstm_probe.analysis.parity.error import ParityError
from lstm_probe.analysis.parity.judge import judge
from lstm_probe.analysis.parity.judged_steps import judge_steps
from lstm_probe.analysis.parity.teacher_forcing import teacher_force
from lstm_probe.analysis.parity.verdict import Unjudged, Verdict
from lstm_probe.cells.custom import CustomCell
from lstm_probe.weights import LstmWeights, NamedWeights, from_keras

HUGE = [keras.layers.LSTM, keras.layers.GRU, keras.layers.SimpleRNN]


def error_of(per_sequence):
    """A parity error of these sizes, `(batch, time)`."""
    per_sequence = np.asarray(per_sequence, np.float64)
    largest = float(per_sequence.max())
    return ParityError(largest, largest, per_sequence.max(axis=0), per_sequence)


def captured(layer, x, scale=1.0, seed=0):
    rng = np.random.default_rng(seed)
    model = keras.Sequential([keras.Input(x.shape[1:]), layer])
    model.set_weights([scale * rng.normal(size=w.shape) for w in model.get_weights()])
    (snapshot,) = capture(model, x).values()
    return snapshot


@pytest.mark.parametrize("reverse", [False, True])
def test_rounding_of_one_sequence_excuses_nothing_in_another(rng, reverse):
    """NumPy's own error is 5e-5 in the first sequence; the second is wrong by 1e-4."""
    snapshot = samples.snapshot(rng, time=4, dtype="float32", reverse=reverse)
    snapshot.output[1] += 1e-4
    exact = error_of([[0.0] * 4, [1e-4] * 4])
    own = error_of([[5e-5] * 4, [1e-8] * 4])
    assert judge(snapshot, exact, lambda: own).kind == "mismatch"
    assert judge(snapshot, exact, lambda: own, earlier=own).kind == "mismatch"


@pytest.mark.parametrize("layer", HUGE)
def test_overflow_is_not_judged_and_is_said_to_be_when_the_framework_hides_it(layer):
    """TensorFlow's activations make finite numbers of infinities and NaN."""
    rng = np.random.default_rng(3)
    x = (1e20 * rng.normal(size=(4, 7, 3))).astype("float32")
    for seed in range(3):
        snapshot = captured(layer(3, return_sequences=True), x, 1e20, seed)
        verdict = analyse(snapshot).parity.verdict
        assert verdict.kind == "match"
        assert verdict.unjudged is None or "range of float32" in str(verdict)
    if layer is keras.layers.LSTM:
        assert verdict.unjudged is not None
        assert verdict.unjudged.timestep == 0


@pytest.mark.parametrize("layer", HUGE)
def test_overflow_of_one_sequence_excuses_nothing_in_another(layer):
    rng = np.random.default_rng(3)
    x = rng.normal(size=(3, 7, 3))
    x[0] *= 1e20
    x[1:] *= 1e-20
    model = keras.Sequential([keras.Input((7, 3)), layer(3, return_sequences=True)])
    model.set_weights([rng.normal(size=w.shape) for w in model.get_weights()])
    kernel, *others = model.get_weights()
    model.set_weights([1e20 * kernel, *others])
    (snapshot,) = capture(model, x.astype("float32")).values()
    wrong = replace(snapshot, output=snapshot.output.copy())
    wrong.output[2, 3:] += 0.5
    verdict = analyse(wrong).parity.verdict
    assert (verdict.kind, verdict.place.sequence) == ("mismatch", 2)
    assert verdict.place.timestep == 3
    wrong.output[0, 0, 0] = 0.3
    assert analyse(wrong).parity.verdict.place.sequence == 2
    assert analyse(snapshot).parity.verdict.kind == "match"


def test_steps_before_an_overflow_are_judged(rng):
    snapshot = keras_snapshot(rng, "rnn", dtype="float16", gain=2.0, time=40, activation="relu")
    verdict = analyse(snapshot).parity.verdict
    assert verdict.kind == "match"
    first = int(np.flatnonzero(~np.isfinite(snapshot.output).all(axis=(0, 2)))[0])
    assert first > 3
    snapshot.output[:, 2] += 1
    verdict = analyse(snapshot).parity.verdict
    assert (verdict.kind, verdict.place.timestep) == ("mismatch", 2)


def test_numbers_that_the_framework_flushes_to_zero_are_no_mismatch():
    x = np.full((2, 3, 1), 1e-39, "float32")
    x[1] = 0.3e-37
    layer = keras.layers.SimpleRNN(2, return_sequences=True, use_bias=False)
    model = keras.Sequential([keras.Input(x.shape[1:]), layer])
    model.set_weights([np.full((1, 2), 1e37), np.zeros((2, 2))])
    (snapshot,) = capture(model, x).values()
    snapshot = replace(snapshot, output=snapshot.output.copy())
    parity = analyse(snapshot).parity
    assert parity.float64.max_abs == pytest.approx(0.01, rel=0.01)  # 1e-39 times 1e37
    assert parity.verdict.kind == "match"
    snapshot.output[1] += 0.2
    verdict = analyse(snapshot).parity.verdict
    assert (verdict.kind, verdict.place.sequence) == ("mismatch", 1)


@pytest.mark.parametrize("dtype", ["mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_half_precision_is_a_match_when_convolutions_have_large_weights(rank, dtype):
    """Saturated gates are nearly 0 together; convolutions in 3D sum in half precision."""
    options = {"padding": "same", "return_sequences": True, "dtype": dtype}
    space = (7, 6, 5)[:rank]
    for seed in range(1, 5):
        layer = getattr(keras.layers, f"ConvLSTM{rank}D")(3, (2, 3, 2)[:rank], **options)
        rng = np.random.default_rng(seed)
        model = keras.Sequential([keras.Input((4, *space, 2)), layer])
        for variable in model.trainable_variables:
            fan = np.prod(variable.shape[:-1])
            scale = 8 / np.sqrt(fan) if len(variable.shape) > 1 else 3
            variable.assign(rng.normal(0, scale, variable.shape))
        (snapshot,) = capture(model, rng.normal(size=(2, 4, *space, 2))).values()
        verdict = analyse(snapshot).parity.verdict
        assert str(verdict) == "match", seed
        bias = snapshot.weights.bias.copy()
        bias[0] += 1
        wrong = replace(snapshot, weights=replace(snapshot.weights, bias=bias))
        assert analyse(wrong).parity.verdict.kind == "mismatch", seed


def custom(rng, reverse=False):
    """A cell whose states are not known, so that its steps cannot be judged one by one."""
    cell = CustomCell("Unknown", lambda x, s, w: ({"h": x @ w["k"]}, s), (("h", None),))
    weights = NamedWeights({"k": rng.normal(size=(3, 2))}, 3, 2)
    x = rng.normal(size=(2, 5, 3))
    state = (np.zeros((2, 2)), np.zeros((2, 2)))
    return Snapshot(
        0, "own", cell, weights, x=x, output=x @ weights["k"], initial_state=state, reverse=reverse
    )


@pytest.mark.parametrize("reverse", [False, True])
def test_a_cell_without_a_bound_is_judged_in_the_order_of_its_steps(rng, reverse):
    """The error comes at the first step that is read, where NumPy's own is still small."""
    seen = custom(rng, reverse)
    assert teacher_force(seen) is None
    order = slice(None, None, -1 if reverse else 1)
    own = error_of([[0, 0, 0, 0, 1e-3][order], [0.0] * 5])
    early = error_of([[1e-3, 0, 0, 0, 0][order], [0.0] * 5])
    late = error_of([[0, 0, 0, 0, 1e-3][order], [0.0] * 5])
    assert judge(seen, early, lambda: own).kind == "mismatch"
    assert judge(seen, late, lambda: own).kind == "match"
    elsewhere = error_of([[0.0] * 5, [0, 0, 0, 0, 1e-3][order]])
    assert judge(seen, elsewhere, lambda: own).kind == "mismatch"


def test_a_cell_without_a_bound_is_not_judged_where_rounding_is_as_large_as_the_values(rng):
    seen = custom(rng)
    own = error_of([[0, 0, np.inf, 0, 0], [0.0] * 5])
    lost = judge(seen, error_of([[0, 0, 9, 9, 9], [0.0] * 5]), lambda: own)
    assert lost.kind == "match"
    assert lost.unjudged == Unjudged(2, (0,), "rounding grows to the size of the values")
    assert judge(seen, error_of([[0, 0.1, 0, 0, 0], [0.0] * 5]), lambda: own).kind == "mismatch"
    assert judge(seen, error_of([[0.0] * 5, [0, 0, 0.1, 0, 0]]), lambda: own).kind == "mismatch"


@pytest.mark.parametrize("kind", ["lstm", "gru"])
@pytest.mark.parametrize("wrong", [1, 2, 5])
def test_no_gate_is_named_when_no_gate_explains_the_wrong_values(rng, kind, wrong):
    for _ in range(4):
        snapshot = keras_snapshot(rng, kind, time=25)
        for timestep in rng.choice(25, wrong, replace=False):
            snapshot.output[1, timestep, 2] += rng.choice([-1, 1]) * 0.01
        place = analyse(snapshot).parity.verdict.place
        assert (place.sequence, place.unit, place.gate) == (1, 2, None)


def test_the_words_of_a_verdict_say_what_was_not_judged():
    unjudged = Unjudged(2, (0, 1, 4, 7), "numbers leave the range of float32")
    assert str(Verdict("match", 0.1, unjudged=unjudged)) == (
        "match (not judged from timestep 2 of sequences 0, 1, 4 and others on, where numbers leave "
        "the range of float32)"
    )


def test_a_bound_is_no_larger_when_it_is_that_of_a_sequence_beside_a_huge_one(rng):
    """Also for the cells whose activations have no bounds."""
    weights = from_keras(rng.normal(0, 0.5, (3, 5)), rng.normal(0, 0.3, (5, 5)))
    x = rng.normal(size=(2, 30, 3))
    x[0] *= 1e36
    cell = SimpleRnnCell("relu")
    output = cell.run(x, weights, dtype="float32").h.astype(np.float64)
    snapshot = Snapshot(0, "rnn", cell, weights, x=x, output=output)
    assert analyse(snapshot).parity.verdict.kind == "match"
    output[1, 10:] += 1e-3
    verdict = analyse(snapshot).parity.verdict
    assert (verdict.kind, verdict.place.sequence) == ("mismatch", 1)


def test_a_match_that_only_a_wide_bound_explains_says_so(rng):
    """c is hidden behind a projection, and bfloat16 knows it to a tenth after some steps."""
    scale = {"kernel": 0.6, "recurrent_kernel": 0.6, "bias": 0.6}
    shapes = {"kernel": (4, 4, 6), "recurrent_kernel": (3, 4, 6), "bias": (4, 6)}
    arrays = {name: rng.normal(0, scale[name], shape) for name, shape in shapes.items()}
    w = LstmWeights(**arrays, projection=rng.normal(0, 0.6, (6, 3)))
    x = rng.normal(size=(1, 40, 4))
    output = LstmCell(forget_bias=1.0).run(x, w, dtype=np.float64).h
    right = Snapshot(0, "lstm", LstmCell(forget_bias=1.0), w, x=x, output=output, dtype="bfloat16")
    judged = judge_steps(right)
    size = 1 + np.abs(judged.steps.output)
    wide = int((judged.bound / size)[0].max(axis=1).argmax())
    unit = int((judged.bound / size)[0, wide].argmax())
    shown = analyse(right).parity.verdict
    assert (shown.kind, shown.unjudged) == ("match", None)
    output = output.copy()
    output[0, wide, unit] += 0.8 * judged.bound[0, wide, unit]
    verdict = analyse(replace(right, output=output)).parity.verdict
    assert verdict.kind == "match"
    assert verdict.unjudged.timestep == wide
    assert "rounding may grow as large as the difference" in str(verdict)
