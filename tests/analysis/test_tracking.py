"""Tracking: which unit follows which series, and that nothing is named where nothing is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from planted import TASKS, planted, random_network, snapshot_of
from samples import lstm_weights, snapshot

from lstm_probe import ConvLstmCell, LstmProbeError, SimpleRnnCell, analyse, weights
from lstm_probe.analysis import track
from lstm_probe.analysis.tracking import regression
from lstm_probe.analysis.tracking.regression import (
    Products,
    area,
    by_step_alone,
    centred,
    orders,
    r2_by_sequence,
)


def linear(x, recurrent, kernel=None):
    """A network that is what its weights say."""
    units = len(recurrent)
    own = weights.from_keras(np.eye(x.shape[2], units) if kernel is None else kernel, recurrent)
    return snapshot_of(SimpleRnnCell("linear"), own, x)


def related(rng, batch=9, time=11, units=3, series=2):
    valid = np.arange(time) < rng.integers(4, time + 1, batch)[:, None]
    own = rng.normal(size=(batch, time, series)) * valid[..., None]
    mixed = own @ rng.normal(size=(series, units)) + rng.normal(size=(batch, time, units))
    return centred(mixed * valid[..., None], valid), centred(own, valid), valid


def test_r2_is_that_of_lines_fitted_one_by_one(rng):
    units, series, valid = related(rng)
    found = r2_by_sequence(units, series, valid)
    folds = regression.folds_of(len(units))
    for u in range(3):
        for s in range(2):
            error = 0.0
            for fold in range(8):
                train, test = (valid & (folds == k)[:, None] for k in (-1, fold))
                train = valid & ~test
                line = np.polynomial.Polynomial.fit(series[train][:, s], units[train][:, u], 1)
                error += np.square(units[test][:, u] - line(series[test][:, s])).sum()
            assert found[u, s] == pytest.approx(1 - error / np.square(units[..., u]).sum())


def test_chance_is_that_of_shuffles_one_by_one(rng, monkeypatch):
    units, series, valid = related(rng)
    shuffled = orders(9, 20, 3)
    expected = []
    for order in shuffled:
        both = valid & valid[order]
        squares = [
            (units[both][:, u] @ series[order][both][:, s]) ** 2
            / np.square(units[both][:, u]).sum()
            / np.square(series[order][both][:, s]).sum()
            for u in range(3)
            for s in range(2)
        ]
        expected.append(max(squares))
    products = Products(units, series, valid)
    assert products.largest_by_chance(shuffled) == pytest.approx(expected)
    monkeypatch.setattr(regression, "_NUMBERS", 1)
    assert products.largest_by_chance(shuffled) == pytest.approx(expected)


def test_orders_are_all_different_and_never_the_own():
    found = [tuple(order) for order in orders(4, 999, 0)]
    assert len(set(found)) == len(found) == 23
    assert (0, 1, 2, 3) not in found
    assert len(orders(30, 999, 0)) == 999


def test_area_is_the_part_of_pairs_in_order(rng):
    values, classes = rng.integers(0, 6, (30, 2)).astype(float), rng.random(30) < 0.4
    pairs = values[classes][:, None] - values[~classes][None]
    expected = ((pairs > 0) + 0.5 * (pairs == 0)).mean(axis=(0, 1))
    assert area(values, classes) == pytest.approx(expected)


def test_step_alone_is_what_the_other_sequences_say(rng):
    valid = np.arange(6) < np.array([6, 6, 4, 3])[:, None]
    units = (np.arange(6) + 0.1 * rng.normal(size=(4, 6)))[..., None] * valid[..., None]
    errors, used = 0.0, [units[b, t, 0] for b, t in np.argwhere(valid)]
    for b, t in np.argwhere(valid):
        others = [units[k, t, 0] for k in range(4) if k != b and valid[k, t]]
        errors += (units[b, t, 0] - np.mean(others)) ** 2
    expected = 1 - errors / np.square(used - np.mean(used)).sum()
    assert by_step_alone(units, valid) == pytest.approx([expected])


@pytest.mark.parametrize(("task", "kind"), TASKS)
def test_planted_unit_is_named(task, kind):
    net = planted(task, kind, seed=21)
    found = track(net.snapshot, {"truth": net.label})
    assert found.named["truth"][0] == net.unit
    assert found.sentences()[0].text.startswith(f"Unit {net.unit} follows truth")
    if task == "lag":
        assert found.named[f"input 0, {net.lag} steps back"][0] == net.unit
    if task == "counter":
        assert found.named["the running sum of input 0"][0] == net.unit


def nulls(seeds):
    """How many networks have something named for labels that have nothing to do with them."""
    named = []
    for seed in seeds:
        rng = np.random.default_rng(1000 + seed)
        if seed % 2:
            seen, steps = random_network(seed, batch=14), 20
            labels = {
                "noise": rng.normal(size=(14, steps)),
                "walk": rng.normal(size=(14, steps)).cumsum(axis=1),
                "class": rng.integers(0, 2, 14).astype(bool),
                "drift": np.arange(steps) + rng.normal(size=(14, steps)),
            }
        else:
            net = planted(*TASKS[seed // 2 % len(TASKS)], seed=seed)
            seen, order = net.snapshot, np.arange(12)
            while (order == np.arange(12)).any():
                order = rng.permutation(12)
            labels = {"shuffled": net.label[order]}
        found = track(seen, labels, inputs=False)
        together = [name for name, each in found.together.items() if each.named]
        if found.named or together:
            named.append((seed, found.named, together))
    return named


def test_nothing_is_named_when_labels_are_shuffled_or_random():
    assert nulls(range(30)) == []


@pytest.mark.long
def test_at_most_one_of_200_nulls_names_anything():
    assert len(nulls(range(200))) <= 1


def test_a_drift_that_all_sequences_share_is_not_tracking(rng):
    """Shuffled steps would call this far beyond chance: both grow with the step."""
    drift = np.arange(30)[None, :, None] * np.ones((10, 1, 1))
    seen = linear(0.1 * drift + 0.5 * rng.normal(size=(10, 30, 1)), np.array([[0.5]]))
    found = track(seen, {"trend": drift[..., 0] + rng.normal(size=(10, 30))}, inputs=False)
    raw = np.corrcoef(seen.output.ravel(), (drift[..., 0]).ravel())[0, 1] ** 2
    assert raw > 0.6
    assert found.named == {}
    assert found.by_step[0] > 0.6


def test_a_series_that_two_units_share_is_told_by_all_together(rng):
    """Each unit holds much noise that the other holds too."""
    label, noise = rng.normal(size=(2, 12, 20))
    x = np.stack([label + 5 * noise, 5 * noise], axis=-1)
    found = track(linear(x, np.zeros((2, 2))), {"label": label}, inputs=False)
    assert found.named == {}
    assert found.together["label"].named
    assert found.together["label"].r2 == pytest.approx(1, abs=1e-3)
    assert "all 2 together tell it" in found.sentences()[0].text


def test_classes_have_an_area_under_the_curve(rng):
    words = rng.choice(["a", "b", "c"], (12, 15))
    x = (words == "b").astype(float)[..., None] + 0.1 * rng.normal(size=(12, 15, 1))
    found = track(linear(x, np.zeros((1, 1))), {"word": words})
    assert found.names[:3] == ("word=a", "word=b", "word=c")
    assert found.named["word=b"] == (0,)
    assert found.area[0, 1] == pytest.approx(1)
    assert "area under the curve 1.00" in found.sentences()[1].text
    two = track(linear(x, np.zeros((1, 1))), {"is b": words == "b"})
    assert two.area[0, 0] == pytest.approx(1)


def test_masked_steps_and_reading_backwards_change_nothing_else(rng):
    x = rng.normal(size=(9, 12, 1))
    label = rng.normal(size=(9, 12))
    found = track(linear(x, np.array([[0.6]])), {"label": label})
    mask = np.ones((9, 15), bool)
    mask[:, [0, 4, 9]] = False
    wide, wide_label = np.full((9, 15, 1), 7.0), np.full((9, 15), np.nan)
    wide[mask], wide_label[mask] = x.reshape(-1, 1), label.ravel()
    own = weights.from_keras(np.ones((1, 1)), np.array([[0.6]]))
    h = SimpleRnnCell("linear").run(wide, own, mask=mask, dtype=np.float64).h
    masked = replace(linear(x, np.array([[0.6]])), x=wide, output=h, mask=mask)
    again = track(masked, {"label": wide_label})
    assert again.r2 == pytest.approx(found.r2)
    assert again.p == pytest.approx(found.p)
    back = replace(masked, x=wide[:, ::-1], output=h[:, ::-1], mask=mask[:, ::-1], reverse=True)
    turned = track(back, {"label": wide_label[:, ::-1]})
    assert turned.r2 == pytest.approx(found.r2)
    assert turned.steps == 108


def test_filters_are_compared_by_their_mean_over_space(rng):
    own = weights.from_keras(rng.normal(size=(3, 3, 1, 8)), rng.normal(size=(3, 3, 2, 8)) * 0.1)
    bright = rng.normal(size=(8, 10, 1)) * np.ones(12)
    found = track(snapshot_of(ConvLstmCell(input_shape=(4, 3, 1), padding="same"), own, bright))
    assert found.word == "filter"
    assert found.r2.shape[0] == 2
    assert "the mean of the input, 1 step back" in found.names


def test_a_trace_alone_is_compared_with_labels():
    net = planted("depth", "gru", seed=21)
    trace = analyse(net.snapshot).trace
    alone, whole = (track(each, {"truth": net.label}) for each in (trace, net.snapshot))
    assert alone.named == {"truth": (net.unit,)}
    assert alone.r2[:, 0] == pytest.approx(whole.r2[:, 0])
    with pytest.raises(LstmProbeError, match="No step of the probe counts"):
        track(replace(trace, mask=np.zeros((12, 24), bool)))


def test_what_is_missing_is_said_instead_of_a_number(rng):
    one = track(snapshot(rng, batch=1), {"label": np.arange(7.0)[None]})
    assert one.named == {}
    assert np.isnan(one.r2).all()
    assert np.isnan(one.p).all()
    assert "There is one sequence" in one.sentences()[0].text
    few = track(snapshot(rng, batch=4))
    assert few.named == {}
    assert "With 4 sequences chance cannot be told" in few.sentences()[0].text
    seen = snapshot(rng, batch=8)
    labels = {"flat": np.ones((8, 7)), "step": np.tile(np.arange(7), (8, 1)), "word": ["a"] * 8}
    said = [each.text for each in track(seen, labels, inputs=False).sentences()]
    assert said[0] == "No unit can be said to follow flat: it is constant."
    assert said[1] == (
        "No unit can be said to follow step: it is the same in all sequences, as the step is."
    )
    assert said[2] == "No unit can be said to follow word=a: it is constant."
    dead = lstm_weights(rng)
    dead.kernel[:] = dead.recurrent_kernel[:] = 0
    still = track(snapshot(rng, batch=8, weights=dead), {"label": rng.normal(size=(8, 7))})
    assert still.named == {}
    assert "all of them do the same in every sequence" in still.sentences()[0].text


def test_a_unit_that_follows_loosely_is_not_called_chance(rng):
    seen = snapshot(rng, batch=60, time=20)
    memory = analyse(seen).trace["c"][..., 2]
    label = memory + rng.normal(size=memory.shape) * 2 * memory.std()
    (answer, *_) = track(analyse(seen), {"loose": label}).sentences()
    assert "follows loose closely: the best, unit 2, has R² 0." in answer.text
    random = track(analyse(seen), {"random": rng.normal(size=memory.shape)})
    assert "follows random beyond chance" in random.sentences()[0].text


def test_labels_that_do_not_fit_are_refused(rng):
    seen = snapshot(rng, batch=8)
    for labels, match in (
        ({"a": np.zeros((8, 6))}, r"'a' do not fit.*\(8, 6\).*\(8, 7\)"),
        ({"a": np.full((8, 7), np.nan)}, "not all numbers.*56 that are NaN"),
        ({"a": np.arange(56).reshape(8, 7).astype(str)}, "56 different words"),
        ({"a": np.zeros((8, 7), complex)}, "neither numbers"),
        (np.zeros((8, 7)), "labels have no names"),
    ):
        with pytest.raises(LstmProbeError, match=match):
            track(seen, labels)
    with pytest.raises(LstmProbeError, match="array='q'"):
        track(seen, array="q")
    with pytest.raises(LstmProbeError, match="No step of the probe counts"):
        track(replace(seen, mask=np.zeros((8, 7), bool)))
