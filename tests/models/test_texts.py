"""The words of a probe of texts: on which timesteps they stand, and where they do not."""

from __future__ import annotations

import numpy as np
import pytest

from lstm_probe import GateTrace
from lstm_probe.models.given_labels import as_labels, as_labels_of_feeds
from lstm_probe.models.probe import as_probe
from lstm_probe.models.texts import texts_of

TEXTS = ["a good film , really", "bad", "so so !"]


def trace(mask: np.ndarray | None, time: int = 5) -> GateTrace:
    return GateTrace({"h": np.zeros((3, time, 2))}, {"h": None}, mask=mask)


def shown(given: object, mask: np.ndarray | None = None, time: int = 5) -> GateTrace:
    labels = as_labels(as_probe(given, ragged=True), texts=True)
    assert labels is not None
    return labels.on(trace(mask, time))


@pytest.mark.parametrize("shape", [(3,), (3, 1)])
def test_words_stand_at_the_steps_that_count(shape: tuple[int, ...]) -> None:
    mask = np.zeros((3, 5), bool)
    mask[0, 1:], mask[1, 4], mask[2, :2] = True, True, True
    seen = shown(np.array(TEXTS).reshape(shape), mask)
    # "," and "!" are no words of a model that leaves punctuation out.
    assert seen.labels == (
        ("", "a", "good", "film", "really"),
        ("", "", "", "", "bad"),
        ("so", "so", "", "", ""),
    )
    assert seen.sequence_names == tuple(TEXTS)


def test_words_that_a_layer_has_cut_in_another_way_have_no_place() -> None:
    assert shown(TEXTS).labels == (tuple(TEXTS[0].split()), ("",) * 5, ("",) * 5)
    mask = np.ones((3, 4), bool)
    mask[1:] = False
    assert shown(TEXTS, mask, 4).labels == (("a", "good", "film", "really"), *[("",) * 4] * 2)
    assert shown(TEXTS, np.ones((3, 9), bool), 9).labels is None
    assert shown(TEXTS, np.ones((3, 9), bool), 9).sequence_names == tuple(TEXTS)
    assert shown([["a b c d", "x"][k // 2] for k in range(3)], None, 7).labels is None


def test_tokens_have_a_step_each() -> None:
    tokens = [["a", "good", "film"], ["bad"], ["so", "so"]]
    mask = np.array([[True, True, True], [True, False, False], [True, True, False]])
    seen = shown(tokens, mask, 3)
    assert seen.labels == (("a", "good", "film"), ("bad", "", ""), ("so", "so", ""))
    assert seen.sequence_names is None
    assert shown(tokens, None, 4).labels is None


def test_what_is_given_comes_first_and_what_is_no_text_or_too_long_is_left_out() -> None:
    probe = as_probe(TEXTS)
    given = as_labels(probe, [["1", "2", "3", "4", "5"]] * 3, names=list("abc"), texts=True)
    assert given is not None
    assert given.on(trace(None)).labels == (tuple("12345"),) * 3
    assert given.on(trace(None)).sequence_names == tuple("abc")
    assert as_labels(probe) is None  # not asked for
    assert as_labels(as_probe(np.ones((3, 5, 2))), texts=True) is None
    assert texts_of([np.array(["x" * 2**14, "y"])]) is None
    assert texts_of([np.array(["x"]), np.array(["y"])]) is None
    named = texts_of([np.array(["word " * 200, b"\xff".decode("latin-1")])])
    assert named is not None
    assert (len(named.names[0]), named.names[0][-1], len(named.words[0])) == (80, "…", 200)
    fed = as_labels_of_feeds([np.array(TEXTS, object).astype(np.bytes_)], texts=True)
    assert fed is not None
    assert fed.on(trace(None)).sequence_names == tuple(TEXTS)
