"""What is taken of a probe for the log: inputs, targets, and which of them do not fit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lstm_probe import LstmProbeError
from lstm_probe.models.probe import as_probe, given_probe
from lstm_probe.models.probe_data import data_of_probe
from lstm_probe.models.targets import as_targets, only_targets

X = np.random.default_rng(0).normal(size=(3, 4, 2))


def test_a_probe_of_one_array_and_of_several() -> None:
    assert list(data_of_probe(X).inputs) == [""]
    assert data_of_probe(X).sequences == 3
    assert list(data_of_probe([X, X]).inputs) == ["0", "1"]
    assert list(data_of_probe({"words": X}, {"class": [0, 1, 2]}).targets) == ["class"]


def test_texts_are_left_out_but_tell_how_many_sequences_there_are() -> None:
    words = as_probe(np.array([["a"], ["b"], ["c"]]))
    data = data_of_probe({"text": words, "more": X}, [0, 1, 1])
    assert list(data.inputs) == ["more"]
    with pytest.raises(LstmProbeError, match="its 3 sequences"):
        data_of_probe(words, [0, 1])


def test_sequences_of_different_lengths_are_filled_up() -> None:
    probe = as_probe([[1, 2, 3], [4]], ragged=True)
    assert data_of_probe(probe).inputs[""].tolist() == [[1, 2, 3], [4, 0, 0]]
    assert as_targets([[1, 2], [3]])[""].tolist() == [[1, 2], [3, -1]]
    assert np.isnan(as_targets([[0.5, 2.0], [3.5]])[""][1, 1])


@pytest.mark.parametrize(
    ("targets", "said"),
    [
        ([0, 1], r"targets with 2 of them, shape \(2,\).*each of its 3 sequences.*y_test\[:8\]"),
        (np.zeros((4, 1)), r"4 of them, shape \(4, 1\)"),
        (7, "a single number"),
        ({"a": [0, 1, 2], "b": [0]}, r"targets\['b'\] with 1 of them"),
        ([np.zeros(3), np.zeros(2)], r"targets\['1'\] with 2 of them"),
        (["good", "bad", "good"], "no numbers.*dtype <U4.*classes as whole numbers"),
        ([0.5, np.nan, 1.0], "targets is not finite"),
        (np.zeros((0,)), "targets is empty"),
    ],
)
def test_targets_that_do_not_fit_are_refused_with_what_was_expected(
    targets: Any, said: str
) -> None:
    with pytest.raises(LstmProbeError, match=said):
        data_of_probe(X, targets)


def test_targets_have_one_source() -> None:
    assert only_targets(None, None) == {}
    assert only_targets([1, 2], {})[""].tolist() == [1, 2]
    with pytest.raises(LstmProbeError, match="two sources of targets"):
        only_targets([1, 2], np.array([1, 2]))


def test_a_batch_of_a_pair_has_its_targets_and_another_tuple_waits_for_the_model() -> None:
    given = given_probe(({"a": X}, [0, 1, 2]))
    assert (list(given.inputs), given.targets) == (["a"], [0, 1, 2])
    given = given_probe((X, np.arange(3)))
    assert isinstance(given.inputs, tuple)
    assert (given.targets, given.groups) == (None, None)
