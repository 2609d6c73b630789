"""Several named probes: how they are given, become one batch, and which do not fit together."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import lstm_probe
from lstm_probe import LstmProbeError, Probes
from lstm_probe.core.groups import called, first_of_each, spread
from lstm_probe.models.given_labels import as_labels
from lstm_probe.models.labels import ProbeLabels
from lstm_probe.models.probe import as_probe, given_probe
from lstm_probe.models.probe_data import data_of_probe

X = np.random.default_rng(0).normal(size=(7, 4, 2))
Y = np.arange(7)


def test_the_sequences_of_all_probes_are_one_batch_in_their_order() -> None:
    given = given_probe(Probes({"hard ones": (X[:4], Y[:4])}, validation=(X[4:], Y[4:])))
    np.testing.assert_array_equal(given.inputs, X)
    assert given.targets[""].tolist() == Y.tolist()
    assert given.groups == (("hard ones", 4), ("validation", 3))
    assert [each.shape for each, _ in given.parts.values()] == [(4, 4, 2), (3, 4, 2)]
    data = data_of_probe(given.inputs, given.targets, given.groups)
    assert (data.sequences, data.groups) == (7, given.groups)


def test_several_inputs_keep_their_structure() -> None:
    parts = {"a": {"x": X[:1], "n": Y[:1]}, "b": {"x": X[1:], "n": Y[1:]}}
    given = given_probe(Probes(parts))
    assert {name: each.shape for name, each in given.inputs.items()} == {"x": X.shape, "n": (7,)}
    given = given_probe(Probes(a=([X[:1], X[:1]], None), b=[X[1:], X[1:]]))
    assert [each.shape for each in given.inputs] == [X.shape, X.shape]
    assert given.targets is None
    given = given_probe(Probes(a=(X[:1],) * 4, b=(X[1:],) * 4))
    assert [each.shape for each in given.inputs] == [X.shape] * 4


def test_weights_after_the_targets_are_left_out() -> None:
    given = given_probe(Probes(a=(X[:2], Y[:2], np.ones(2)), b=(X[2:], Y[2:], np.ones(5))))
    assert given.inputs.shape == X.shape
    assert given.targets[""].tolist() == Y.tolist()


def test_sequences_of_other_lengths_are_ragged_where_a_probe_may_be() -> None:
    probes = Probes(short=X[:2, :3], long=X[2:3])
    seen = as_probe(probes, ragged=True)
    assert (seen.shape, seen.mask().sum(axis=1).tolist()) == ((3, 4, 2), [3, 3, 4])
    np.testing.assert_array_equal(seen.padded(0.0)[0, :3], X[0, :3])
    lists = as_probe(Probes(a=[[1, 2], [3]], b=[[4, 5, 6]]), ragged=True)
    assert lists.padded(0).tolist() == [[1, 2, 0], [3, 0, 0], [4, 5, 6]]
    arrays = Probes(a=[X[0, :3], X[1]], b=[X[2, :2], X[3, :2]], c=X[4:5])
    seen = given_probe(arrays, ragged=True)
    assert seen.groups == (("a", 2), ("b", 2), ("c", 1))
    assert seen.inputs.mask().sum(axis=1).tolist() == [3, 4, 2, 2, 4]
    np.testing.assert_array_equal(seen.inputs.padded(0.0)[1], X[1])
    with pytest.raises(LstmProbeError, match=r"'short': float64 \(2, 3, 2\).*one length.*pad"):
        as_probe(probes)


def test_targets_of_other_lengths_are_filled_up() -> None:
    x = X[:2]
    whole = given_probe(Probes(a=(x[:1], [[1, 0]]), b=(x[1:], [[1, 1, 0]]))).targets[""]
    assert whole.tolist() == [[1, 0, -1], [1, 1, 0]]
    numbers = given_probe(Probes(a=(x[:1], [[0.5]]), b=(x[1:], [[0.5, 2.0]]))).targets[""]
    assert np.isnan(numbers[0, 1])
    assert numbers[1].tolist() == [0.5, 2.0]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (lambda: Probes(), "cannot be told apart. Received: 0"),
        (lambda: Probes({f"p{k}": X for k in range(9)}), "Received: 9. Expected: 1 to 8"),
        (lambda: Probes({"train": X}, train=X), "given twice. Received: 'train'"),
        (lambda: Probes({"a": X, "a ": X}), "given twice. Received: 'a'"),
        (lambda: Probes({"": X}), "name of a probe is not valid. Received: ''"),
        (lambda: Probes({3: X}), "not valid. Received: 3"),
        (lambda: Probes([X, X]), "have no names. Received: list"),  # type: ignore[arg-type]
        (lambda: Probes(a=X, b=X[:0]), r"probe\['b'\] is empty"),
        (lambda: Probes(a=(X, Y), b=X), "Some probes have targets.*none for 'b'"),
        (lambda: Probes(a=X, b=X[:, :, :1]), r"do not fit together.*'b': float64 \(7, 4, 1\)"),
        (lambda: Probes(a=X, b=X[:, 0]), "do not fit together"),
        (lambda: Probes(a=X, b=[X, X]), "2 arrays.*the same inputs in each"),
        (lambda: Probes(a={"x": X, "n": Y[:2]}), "not known how many sequences the probe 'a'"),
        (lambda: Probes(a=[["x"]], b=[[1]]), "do not fit together"),
        (lambda: Probes(a=(X, Y[:2])), "targets with 2 of them.*its 7 sequences"),
        (lambda: Probes(a=(X[:2], Y[:3]), b=(X[:3], Y[:2])), "probe 'a'.*3 of them.*its 2 seq"),
        (lambda: Probes(a=Probes(b=X), c=X), r"inside of another probe. Received: probe\['a'\]"),
        (lambda: (Probes(a=X, b=X), Y), "inside of another probe. Received: probe, which holds"),
        (lambda: {"x": Probes(a=X, b=X)}, "Expected: Probes on the outside"),
        (lambda: {"a": (X, Y), "b": (X, Y)}, r"dict of pairs.*probe\[.a.\].*Probes\(train="),
        (lambda: Probes(a=(X, [Y, Y]), b=(X, Y)), "targets for as many outputs"),
        (lambda: Probes(a=(X, Y), b=(X, np.ones((7, 2)))), "targets of the probes do not fit"),
    ],
)
def test_what_does_not_fit_is_refused_with_what_was_expected(given: Any, said: str) -> None:
    def logged() -> None:
        probe = given_probe(given(), ragged=True)
        data_of_probe(probe.inputs, probe.targets, probe.groups)

    with pytest.raises(LstmProbeError, match=said):
        logged()


def test_labels_tell_which_sequence_is_of_which_probe() -> None:
    given = given_probe(Probes(train=X[:5], validation=X[5:]))
    labels = as_labels(given.inputs, groups=given.groups)
    assert labels is not None
    trace = lstm_probe.GateTrace({"h": np.zeros((7, 4, 3))}, {"h": None})
    seen = labels.on(trace)
    assert seen.groups == (("train", 5), ("validation", 2))
    assert seen.sequence_names == called(seen.groups)
    assert seen.sequence_names[5] == "validation 0"
    other = lstm_probe.GateTrace({"h": np.zeros((14, 4, 3))}, {"h": None})
    assert labels.on(other).groups is None  # the layer reads other sequences
    assert ProbeLabels(groups=given.groups).on(other).groups is None
    named = as_labels(given.inputs, names=list("abcdefg"), groups=given.groups)
    assert named is not None
    assert named.on(trace).sequence_names == tuple("abcdefg")


def test_a_trace_keeps_its_probes_in_a_file_and_refuses_those_of_other_sequences(
    tmp_path: Any,
) -> None:
    groups = (("train", 1), ("validation", 2))
    trace = lstm_probe.GateTrace({"h": np.zeros((3, 4, 3))}, {"h": None}, groups=groups)
    trace.save(tmp_path / "trace.npz")
    assert lstm_probe.GateTrace.load(tmp_path / "trace.npz").groups == groups
    with pytest.raises(LstmProbeError, match="probes of a trace do not fit"):
        lstm_probe.GateTrace({"h": np.zeros((2, 4, 3))}, {"h": None}, groups=groups)


def test_of_each_probe_some_sequences_are_kept() -> None:
    for counts in ((50, 2, 30), (1, 1, 1), (2, 80)):
        batch, starts = sum(counts), np.cumsum([0, *counts])
        for limit in (len(counts), 7, 40, 1000):
            kept = spread(batch, limit, counts)
            assert len(kept) == min(limit, batch)
            of_each = [((kept >= a) & (kept < b)).sum() for a, b in itertools.pairwise(starts)]
            fair = limit // len(counts)
            assert all(n >= min(fair, count) for n, count in zip(of_each, counts, strict=True))
            for start, number in zip(starts, of_each, strict=False):  # the first ones of each
                assert set(range(start, start + number)) <= set(kept.tolist())
    assert first_of_each((("a", 3), ("b", 2)), np.array([0, 1, 3, 4]), 1).tolist() == [0, 2]


@pytest.mark.parametrize("named", [True, False])
def test_inspect_and_explain_tell_the_probes_apart(named: bool, tmp_path: Any) -> None:
    rng = np.random.default_rng(1)
    path = tmp_path / "weights.npz"
    np.savez(path, **{"m/kernel": rng.normal(size=(2, 12)), "m/recurrent_kernel": np.eye(3, 12)})
    x = rng.normal(size=(12, 6, 2))
    probe = Probes(train=(x[:8], x[:8, 0, 0]), validation=(x[8:], x[8:, 0, 0])) if named else x
    trace = lstm_probe.inspect(path, probe)["m"].trace
    assert trace.groups == ((("train", 8), ("validation", 4)) if named else None)
    np.testing.assert_array_equal(trace.h, lstm_probe.inspect(path, x)["m"].trace.h)
    need = lstm_probe.explain(path, probe, analyses=["need"])["m"]
    assert ("need" in need.findings) == named
    table = trace.to_dataframe() if named else None
    if table is not None:
        assert table.groupby("probe").sequence.nunique().to_dict() == {"train": 8, "validation": 4}


def test_a_model_that_reads_another_number_of_sequences_is_refused() -> None:
    groups = (("train", 5), ("validation", 2))
    with pytest.raises(LstmProbeError, match=r"5 of 'train' and 2 of 'validation'.*reads 4"):
        data_of_probe(X[:4], None, groups)
