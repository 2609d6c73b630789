"""Dimensions, axes and similarity of states, against definitions and known shapes."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import samples

from lstm_probe import LstmProbeError, analyse
from lstm_probe.analysis import linear_cka, measure_geometry, participation_ratio
from lstm_probe.analysis.geometry.ends import ends_by_class
from lstm_probe.analysis.geometry.geometry import geometry_of
from lstm_probe.core.trace import GateTrace


def shown(h, *, mask=None, step=0):
    """An analysis whose hidden states are `h`."""
    rng = np.random.default_rng(0)
    weights = samples.lstm_weights(rng, 3, h.shape[2])
    snapshot = samples.snapshot(rng, batch=len(h), time=h.shape[1], weights=weights, step=step)
    snapshot = replace(snapshot, mask=mask)
    analysis = analyse(snapshot)
    arrays = {**analysis.trace.arrays, "h": h}
    return replace(analysis, trace=replace(analysis.trace, arrays=arrays))


def by_kernels(x, y):
    """CKA as the paper defines it first: by centred Gram matrices."""
    n = len(x)
    centre = np.eye(n) - 1 / n
    k, m = centre @ x @ x.T @ centre, centre @ y @ y.T @ centre
    return np.sum(k * m) / np.sqrt(np.sum(k * k) * np.sum(m * m))


def test_cka_is_that_of_the_gram_matrices(rng):
    x, y = rng.normal(size=(40, 5)), rng.normal(size=(40, 9)) + 3
    y[:, 0] += 2 * x[:, 0]
    assert linear_cka(x, y) == pytest.approx(by_kernels(x, y), rel=1e-10)
    assert 0.05 < linear_cka(x, y) < 0.9


def test_cka_does_not_change_when_states_are_turned_moved_and_scaled(rng):
    x, y = rng.normal(size=(60, 4)), rng.normal(size=(60, 4))
    turn = np.linalg.qr(rng.normal(size=(4, 4)))[0]
    assert linear_cka(x, 7 * x @ turn + 1) == pytest.approx(1)
    assert linear_cka(x, y) == pytest.approx(linear_cka(x @ turn, 3 * y - 5))


def test_the_participation_ratio_counts_dimensions(rng):
    spread = np.linalg.qr(rng.normal(size=(500, 6)))[0]
    spread -= spread.mean(axis=0)
    variances = np.array([4.0, 2.0, 1.0, 1.0, 0.0, 0.0])
    values = np.linalg.svd(spread, full_matrices=False)[0] * np.sqrt(variances)
    turned = values @ np.linalg.qr(rng.normal(size=(6, 6)))[0]
    assert participation_ratio(turned + 3) == pytest.approx(64 / 22, rel=1e-9)


def test_states_on_a_plane_have_two_dimensions_and_their_path_is_that_in_the_plane(rng):
    flat = rng.normal(size=(5, 30, 2)) * [2.0, 1.0]
    plane = np.linalg.qr(rng.normal(size=(8, 2)))[0].T
    found = measure_geometry(shown(flat @ plane + rng.normal(size=8)))
    assert found.variances.sum() == pytest.approx(1)
    assert found.dimensions == pytest.approx(25 / 17, rel=0.2)
    assert found.band[0] < found.dimensions < found.band[1]
    gaps = np.linalg.norm(found.path[:, 1:] - found.path[:, :-1], axis=2)
    np.testing.assert_allclose(gaps, np.linalg.norm(np.diff(flat, axis=1), axis=2), atol=1e-10)
    np.testing.assert_allclose(found.axes @ found.axes.T, np.eye(2), atol=1e-12)


def test_the_band_is_that_of_leaving_each_sequence_out(rng):
    h = rng.normal(size=(6, 20, 4)) * rng.uniform(0.5, 3, size=(6, 1, 4))
    found = measure_geometry(shown(h))
    without = [participation_ratio(np.delete(h, b, axis=0).reshape(-1, 4)) for b in range(6)]
    half = 2.5706 * np.sqrt(5 * np.var(without))
    assert found.band[0] == pytest.approx(max(1, found.dimensions - half), rel=1e-9)
    assert found.band[1] == pytest.approx(min(4, found.dimensions + half), rel=1e-9)
    assert measure_geometry(shown(h[:2])).band is None


def test_masked_steps_count_for_nothing(rng):
    h = rng.normal(size=(4, 20, 3))
    mask = rng.random((4, 20)) > 0.3
    noisy = np.where(mask[..., None], h, 1e6)
    found = measure_geometry(shown(noisy, mask=mask), earlier=shown(h, mask=mask))
    assert found.dimensions == pytest.approx(participation_ratio(h[mask]))
    assert found.similarity == pytest.approx(1)
    np.testing.assert_array_equal(np.isnan(found.path[..., 0]), ~mask)


def test_similarity_is_told_beside_that_of_chance(rng):
    h = rng.normal(size=(10, 20, 4))
    turn = np.linalg.qr(rng.normal(size=(4, 4)))[0]
    same = measure_geometry(shown(h @ turn, step=9), earlier=shown(h, step=3))
    assert same.similarity == pytest.approx(1)
    assert same.by_chance < 0.25  # some orders leave a few sequences in their place
    assert "Since step 3 the states have changed little" in same.sentences()[1].text
    other = measure_geometry(shown(rng.normal(size=(10, 20, 4))), earlier=shown(h))
    assert other.similarity < 3 * other.by_chance
    few = measure_geometry(shown(h[:2]), earlier=shown(h[:2]))
    assert few.by_chance is None


def test_chance_is_that_of_sequences_in_other_orders(rng):
    """States that follow the clock alone look the same in any order of the sequences."""
    clock = np.sin(np.arange(30.0)[None, :, None] * [0.3, 0.5, 0.7])
    h = clock + 0.1 * rng.normal(size=(8, 30, 3))
    found = measure_geometry(shown(h), earlier=shown(clock + 0.1 * rng.normal(size=(8, 30, 3))))
    assert found.similarity > 0.9
    assert found.by_chance > 0.9


def test_the_plain_form_is_json(rng):
    mask = rng.random((4, 20)) > 0.3
    h = rng.normal(size=(4, 20, 3))
    plain = measure_geometry(shown(h, mask=mask), earlier=shown(h, mask=mask)).plain()
    text = json.loads(json.dumps(plain, allow_nan=False))
    assert text["path"][0][int((~mask[0]).argmax())] == [None, None]
    assert text["similarity"] == pytest.approx(1)


@pytest.mark.parametrize(
    ("fault", "says"),
    [("masked", "Every step"), ("nan", "NaN or infinity"), ("constant", "the same at all steps")],
)
def test_what_is_missing_is_said(rng, fault, says):
    h, mask = rng.normal(size=(4, 20, 3)), None
    if fault == "masked":
        mask = np.zeros((4, 20), bool)
    if fault == "nan":
        h[1, 2] = np.nan
    if fault == "constant":
        h[:] = 0.25
    found = measure_geometry(shown(h, mask=mask))
    (only,) = found.sentences()
    assert says in only.text
    assert only.value is None
    json.dumps(found.plain(), allow_nan=False)


def test_captures_of_different_probes_are_refused(rng):
    h = rng.normal(size=(4, 20, 3))
    with pytest.raises(LstmProbeError, match=r"\(4, 20\) steps, 80 of them valid, and \(4, 10\)"):
        measure_geometry(shown(h), earlier=shown(h[:, :10]))
    mask = rng.random((4, 20)) > 0.3
    with pytest.raises(LstmProbeError, match="different probes"):
        measure_geometry(shown(h), earlier=shown(h, mask=mask))


@pytest.mark.parametrize("bad", [np.zeros(3), np.zeros((0, 3)), "words"])
def test_what_is_no_table_of_states_is_refused(bad):
    for function in (participation_ratio, lambda x: linear_cka(x, np.zeros((3, 3)))):
        with pytest.raises(LstmProbeError, match="Expected"):
            function(bad)
    with pytest.raises(LstmProbeError, match="3 and 4 rows"):
        linear_cka(np.zeros((3, 2)), np.zeros((4, 2)))


def test_constant_states_have_no_similarity():
    assert np.isnan(linear_cka(np.ones((3, 2)), np.eye(3)))
    assert np.isnan(participation_ratio(np.ones((3, 2))))


def ended(rng, classes, *, apart, reverse=False, mask=None):
    """Geometry of sequences that end, as they are read, around a place of their class."""
    h = rng.normal(size=(len(classes), 12, 3))
    h[:, 0 if reverse else -1] += apart * np.asarray(classes)[:, None]
    trace = GateTrace({"h": h}, {"h": "output"}, reverse=reverse)
    return geometry_of(trace, step=0, mask=mask, target=classes)


@pytest.mark.parametrize("reverse", [False, True])
def test_classes_that_end_apart_are_told_and_shuffled_ones_are_not(rng, reverse):
    classes = np.arange(24) % 3
    found = ended(rng, classes, apart=60.0, reverse=reverse)
    assert (found.ends.right, found.ends.of, found.ends.beyond_chance) == (24, 24, True)
    assert "The sequences end in 3 groups on these axes, which are the" in str(found.sentences()[1])
    turned = ended(rng, classes, apart=60.0, reverse=reverse)
    other = geometry_of(
        GateTrace({"h": turned.path}, {"h": "output"}, reverse=not reverse), step=0, target=classes
    )
    assert not other.ends.beyond_chance  # the other end knows nothing


def test_few_unrelated_classes_are_named_beyond_chance(rng):
    named = sum(
        ended(rng, rng.permutation(np.arange(16) % 2), apart=0.0).ends.beyond_chance
        for _ in range(40)
    )
    assert named <= 1


def test_the_end_of_a_masked_sequence_is_its_last_step(rng):
    classes, mask = np.arange(20) % 2, np.arange(12) < rng.integers(3, 9, (20, 1))
    h = rng.normal(size=(20, 12, 3))
    h[np.arange(20), mask.sum(axis=1) - 1] += 60 * classes[:, None]
    found = geometry_of(GateTrace({"h": h}, {"h": "output"}), step=0, mask=mask, target=classes)
    assert found.ends.right == 20
    mask[3] = False
    assert (
        geometry_of(GateTrace({"h": h}, {"h": "output"}), step=0, mask=mask, target=classes).ends.of
        == 19
    )


@pytest.mark.parametrize(
    "target",
    [
        None,
        np.zeros(12),
        np.arange(12),
        np.linspace(0, 1, 12),
        np.zeros((12, 12)),
        np.arange(11) % 2,
        np.array([0] * 11 + [1]),
    ],
)
def test_what_is_no_class_of_each_sequence_has_no_ends(rng, target):
    h = rng.normal(size=(12, 5, 3))
    found = geometry_of(GateTrace({"h": h}, {"h": "output"}), step=0, target=target)
    assert found.ends is None
    assert len(found.sentences()) == 1


@pytest.mark.parametrize("kind", ["words", "floats", "truth", "column"])
def test_classes_may_be_words_truth_values_and_whole_numbers(rng, kind):
    classes = np.arange(20) % 2
    given = {
        "words": np.array(["good", "bad"])[classes],
        "floats": classes.astype(np.float32),
        "truth": classes.astype(bool),
        "column": classes[:, None],
    }[kind]
    found = ended(rng, classes, apart=60.0)
    again = geometry_of(GateTrace({"h": found.path}, {"h": "output"}), step=0, target=given)
    assert again.ends.right == 20
    json.dumps(again.plain(), allow_nan=False)


def test_each_end_is_held_against_the_means_of_the_others(rng):
    for _ in range(5):
        classes, ends = rng.permutation(np.arange(15) % 3), rng.normal(size=(15, 1, 2)) + 3
        found = ends_by_class(ends, np.ones((15, 1), bool), classes)
        right = 0
        for k in range(15):
            others = np.arange(15) != k
            means = [ends[others & (classes == kind), 0].mean(axis=0) for kind in range(3)]
            right += np.argmin([np.linalg.norm(ends[k, 0] - mean) for mean in means]) == classes[k]
        assert found.right == right
