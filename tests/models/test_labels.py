"""Labels belong to sequences: what is taken and refused, and which label a step gets."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lstm_probe import GateTrace, LstmProbeError
from lstm_probe.models.given_labels import as_labels, as_labels_of_feeds
from lstm_probe.models.labels import ProbeLabels
from lstm_probe.models.probe import as_probe

PROBE = np.random.default_rng(0).normal(size=(2, 3, 4))
FLAT = ["mon", "tue", "wed"]


def trace(batch: int, time: int, mask: Any = None) -> GateTrace:
    return GateTrace({"h": np.zeros((batch, time, 2))}, {"h": None}, mask=mask)


def on(labels: ProbeLabels | None, layer: GateTrace) -> Any:
    assert labels is not None
    return labels.on(layer).labels


def test_one_list_is_for_all_sequences() -> None:
    assert on(as_labels(PROBE, FLAT), trace(2, 3)) == (tuple(FLAT), tuple(FLAT))


@pytest.mark.parametrize("kind", [list, tuple, np.array])
def test_a_list_for_each_sequence_stays_with_its_sequence(kind: Any) -> None:
    rows = [["a", "b", "c"], ["d", "e", "f"]]
    given = as_labels(PROBE, kind([kind(row) for row in rows]))
    assert on(given, trace(2, 3)) == (("a", "b", "c"), ("d", "e", "f"))


def test_two_lists_of_two_are_words_and_not_labels() -> None:
    """A probe of 2 sequences and 2 timesteps: the kind of what is in the list decides."""
    probe = np.random.default_rng(0).normal(size=(2, 2, 1))
    words = [["good", "film"], ["bad", "song"]]
    assert on(as_labels(probe, words), trace(2, 2)) == (("good", "film"), ("bad", "song"))
    assert on(as_labels(probe, ["x", "y"]), trace(2, 2)) == (("x", "y"), ("x", "y"))
    assert on(as_labels(probe, "xy"), trace(2, 2)) == (("x", "y"), ("x", "y"))


def test_shorter_lists_are_padded() -> None:
    given = as_labels(PROBE, [["a"], None])
    assert on(given, trace(2, 3)) == (("a", "", ""), ("", "", ""))


def test_labels_stand_at_the_end_when_the_probe_is_padded_in_front() -> None:
    """As `keras.utils.pad_sequences` pads, unless it is told otherwise."""
    probe = as_probe([[0, 0, 7, 8], [1, 2, 0, 0], [0, 0, 0, 0]])
    given = as_labels(probe, [["a", "b"], ["c", "d"], ["e"]])
    assert on(given, trace(3, 4)) == (("", "", "a", "b"), ("c", "d", "", ""), ("e", "", "", ""))


def test_labels_stand_at_the_steps_that_count_when_there_are_as_many() -> None:
    mask = np.array([[False, True, True, False], [True, True, True, False]])
    probe = as_probe(np.full((2, 4), 5))
    given = as_labels(probe, [["a", "b"], ["c", "d"]])
    assert on(given, trace(2, 4, mask)) == (("", "a", "b", ""), ("c", "d", "", ""))


@pytest.mark.parametrize("size", [(6, 3), (2, 2), (2, 4)])
def test_a_layer_that_reads_something_else_has_no_labels(size: tuple[int, int]) -> None:
    """Windows of a sequence, or a sequence that a convolution has shortened."""
    for given in (as_labels(PROBE, FLAT), as_labels(PROBE, [FLAT, FLAT[:1]])):
        assert on(given, trace(*size)) is None


def test_names_are_those_of_the_sequences() -> None:
    given = as_labels(PROBE, names=["calm", "storm"])
    assert given is not None
    assert given.on(trace(2, 3)).sequence_names == ("calm", "storm")
    assert given.on(trace(2, 3)).labels is None
    assert given.on(trace(6, 3)).sequence_names is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"labels": ["a", "b"]}, r"2 labels\. Expected: one for each of its 3 timesteps.*names="),
        ({"labels": list("abcd")}, r"4 labels\. Expected: one for each of its 3 timesteps"),
        ({"labels": [["a"]]}, r"1 lists of labels\. Expected: one for each of its 2 sequences"),
        ({"labels": [FLAT] * 3}, r"3 lists of labels.*2 sequences"),
        ({"labels": [["a"], list("abcd")]}, r"4 labels for sequence 1.*up to 3"),
        ({"labels": ["a", ["b"], "c"]}, r"several kinds"),
        ({"labels": [[["a"]], ["b"]]}, r"several kinds"),
        ({"labels": {"calm": FLAT}}, r"a dict.*names=\[\.\.\.\]"),
        ({"labels": FLAT, "decode": ["x"]}, r"both labels and decode"),
        ({"names": ["one"]}, r"1 names\. Expected: one for each of its 2 sequences"),
        ({"names": "ab"}, r"names='ab'.*a list"),
        ({"names": {"a": 1}}, r"no list"),
        ({"labels": ["x" * 2**20, "", "y"]}, r"1048577 characters"),
    ],
)
def test_labels_that_do_not_fit_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(LstmProbeError, match=message):
        as_labels(PROBE, **options)


def test_labels_of_several_inputs_need_the_length_of_one() -> None:
    probe = as_probe([np.ones((1, 4, 2)), np.ones((1, 6, 2))])
    assert on(as_labels(probe, [list("abcd")]), trace(1, 4)) == (tuple("abcd"),)
    assert on(as_labels(probe, [list("abcd")]), trace(1, 6)) is None
    with pytest.raises(LstmProbeError, match=r"which input.*4 and 6 timesteps"):
        as_labels(probe, [["a"]])


def test_a_row_of_features_beside_a_sequence_has_no_timesteps() -> None:
    features = np.random.default_rng(0).normal(size=(1, 2))
    given = as_labels(as_probe([np.ones((1, 4, 2)), features]), [["a", "b"]])
    assert on(given, trace(1, 4)) == (("a", "b", "", ""),)
    alone = as_labels(as_probe(features), ["a", "b"])  # which the model reshapes
    assert on(alone, trace(1, 2)) == (("a", "b"),)


def test_labels_that_no_layer_can_show_are_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    given = as_labels(PROBE, FLAT, names=["calm", "storm"])
    assert given is not None
    given.check([trace(2, 2), trace(2, 3)])
    assert caplog.text == ""
    given.check([trace(2, 2), trace(2, 1)])
    assert "they are not shown. The layers read 2 x 1 and 2 x 2." in caplog.text


def test_words_of_whole_texts_are_taken_as_long_as_the_layers_read() -> None:
    probe = as_probe(np.array([["a good film"], ["bad"]]))
    given = as_labels(probe, [["a", "good", "film"], ["bad"]])
    assert on(given, trace(2, 3)) == (("a", "good", "film"), ("bad", "", ""))
    given.check([trace(2, 5)])  # type: ignore[union-attr]
    with pytest.raises(LstmProbeError, match=r"3, 1 labels.*2 sequences of 2 timesteps"):
        given.check([trace(2, 2)])  # type: ignore[union-attr]
    for_all = as_labels(probe, FLAT)
    assert on(for_all, trace(2, 3)) == (tuple(FLAT), tuple(FLAT))
    with pytest.raises(LstmProbeError, match=r"3 labels in one list.*2 sequences of 5 timesteps"):
        for_all.check([trace(2, 5)])  # type: ignore[union-attr]


TOKENS = as_probe(np.array([[3, 1, 0], [2, 0, 0]], np.int32))
WORDS = (("film", "good", ""), ("bad", "", ""))


class Tokenizer:
    """As tokenizers have it: a list of numbers becomes a list of words."""

    def convert(self, numbers: list[int]) -> list[str]:
        return [["", "good", "bad", "film"][number + 0] for number in [*numbers]]


@pytest.mark.parametrize(
    "decode",
    [
        ["", "good", "bad", "film"],
        np.array(["", "good", "bad", "film"]),
        {0: "", 1: b"good", 2: "bad", 3: "film"},
        {"": 0, "good": 1, "bad": 2, "film": 3},
        ["", "good", "bad", "film"].__getitem__,
        {1: "good", 2: "bad", 3: "film"}.get,
        Tokenizer().convert,
    ],
)
def test_tokens_are_decoded(decode: Any) -> None:
    for probe in (TOKENS, TOKENS.astype("float32"), TOKENS[:, :, None], {"ids": TOKENS}):
        assert on(as_labels(as_probe(probe), decode=decode), trace(2, 3)) == WORDS


def test_a_number_that_a_dict_lacks_stays_a_number() -> None:
    given = as_labels(TOKENS, decode={"good": 1, "film": 3})
    assert on(given, trace(2, 3)) == (("film", "good", "0"), ("2", "0", "0"))


@pytest.mark.parametrize(
    ("decode", "message"),
    [
        (["", "good", "bad"], r"3, and a vocabulary of 3 words.*0 to 2"),
        ("abc", r"decode='abc'"),
        (7, r"decode=7"),
        ({"a": "b"}, r"decode=\{'a': 'b'\}"),
        (lambda number: 1 / 0, r"ZeroDivisionError.*the word for a number"),
        (lambda row: ", ".join(row), r"TypeError"),
        (lambda row: [*row][:1], r"\[3\] for 3 tokens"),
    ],
)
def test_what_decodes_nothing_is_refused(decode: Any, message: str) -> None:
    with pytest.raises(LstmProbeError, match=message):
        as_labels(TOKENS, decode=decode)


@pytest.mark.parametrize("probe", [PROBE, [TOKENS, TOKENS], np.array([["a", "b"]])])
def test_a_probe_without_exactly_one_array_of_tokens_is_not_decoded(probe: Any) -> None:
    with pytest.raises(LstmProbeError, match=r"arrays of tokens among .*labels="):
        as_labels(as_probe(probe), decode=["a"] * 9)


@pytest.mark.parametrize("flavour", ["keras", "tf_keras"])
def test_texts_are_cut_as_the_model_s_own_layer_cuts_them(flavour: str) -> None:
    layers = pytest.importorskip(flavour).layers
    layer = layers.TextVectorization(output_sequence_length=4)
    layer.adapt(["a very good film", "dull"])
    for shape in ((2,), (2, 1)):
        probe = as_probe(np.array(["A good film!", "dull new"]).reshape(shape))
        given = as_labels(probe, decode=layer)
        assert on(given, trace(2, 4)) == (("a", "good", "film", ""), ("dull", "[UNK]", "", ""))


def test_of_what_is_fed_the_size_is_known_at_the_first_capture() -> None:
    fed = [np.ones((1, 12)), np.float32(1.0)]  # a graph that cuts a row into 3 timesteps of 4
    given = as_labels_of_feeds(fed, FLAT, names=["digit"])
    assert given is not None
    given.check([trace(1, 3)])
    assert on(given, trace(1, 3)) == (tuple(FLAT),)
    for layers in ([trace(1, 4)], [trace(2, 3)]):
        with pytest.raises(LstmProbeError, match=r"3 labels in one list.*1 names.*sequences of"):
            given.check(layers)


def test_tokens_that_are_fed_time_by_batch_are_decoded_by_sequence() -> None:
    given = as_labels_of_feeds([TOKENS.T], decode=["", "good", "bad", "film"], time_major=True)
    assert on(given, trace(2, 3)) == WORDS
