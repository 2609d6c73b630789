"""How a model does on each named probe, held against loops that count one sequence at a time."""

from __future__ import annotations

import numpy as np
import pytest

from lstm_probe.analysis.outcomes import OutputRanges, outcomes_of
from lstm_probe.analysis.words.answers import Figures, answers

GROUPS = (("train", 8), ("validation", 4))
PARTS = {"train": range(8), "validation": range(8, 12)}


@pytest.fixture
def rng():
    return np.random.default_rng(11)


def found(outputs, targets, ranges=None):
    one = outputs if isinstance(outputs, dict) else {"": outputs}
    wanted = targets if isinstance(targets, dict) else {"": targets}
    return outcomes_of(one, wanted, GROUPS, ranges or OutputRanges().add(one))


def counted(rights):
    """`[(right, known)]` of both probes, from True, False or None for each sequence or step."""
    rows = [each if isinstance(each, list) else [each] for each in rights]
    told = []
    for part in PARTS.values():
        known = [each for k in part for each in rows[k] if each is not None]
        told.append((sum(known), len(known)))
    return told


def right_of(outcomes):
    return [(each.right, each.of) for each in outcomes]


def test_the_class_with_the_largest_score_is_right(rng):
    scores, y = rng.normal(size=(12, 3)), rng.integers(0, 3, 12)
    y[2] = -1  # not known
    rights = [
        None if y[k] < 0 else max(range(3), key=lambda j: scores[k, j]) == y[k] for k in range(12)
    ]
    expected = counted(rights)
    assert right_of(found(scores, y)) == expected
    assert expected[0][1] == 7
    one_hot = np.eye(3)[np.maximum(y, 0)]
    rights[2] = int(np.argmax(scores[2])) == 0
    assert right_of(found(scores, one_hot)) == counted(rights)


def test_each_step_counts_where_each_has_a_class(rng):
    scores, y = rng.normal(size=(12, 5, 3)), rng.integers(-1, 3, (12, 5))
    rights = [
        [None if y[b, t] < 0 else bool(scores[b, t].argmax() == y[b, t]) for t in range(5)]
        for b in range(12)
    ]
    outcomes = found(scores, y)
    assert right_of(outcomes) == counted(rights)
    assert all(each.by_step for each in outcomes)


@pytest.mark.parametrize("filling", [-1, np.nan])
@pytest.mark.parametrize("form", ["one output", "classes", "one-hot"])
def test_steps_with_which_shorter_sequences_were_filled_up_do_not_count(rng, filling, form):
    y = rng.integers(0, 2, (12, 5))
    scores = rng.uniform(size=(12, 5, 1 if form == "one output" else 2))
    chosen = scores[:, :, 0] > 0.5 if form == "one output" else scores.argmax(axis=2)
    rights = [
        [None if b % 4 == 0 and t > 2 else bool(chosen[b, t] == y[b, t]) for t in range(5)]
        for b in range(12)
    ]
    wanted = np.eye(2)[y] if form == "one-hot" else y.astype(float)
    wanted[::4, 3:] = filling
    outcomes = found(scores, wanted)
    assert right_of(outcomes) == counted(rights)
    assert [each.of for each in outcomes] == [36, 18]


def test_what_is_not_a_number_is_not_right(rng):
    y = np.arange(12) % 2
    assert right_of(found(np.full((12, 1), np.nan), y)) == [(0, 8), (0, 4)]
    assert right_of(found(np.full((12, 2), np.nan), y)) == [(0, 8), (0, 4)]


@pytest.mark.parametrize(("low", "high", "threshold"), [(0, 1, 0.5), (-0.1, 1, 0), (0, 1.2, 0)])
def test_a_single_output_is_a_probability_until_one_has_left_0_to_1(rng, low, high, threshold):
    given, y = rng.uniform(0, 1, (12, 1)), rng.integers(0, 2, 12)
    seen = OutputRanges()
    seen.add({"": np.array([[low], [high], [np.nan]], float)})
    ranges = seen.add({"": given})
    rights = [bool((given[k, 0] > threshold) == y[k]) for k in range(12)]
    assert right_of(found(given, y, ranges)) == counted(rights)


def test_other_numbers_have_an_error(rng):
    given, y = rng.normal(size=(12, 2)), rng.normal(size=(12, 2))
    y[1, 0] = np.nan
    for outcome, part in zip(found(given, y), PARTS.values(), strict=True):
        errors = [abs(given[k, j] - y[k, j]) for k in part for j in (0, 1) if y[k, j] == y[k, j]]
        assert outcome.right is None
        assert outcome.error == pytest.approx(np.mean(errors))
        assert outcome.of == len(errors)
    for number in (-1, 2, 0.5):  # with a single output, only ones and zeros are classes
        wanted = np.where(np.arange(12) % 2, number, 1.0)
        assert all(each.right is None for each in found(given[:, :1], wanted))


def test_outputs_have_the_target_of_their_name_and_others_are_left_out(rng):
    y = rng.integers(0, 2, 12)
    outputs = {"a": np.eye(2)[y], "b": np.eye(2)[1 - y]}
    named = found(outputs, {"b": 1 - y, "a": y})
    whole = [("a", 8), ("a", 4), ("b", 8), ("b", 4)]
    assert [(each.output, each.right) for each in named] == whole
    placed = found(outputs, {"0": y, "1": 1 - y})
    assert [(each.output, each.right) for each in placed] == whole
    assert found(np.eye(2)[y][:5], y) == []  # of other sequences
    assert found(rng.normal(size=(12, 7)), rng.normal(size=(12, 3))) == []
    assert found(np.full((12, 3), np.nan), np.full((12, 3), 0.5)) == []


def sentences(outcomes):
    now = Figures(5, 50, 8, 3.0, 1, 4.0, outcomes=outcomes)
    return [(each.text, each.view) for each in answers([now])]


def test_a_sentence_says_it_of_each_probe(rng):
    y = np.arange(12) % 2
    given = np.eye(2)[[*y[:7], 1 - y[7], 1 - y[8], 1 - y[9], *y[10:]]]
    said = sentences(found(given, y))
    assert said[0] == (
        "Of the probe's sequences, 7 of 8 of train are right and 2 of 4 of validation.", "probe"
    )  # fmt: skip
    values = sentences(found(np.full((12, 1), 1.0), np.r_[np.full(8, 0.5), np.full(4, 3.5)]))
    assert values[0][0] == (
        "What the model gives is off by 0.5 on train and 2.5 on validation, on average."
    )
    steps = sentences(found(np.eye(2)[np.zeros((12, 3), int)], np.zeros((12, 3), int)))
    assert steps[0][0].startswith("Of the probe's steps, 24 of 24 of train are right and 12 of 12")
    two = sentences(found({"a": given, "b": given}, {"a": y, "b": y}))
    assert two[0][0].endswith("2 of 4 of validation (output a).")
    assert not any("probe's" in text for text, _ in sentences(()))


def test_no_illness_is_left_out_for_it():
    outcomes = found(np.eye(2)[np.zeros(12, int)], np.zeros(12, int))
    alerts = [{"rule": f"r{k}", "step": k, "what": "x"} for k in range(3)]
    base = {"longest_horizon": 3.0, "gradient_reach": 4.0, "dead": 2, "verdict": "mismatch"}
    course = [Figures(0, 11, 8, means={"f": 0.1}), Figures(9, 11, 8, means={"f": 0.9}, **base)]
    without = [str(each) for each in answers(course, alerts)]
    last = Figures(9, 11, 8, means={"f": 0.9}, outcomes=outcomes, **base)
    with_probes = [str(each) for each in answers([course[0], last], alerts)]
    assert set(without) < set(with_probes)
