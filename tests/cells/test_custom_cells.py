"""Registered cells with all that they may tell: verdict, gradient and memory like ours."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import lstm_probe
from lstm_probe import LstmProbeError, Snapshot, analyse, weights
from lstm_probe.cells import registered_cell
from lstm_probe.weights.named import NamedWeights

UNITS, FEATURES = 5, 3
RANGES = {"i": (0, 1), "f": (0, 1), "g": (-1, 1), "o": (0, 1), "c": None, "h": (-1, 1)}


def sigmoid(a):
    return 0.5 * np.tanh(0.5 * a) + 0.5


def gates(x, h, w):
    a = x @ w["kernel"] + h @ w["recurrent_kernel"] + w["bias"]
    i, f, g, o = np.split(a, 4, axis=-1)
    return sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)


def long_short(x, states, w):
    """An LSTM, written as a user would."""
    h, c = states
    i, f, g, o = gates(x, h, w)
    c = f * c + i * g
    h = o * np.tanh(c)
    return {"i": i, "f": f, "g": g, "o": o, "c": c, "h": h}, [h, c]


def long_short_back(x, states, w, changes):
    h, c = states
    dh, dc = changes
    i, f, g, o = gates(x, h, w)
    shown = np.tanh(f * c + i * g)
    dc = dc + dh * o * (1 - shown**2)
    da = [dc * g * i * (1 - i), dc * c * f * (1 - f), dc * i * (1 - g**2), dh * shown * o * (1 - o)]
    da = np.concatenate(da, axis=-1)
    return da @ w["kernel"].T, [da @ w["recurrent_kernel"].T, dc * f]


def register(**options):
    return lstm_probe.register_cell("LongShort", ranges=RANGES, states=("h", "c"), **options)(
        long_short
    )


@pytest.fixture
def pair(rng):
    """The same network as one of our cells and as a registered one."""
    register(keeper="f", back=long_short_back)
    arrays = {
        "kernel": rng.normal(0, 0.6, (FEATURES, 4 * UNITS)),
        "recurrent_kernel": rng.normal(0, 0.6, (UNITS, 4 * UNITS)),
        "bias": rng.normal(0, 0.6, 4 * UNITS),
    }
    x = rng.normal(size=(2, 9, FEATURES))
    w = weights.from_keras(*arrays.values())
    trace = lstm_probe.lstm(x, w)
    ours = Snapshot(0, "ours", lstm_probe.LstmCell(), w, x=x, output=trace.h, dtype="float64")
    named = NamedWeights(arrays, FEATURES, UNITS)
    theirs = replace(ours, layer="theirs", cell=registered_cell("LongShort"), weights=named)
    return ours, theirs


def test_gates_and_gradients_are_those_of_our_own_cell(pair):
    ours, theirs = map(analyse, pair)
    for letter in RANGES:
        np.testing.assert_allclose(theirs.trace[letter], ours.trace[letter], atol=1e-14)
    assert str(theirs.parity.verdict) == "match"
    for name in ("hidden", "cell", "by_unit", "inputs"):
        mine = getattr(ours.gradient, name)
        if name == "cell":  # what h owes c within a step only our own cell tells
            assert theirs.gradient.cell.shape == mine.shape
        else:
            np.testing.assert_allclose(getattr(theirs.gradient, name), mine, rtol=1e-10)
    np.testing.assert_allclose(theirs.health.horizon, ours.health.horizon)


def with_c_first():
    def turned(x, states, w):
        arrays, (h, c) = long_short(x, states[::-1], w)
        return arrays, [c, h]

    def turned_back(x, states, w, changes):
        by_x, (by_h, by_c) = long_short_back(x, states[::-1], w, changes[::-1])
        return by_x, [by_c, by_h]

    lstm_probe.register_cell("Turned", ranges=RANGES, states=("c", "h"), back=turned_back)(turned)
    return registered_cell("Turned")


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("begun", [False, True])
def test_masks_and_initial_states_are_those_of_our_own_cell(pair, rng, begun, turned):
    ours, theirs = pair
    mask = rng.random((2, 9)) > 0.4
    mask[0, :2], mask[1, 7:] = False, False
    state = tuple(rng.normal(size=(2, UNITS)) for _ in "hc") if begun else None
    trace = ours.cell.run(ours.x, ours.weights, mask=mask, initial_state=state)
    ours = replace(ours, mask=mask, initial_state=state, output=trace.shown())
    theirs = replace(theirs, mask=mask, initial_state=state, output=trace.shown())
    if turned:
        state = None if state is None else state[::-1]
        theirs = replace(theirs, cell=with_c_first(), initial_state=state)
    one, other = analyse(ours), analyse(theirs)
    assert str(other.parity.verdict) == "match"
    for letter in "ch":
        np.testing.assert_allclose(other.trace[letter], one.trace[letter], atol=1e-14)
        np.testing.assert_allclose(other.trace.final[letter], one.trace.final[letter], atol=1e-14)
    for name in ("hidden", "by_unit", "inputs"):
        theirs_, ours_ = getattr(other.gradient, name), getattr(one.gradient, name)
        np.testing.assert_allclose(theirs_, ours_, rtol=1e-9, atol=1e-14)


def test_a_loss_goes_back_to_the_inputs(pair, rng):
    cotangent = rng.normal(size=(2, 9, UNITS))
    ours, theirs = (
        lstm_probe.analysis.gradient_of_loss(each, analyse(each).trace, cotangent) for each in pair
    )
    np.testing.assert_allclose(theirs.inputs, ours.inputs, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(theirs.hidden, ours.hidden, rtol=1e-9, atol=1e-12)


def test_a_chaotic_network_matches_and_a_wrong_one_does_not(rng):
    register()
    arrays = {
        "kernel": rng.normal(0, 1, (FEATURES, 4 * UNITS)).astype(np.float32),
        "recurrent_kernel": rng.normal(0, 9, (UNITS, 4 * UNITS)).astype(np.float32),
        "bias": rng.normal(0, 1, 4 * UNITS).astype(np.float32),
    }
    x = rng.normal(size=(2, 300, FEATURES)).astype(np.float32)
    w = weights.from_keras(*arrays.values())
    shown = lstm_probe.lstm(x, w, dtype="float32").h
    named = NamedWeights(arrays, FEATURES, UNITS)
    seen = Snapshot(0, "chaos", registered_cell("LongShort"), named, x=x, output=shown)
    assert str(analyse(seen).parity.verdict) == "match"
    wrong = shown.copy()
    wrong[1, 100:, 2] += 1e-3
    verdict = analyse(replace(seen, output=wrong)).parity.verdict
    assert verdict.kind == "mismatch"
    assert (verdict.place.timestep, verdict.place.sequence) == (100, 1)


def test_each_sequence_is_bounded_by_itself(rng):
    """One that cannot be judged excuses no other."""
    register()
    arrays = {
        "kernel": rng.normal(0, 1, (FEATURES, 4 * UNITS)).astype(np.float32),
        "recurrent_kernel": rng.normal(0, 1, (UNITS, 4 * UNITS)).astype(np.float32),
        "bias": np.zeros(4 * UNITS, np.float32),
    }
    x = rng.normal(size=(2, 20, FEATURES)).astype(np.float32)
    x[0] *= 1e18
    w = weights.from_keras(*arrays.values())
    wrong = lstm_probe.lstm(x, w, dtype="float32").h.copy()
    wrong[1, 10, 0] += 1e-4
    named = NamedWeights(arrays, FEATURES, UNITS)
    seen = Snapshot(0, "two", registered_cell("LongShort"), named, x=x, output=wrong)
    assert analyse(seen).parity.verdict.kind == "mismatch"


def test_all_steps_at_once_may_be_told(pair, rng):
    _, theirs = pair
    calls = []

    def steps(x, h, initial, w):
        calls.append(x.shape)
        i, f, g, o = gates(x, h, w)
        c, carried = np.empty_like(i), initial[1]
        for t in range(len(x)):
            carried = c[t] = f[t] * carried + i[t] * g[t]
        return {"i": i, "f": f, "g": g, "o": o, "c": c, "h": o * np.tanh(c)}

    register(steps=steps)
    seen = replace(theirs, cell=registered_cell("LongShort"), output=theirs.output + 1e-9)
    verdict = analyse(seen).parity.verdict
    assert verdict.kind == "mismatch"
    assert calls
    assert set(calls) == {(9, 2, FEATURES)}


def test_a_cell_whose_output_is_no_state_is_judged_by_whole_sequences(rng):
    @lstm_probe.register_cell("Hidden", ranges={"h": None})
    def hidden(x, states, w):
        (s,) = states
        s = np.tanh(x @ w["kernel"] + s @ w["recurrent_kernel"])
        return {"h": 2 * s}, [s]

    named = NamedWeights(
        {"kernel": rng.normal(size=(3, 4)), "recurrent_kernel": rng.normal(size=(4, 4))}, 3, 4
    )
    cell, x = registered_cell("Hidden"), rng.normal(size=(2, 6, 3))
    mask = np.array([[True] * 6, [False, True, False, True, True, False]])
    trace = cell.run(x, named, mask=mask)
    # Masked steps repeat the output, and begin with zeros.
    assert not trace.h[1, 0].any()
    np.testing.assert_array_equal(trace.h[1, 2], trace.h[1, 1])
    seen = Snapshot(0, "hidden", cell, named, x=x, output=trace.h, mask=mask, dtype="float64")
    assert str(analyse(seen).parity.verdict) == "match"
    assert analyse(seen).gradient is None
    assert analyse(replace(seen, output=trace.h + 0.1)).parity.verdict.kind == "mismatch"
    # A first frame of zeros, such as padding, does not hide that output and state are two things.
    x[:, 0] = 0
    padded = cell.run(x, named).h + 1e-15
    seen = Snapshot(0, "hidden", cell, named, x=x, output=padded, dtype="float64")
    assert str(analyse(seen).parity.verdict) == "match"


def test_no_gradient_is_given_when_the_output_is_no_state(rng):
    def back(x, states, w, changes):
        return x, changes

    @lstm_probe.register_cell("Apart", ranges={"s": None, "h": None}, states=("s",), back=back)
    def apart(x, states, w):
        s = np.tanh(x @ w["kernel"] + states[0])
        return {"s": s, "h": 2 * s}, [s]

    named = NamedWeights({"kernel": rng.normal(size=(3, 4))}, 3, 4)
    cell, x = registered_cell("Apart"), rng.normal(size=(2, 6, 3))
    seen = Snapshot(0, "apart", cell, named, x=x, output=cell.run(x, named).h, dtype="float64")
    assert analyse(seen).gradient is None
    assert lstm_probe.analysis.gradient_of_loss(seen, analyse(seen).trace, np.ones((2, 4))) is None


@pytest.mark.parametrize(("dtype", "digits"), [("float16", 10), ("bfloat16", 7)])
def test_half_precisions_match_and_their_faults_do_not(rng, dtype, digits):
    def rounded(a):
        mantissa, exponent = np.frexp(a)
        return np.ldexp(np.rint(mantissa * 2.0 ** (digits + 1)) / 2.0 ** (digits + 1), exponent)

    def recur(x, states, w, rounding=lambda a: a):
        h = states[0]
        f = rounding(sigmoid(rounding(x @ w["a"] + h @ w["b"])))
        g = rounding(np.tanh(rounding(x @ w["c"] + f * h)))
        h = rounding(f * h + (1 - f) * g)
        return {"f": f, "h": h}, [h]

    lstm_probe.register_cell("Half", ranges={"f": (0, 1), "h": (-1, 1)})(recur)
    units = 64
    arrays = {
        name: rounded(rng.normal(0, 0.3, shape)).astype(np.float32)
        for name, shape in {"a": (3, units), "b": (units, units), "c": (3, units)}.items()
    }
    named = NamedWeights(arrays, 3, units)
    x = rounded(rng.normal(size=(2, 30, 3))).astype(np.float32)
    h, shown = np.zeros((2, units)), []
    for t in range(30):
        h = recur(x[:, t], [h], named, rounded)[0]["h"]
        shown.append(h)
    output = np.stack(shown, axis=1).astype(np.float32)
    seen = Snapshot(0, "half", registered_cell("Half"), named, x=x, output=output, dtype=dtype)
    assert str(analyse(seen).parity.verdict) == "match"
    wrong = replace(seen, weights=replace(named, arrays={**arrays, "c": 2 * arrays["c"]}))
    assert analyse(wrong).parity.verdict.kind == "mismatch"


@pytest.mark.parametrize("options", [{"states": ("h", "s")}, {"keeper": "f"}])
def test_letters_that_are_no_arrays_are_refused(options):
    with pytest.raises(LstmProbeError, match="has no such array"):
        lstm_probe.register_cell("Wrong", ranges={"h": None}, **options)
