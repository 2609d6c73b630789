"""Planted lags are given back, and what depends on nothing is not said to need anything."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import samples

from lstm_probe import GruCell, LstmProbeError, SimpleRnnCell, Snapshot, analyse
from lstm_probe.analysis import measure_need
from lstm_probe.analysis.need.innovations import ridge
from lstm_probe.analysis.need.null import dependence
from lstm_probe.analysis.need.series import series_of
from lstm_probe.analysis.words.need import need_told
from lstm_probe.cells.custom import CustomCell
from lstm_probe.weights import NamedWeights, from_keras


def layer(x, *, mask=None, reverse=False):
    """A layer that has read `x`; what it does with it is of no interest here."""
    features = x.shape[2]
    rng = np.random.default_rng(0)
    w = from_keras(rng.normal(0, 0.1, (features, 2)), rng.normal(0, 0.1, (2, 2)))
    output = np.zeros((*x.shape[:2], 2))
    return Snapshot(0, "rnn", SimpleRnnCell(), w, x=x, output=output, mask=mask, reverse=reverse)


def inputs(kind, rng, batch=32, time=40, features=1):
    """Sequences of several kinds: all that the traps of lagged regressions are made of."""
    noise = rng.normal(size=(batch, time, features))
    if kind == "walk":
        return np.cumsum(noise, axis=1)
    if kind == "drift":
        return noise + np.linspace(0, 5, time)[None, :, None]
    if kind == "words":
        return np.eye(5)[rng.integers(5, size=(batch, time))]
    if kind == "correlated":
        x = noise.copy()
        for t in range(1, time):
            x[:, t] += 0.9 * x[:, t - 1]
        return x
    return noise


def later(x, lag, rng):
    """The first feature, `lag` steps later; noise before there is one."""
    batch, time = x.shape[:2]
    before = x[..., 0].std() * rng.normal(size=(batch, lag))
    return np.concatenate([before, x[:, : time - lag, 0]], axis=1)


KINDS = ("white", "correlated", "walk", "drift", "words")


@pytest.mark.parametrize("lag", [0, 3, 12])
@pytest.mark.parametrize("kind", KINDS)
def test_a_planted_lag_is_the_need_when_each_step_has_a_target(rng, kind, lag):
    x = inputs(kind, rng)
    y = later(x, lag, rng)
    found = measure_need(layer(x), y + 0.3 * y.std() * rng.normal(size=y.shape))
    assert found.need == lag
    if kind in ("white", "drift", "words"):  # what the inputs between say themselves is nothing
        assert found.lags == (lag,)
    assert found.explained > 0.3


@pytest.mark.parametrize("lag", [0, 5, 20])
@pytest.mark.parametrize("kind", ["white", "words", "drift"])
def test_a_planted_lag_is_the_need_when_each_sequence_has_a_target(rng, kind, lag):
    x = inputs(kind, rng, batch=64)
    found = measure_need(layer(x), x[:, -1 - lag, 0])
    assert found.lags == (lag,)
    assert found.explained > 0.6


def test_words_and_numbers_of_classes_are_targets(rng):
    x = inputs("white", rng, batch=48)
    classes = np.digitize(x[:, -4, 0], [-0.5, 0.5])
    words = np.array(["low", "middle", "high"])[classes]
    for targets in (classes, words, words.astype(object), classes == 2):
        assert measure_need(layer(x), targets).lags == (3,)


def test_the_order_of_reading_is_that_of_the_layer(rng):
    x = inputs("white", rng, batch=48)
    found = measure_need(layer(x, reverse=True), x[:, 6, 0])  # read last but six
    assert found.lags == (6,)
    by_step = measure_need(layer(x, reverse=True), later(x[:, ::-1], 4, rng)[:, ::-1])
    assert by_step.lags == (4,)


@pytest.mark.parametrize("final", [False, True])
def test_masked_steps_are_no_steps(rng, final):
    x = inputs("white", rng, batch=48, time=20)
    y = x[:, -8, 0] if final else later(x, 7, rng)
    mask = np.zeros((48, 30), bool)
    padded, targets = rng.normal(size=(48, 30, 1)), rng.normal(size=(48, 30))
    for b in range(48):
        places = np.sort(rng.permutation(30)[:20])
        mask[b, places], padded[b, places] = True, x[b]
        if not final:
            targets[b, places] = y[b]
    found = measure_need(layer(padded, mask=mask), y if final else targets)
    assert found.lags == (7,)
    assert found.timesteps == 20


def test_several_lags_are_all_named(rng):
    x = inputs("white", rng)
    y = later(x, 2, rng) - later(x, 9, rng) + 0.3 * rng.normal(size=(32, 40))
    found = measure_need(layer(x), y)
    assert found.lags == (2, 9)
    first = found.sentences()[0]
    assert "lags 2 and 9 explain" in first.text
    assert first.value == 9


def test_data_of_the_users_own_take_the_place_of_the_probe(rng):
    x = inputs("white", rng, batch=64, features=2)
    seen = layer(rng.normal(size=(1, 5, 1)))
    found = measure_need(seen, x[:, -6, 1], data=x)
    assert found.lags == (5,)
    mask = np.arange(40) < 30
    shorter = measure_need(seen, x[:, 24, 1], data=x, mask=np.tile(mask, (64, 1)))
    assert shorter.lags == (5,)


def test_many_features_are_looked_at_through_their_largest_components(rng):
    x = rng.normal(size=(48, 20, 3)) @ rng.normal(size=(3, 100))
    assert measure_need(layer(x), x[:, -5, 50]).lags == (4,)


def nulls(count):
    """Targets that depend on nothing, each with something that could mislead."""
    for number in range(count):
        rng = np.random.default_rng(10_000 + number)
        kind, batch = KINDS[number % 5], (12, 24, 48)[number % 3]
        x = inputs(kind, rng, batch, 30, features=1 + number % 3)
        other = inputs(kind if number % 2 else "walk", rng, batch, 30)[..., 0]
        y = (
            other[:, -1],
            other,
            rng.integers(3, size=batch),
            other + np.linspace(0, 9, 30),  # a drift that the input may share
        )[number % 4]
        mask = None
        if number % 7 == 0:
            mask = np.arange(30) < rng.integers(10, 31, size=batch)[:, None]
        yield layer(x, mask=mask), y


def test_no_need_is_named_when_there_is_none():
    assert [found for found in (measure_need(*each) for each in nulls(20)) if found.lags] == []


@pytest.mark.long
def test_at_most_one_of_200_nulls_has_a_need():
    assert sum(bool(measure_need(*each).lags) for each in nulls(200)) <= 1


def test_a_shuffled_target_needs_nothing(rng):
    x = inputs("white", rng)
    y = later(x, 3, rng)
    assert measure_need(layer(x), y).lags == (3,)
    found = measure_need(layer(x), y[rng.permutation(32)])
    assert found.need is None
    (only,) = found.sentences()
    assert "No lag of the input helps" in only.text
    assert "in 499 orders of 32 sequences" in only.text


def test_memory_is_told_beside_the_need(rng):
    x = rng.normal(size=(32, 60, 1))
    kernels = rng.normal(0, 0.3, (1, 12)), rng.normal(0, 0.3, (4, 12)), np.zeros((2, 12))
    snapshot = Snapshot(
        0, "gru", GruCell(), from_keras(*kernels), x=x, output=np.zeros((32, 60, 4))
    )
    analysis = analyse(snapshot)
    for subject in (snapshot, analysis):
        found = measure_need(subject, later(x, 40, rng))
        assert found.need == 40
        assert found.horizon == pytest.approx(analysis.health.horizon.max())
        assert found.reach == analysis.gradient.reach["h"]
        assert found.forget_bias == pytest.approx(np.log(40))
        last = found.sentences()[-1].text
        assert last.startswith("The network remembers less than that: its longest memory is ")
        assert "A bias of log(40) = 3.7 on the gate that keeps is long enough." in last
    near = measure_need(analysis, x[..., 0]).sentences()[-1].text
    assert "that far" in near


@pytest.mark.parametrize(
    ("horizon", "reach", "said"),
    [
        (9.0, 7.0, "remembers that far: its longest memory is 9 steps and its gradient reaches 7"),
        (
            4.0,
            7.0,
            "reaches that far, its gates alone do not: its longest memory is 4 steps and its ",
        ),
        (
            "infinity",
            4.0,
            "remembers that far, and training does not see it: its longest memory is ",
        ),
        (None, 7.0, "remembers that far: its gradient reaches 7 steps back."),
        (3.0, 4.0, "remembers less than that: its longest memory is 3 steps and its gradient "),
        (None, None, "How far the network remembers is not known"),
    ],
)
def test_memory_and_gradient_are_told_apart(rng, horizon, reach, said):
    x = rng.normal(size=(32, 20, 1))
    found = measure_need(layer(x), later(x, 5, rng)).plain()
    told = need_told({**found, "need": 5, "horizon": horizon, "reach": reach})[-1]
    assert said in told.text


def test_the_plain_form_is_json(rng):
    x = rng.normal(size=(16, 12, 1))
    weights = from_keras(np.zeros((1, 3)), np.zeros((1, 3)), np.full((2, 3), 30.0))
    keeps = Snapshot(0, "gru", GruCell(), weights, x=x, output=np.zeros((16, 12, 1)))
    found = measure_need(keeps, later(x, 2, rng))
    plain = json.loads(json.dumps(found.plain(), allow_nan=False))
    assert plain["need"] == 2
    assert plain["horizon"] == "infinity" or plain["horizon"] > 1e6
    assert "longest memory is" in found.sentences()[-1].text


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("one sequence", "There is 1 sequence: to tell need from chance takes at least 8"),
        ("few sequences", "There are 7 sequences"),
        ("constant target", "The target is the same in all sequences"),
        ("constant at each step", "The target is the same in all sequences"),
        ("constant input", "The input is the same in all sequences"),
        ("masked", "Every step is masked"),
        ("nan", "The input holds NaN or infinity"),
    ],
)
def test_what_is_missing_is_said_and_no_number_is_given(rng, fault, says):
    x = inputs("white", rng, batch={"one sequence": 1, "few sequences": 7}.get(fault, 16))
    y, mask = x[:, -1, 0], None
    if fault == "constant target":
        y = np.ones(16)
    if fault == "constant at each step":
        y = np.tile(np.arange(40.0), (16, 1))
    if fault == "constant input":
        x = np.ones_like(x)
    if fault == "masked":
        mask = np.zeros((16, 40), bool)
    if fault == "nan":
        x[3, 4] = np.nan
    found = measure_need(layer(x, mask=mask), y)
    (only,) = found.sentences()
    assert says in only.text
    assert only.value is None
    assert found.need is None
    assert not found.gains.size


@pytest.mark.parametrize(
    ("targets", "options", "says"),
    [
        (np.zeros(15), {}, r"targets of shape \(15,\) for an input of shape \(16, 40, 1\)"),
        (np.zeros((16, 39, 1)), {}, "do not fit the input"),
        (3.0, {}, "do not fit the input"),
        (np.full(16, np.nan), {}, "hold NaN or infinity. Received: 16"),
        (np.zeros(16), {"mask": np.ones((16, 40))}, "mask is given without data"),
        (np.zeros(16), {"data": np.zeros((16, 40))}, "data do not fit"),
        (np.zeros(16), {"data": np.zeros((16, 40, 1)), "mask": np.ones((16, 3))}, "do not fit"),
        (np.zeros(16), {"lags": -1}, "lags"),
        (np.zeros(16), {"orders": 5}, "orders"),
    ],
)
def test_what_does_not_fit_is_refused(rng, targets, options, says):
    with pytest.raises(LstmProbeError, match=says):
        measure_need(layer(inputs("white", rng, batch=16)), targets, **options)


def test_a_cell_of_the_users_own_needs_no_derivatives(rng):
    def step(x, states, weights):
        h = np.tanh(x @ weights["w"] + states[0])
        return {"h": h}, [h]

    x = inputs("white", rng)
    cell = CustomCell("Own", step, (("h", None),))
    weights = NamedWeights({"w": rng.normal(size=(1, 2))}, 1, 2)
    seen = Snapshot(0, "own", cell, weights, x=x, output=np.zeros((32, 40, 2)))
    found = measure_need(seen, later(x, 3, rng))
    assert (found.need, found.horizon, found.reach) == (3, None, None)
    assert "is not known for this cell" in found.sentences()[-1].text


def test_the_strength_is_that_of_a_plain_regression(rng):
    z, r = rng.normal(size=(12, 20, 3)), rng.normal(size=(12, 20, 2))
    both = rng.random((12, 20)) > 0.2
    orders = np.stack([np.arange(12), rng.permutation(12)])
    found, by_chance = dependence(z, r, both, orders)
    flat, answer = z[both], r[both]
    # The squared norm of the whitened cross-covariance is the sum of the squared canonical
    # correlations, which do not change with the coordinates.
    left = np.linalg.qr(flat)[0]
    right = np.linalg.qr(answer)[0]
    expected = np.square(np.linalg.svd(left.T @ right)[1]).sum() * both.sum() ** 2
    assert found == pytest.approx(expected, rel=1e-9)
    assert by_chance[0] == pytest.approx(found, rel=1e-12)
    assert by_chance[1] != pytest.approx(found, rel=1e-3)


def test_ridge_is_the_solution_of_its_normal_equations(rng):
    z = rng.normal(size=(30, 4)) @ rng.normal(size=(4, 4))
    r = z @ rng.normal(size=(4, 2)) + rng.normal(size=(30, 2))
    ours = ridge(z, r)
    candidates = [
        np.linalg.solve(z.T @ z + part * 30 * np.eye(4), z.T @ r) for part in (1e-3, 0.01, 0.1, 1)
    ]
    assert min(np.abs(ours - each).max() for each in candidates) < 1e-10
    assert np.isfinite(ridge(np.zeros((5, 2)), np.ones((5, 1)))).all()


def test_series_have_no_common_drift_and_variance_one(rng):
    x = inputs("drift", rng)
    series = series_of(x, x[..., 0], None, reverse=False)
    np.testing.assert_allclose(series.x.mean(axis=0), 0, atol=1e-12)
    assert np.square(series.x).mean() == pytest.approx(1)


def test_a_snapshot_of_the_same_seed_gives_the_same(rng):
    snapshot = samples.snapshot(rng, batch=40, time=15)
    y = snapshot.x[:, -3, 0]
    first, second = (measure_need(snapshot, y) for _ in range(2))
    np.testing.assert_array_equal(first.strength, second.strength)
    assert measure_need(replace(snapshot, step=9), y, seed=1).lags == first.lags
