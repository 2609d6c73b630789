from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from lstm_probe import LstmProbeError
from lstm_probe.models.probe import as_probe, probe_leaves


def test_keeps_a_copy_when_the_user_changes_theirs_later() -> None:
    theirs = np.ones((1, 3, 2))
    ours = as_probe(theirs)
    theirs[:] = 7
    assert (ours == 1).all()


def test_keeps_the_structure_when_the_model_takes_several_inputs() -> None:
    a, b = np.ones((1, 3)), np.zeros((1, 2))
    assert [leaf.shape for leaf in probe_leaves(as_probe([a, b]))] == [(1, 3), (1, 2)]
    assert list(as_probe({"a": a, "b": b})) == ["a", "b"]


@pytest.mark.parametrize(
    ("probe", "message"),
    [
        (np.ones((0, 3, 2)), r"is empty.*\(0, 3, 2\).*x_train\[:1\]"),
        (np.ones((1, 0, 2)), r"is empty.*\(1, 0, 2\)"),
        (np.array([[[1.0, np.nan]]]), r"not finite.*1 NaN or infinite"),
        (np.array([[[np.inf, -np.inf]]]), r"not finite.*2 NaN or infinite"),
        (np.array([[[1j]]]), r"dtype that no model reads.*complex128"),
        (np.array([None, object()]), r"dtype that no model reads.*object"),
        ([[[1.0], [2.0]], [[1.0]]], r"not an array.*Pad the shorter ones"),
        ({"a": np.ones((0, 1))}, r"probe\['a'\] is empty"),
        ([np.ones((1, 2)), np.full((1, 2), np.nan)], r"probe\[1\] is not finite"),
    ],
)
def test_refuses_a_probe_when_nothing_could_be_seen_with_it(probe: object, message: str) -> None:
    with pytest.raises(LstmProbeError, match=message):
        as_probe(probe)


def test_strings_are_text_in_whatever_form_they_are_held() -> None:
    texts = [["good film"], ["no"]]
    forms = [
        texts,
        np.array(texts),
        np.array(texts, object),
        np.array([[each.encode() for each in row] for row in texts]),
        np.array([[each.encode() for each in row] for row in texts], object),
    ]
    for form in forms:
        seen = as_probe(form)
        assert seen.dtype.kind == "U"
        assert seen.tolist() == texts


def test_bytes_that_are_no_text_stay_bytes() -> None:
    assert as_probe(np.array([b"\xff"], object)).tolist() == [b"\xff"]


def test_tables_of_pandas_are_read() -> None:
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame({"a": [1, 2], "b": [0.5, 1.5]})
    assert as_probe(table).tolist() == [[1.0, 0.5], [2.0, 1.5]]
    assert as_probe(pandas.Series(["x y", "z"])).tolist() == ["x y", "z"]
    whole = pandas.DataFrame({"a": pandas.array([1, 2], "Int64"), "b": [0.5, 1.5]})
    assert as_probe(whole).tolist() == [[1.0, 0.5], [2.0, 1.5]]


def test_sequences_of_different_lengths_are_kept_where_the_reader_wants_them() -> None:
    lists = np.empty(2, object)
    lists[:] = [[1, 2, 3], [4]]
    for form in ([[1, 2, 3], [4]], lists):
        seen = as_probe(form, ragged=True)
        assert seen.shape == (2, 3)
        assert seen.padded(-1).tolist() == [[1, 2, 3], [4, -1, -1]]
        assert seen.mask().tolist() == [[True, True, True], [True, False, False]]
        with pytest.raises(LstmProbeError, match=r"1 or 3 timesteps|inhomogeneous"):
            as_probe(form)
    alike = np.empty(2, object)
    alike[:] = [[1, 2], [3, 4]]
    assert as_probe(alike).tolist() == [[1, 2], [3, 4]]


def test_a_file_is_read() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "words.npy"
        np.save(path, np.array([["good"]]))
        assert as_probe(path).tolist() == as_probe(str(path)).tolist() == [["good"]]


def test_inputs_are_taken_of_a_pair_whose_first_part_is_several_arrays() -> None:
    a, b = np.ones((1, 3)), np.zeros((1, 2))
    assert list(as_probe(({"a": a, "b": b}, np.ones(1)))) == ["a", "b"]
    assert [leaf.shape for leaf in as_probe(((a, b), np.ones(1)))] == [(1, 3), (1, 2)]
    assert isinstance(as_probe((a, b)), tuple)  # the model tells whether b is an input


class Batches:
    """As a `PyDataset` is: its batches are made in Python, with random numbers of its own."""

    def __init__(self) -> None:
        self.rng, self.made = np.random.default_rng(3), [0]

    def on_epoch_end(self) -> None:
        self.made.append(0)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        self.made[-1] += 1
        return self.rng.normal(size=(2, 3)) + random.random(), np.ones(2)


def test_a_batch_is_taken_so_that_the_training_does_not_notice() -> None:
    theirs, same = Batches(), Batches()
    state = random.getstate()
    seen = as_probe(theirs)
    assert random.getstate() == state
    assert theirs.made == [0]
    random.setstate(state)
    np.testing.assert_array_equal(theirs[0][0], seen)
    random.setstate(state)
    np.testing.assert_array_equal(same[0][0], seen)


def test_a_batch_that_cannot_be_put_back_is_left_to_the_user() -> None:
    class Reading(Batches):
        def __init__(self) -> None:
            super().__init__()
            self.lines = iter(range(9))

        def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
            return np.full((1, 2), next(self.lines)), np.ones(1)

    with pytest.raises(LstmProbeError, match=r"'lines'.*x_train"):
        as_probe(Reading())


@pytest.mark.parametrize(
    ("source", "line"),
    [
        (iter([np.ones((1, 2))]), r"probe=next\(batches\)\[0\]"),
        ((np.ones((1, 2)) for _ in range(2)), r"probe=next\(batches\)\[0\]"),
        ({1: 2}.values(), r"probe=next\(iter\(batches\)\)\[0\]"),
        ("good film", r'probe=\[\["a sentence"\]\]'),
    ],
)
def test_the_message_says_what_to_write_when_no_batch_is_taken(source: object, line: str) -> None:
    with pytest.raises(LstmProbeError, match=line):
        as_probe(source)
    if isinstance(source, Iterator):
        assert next(source) is not None  # it has not been used
