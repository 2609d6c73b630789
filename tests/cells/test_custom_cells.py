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


def test_a_loss_goes_back_to_the_inputs(pair, rng):
    cotangent = rng.normal(size=(2, 9, UNITS))
    ours, theirs = (
        lstm_probe.gradient_of_loss(each, analyse(each).trace, cotangent) for each in pair
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


@pytest.mark.parametrize("options", [{"states": ("h", "s")}, {"keeper": "f"}])
def test_letters_that_are_no_arrays_are_refused(options):
    with pytest.raises(LstmProbeError, match="has no such array"):
        lstm_probe.register_cell("Wrong", ranges={"h": None}, **options)
