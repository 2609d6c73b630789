from __future__ import annotations

import copy
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import samples

from lstm_probe import GateTrace, LstmProbeError, analyse


@pytest.fixture
def trace(rng: np.random.Generator) -> GateTrace:
    mask = np.ones((2, 7), bool)
    mask[1, 4:] = False
    return analyse(samples.snapshot(rng, step=300, mask=mask)).trace


def test_everything_comes_back_when_a_trace_is_saved(trace: GateTrace, tmp_path: Path) -> None:
    trace.save(tmp_path / "trace.npz")
    loaded = GateTrace.load(tmp_path / "trace.npz")
    assert loaded.letters == tuple("ifgoch")
    for letter in trace.letters:
        assert (loaded[letter] == trace[letter]).all()
        assert loaded[letter].dtype == trace[letter].dtype
    assert loaded.mask is not None
    assert (loaded.mask == trace.mask).all()
    assert loaded.ranges == trace.ranges
    assert (loaded.cell, loaded.layer, loaded.step) == ("lstm", "memory", 300)


def test_statistics_leave_out_masked_steps(trace: GateTrace) -> None:
    assert trace.valid("f").shape == (7 + 4, 5)
    assert (trace.valid("f")[7:] == trace.f[1, :4]).all()


def test_an_array_is_read_by_its_letter(trace: GateTrace) -> None:
    assert trace.f is trace["f"]
    with pytest.raises(LstmProbeError, match=r"'z'.*i, f, g, o, c, h"):
        trace["z"]
    with pytest.raises(AttributeError, match="'z'"):
        _ = trace.z


def test_a_trace_can_be_copied_and_pickled(trace: GateTrace) -> None:
    for twin in (copy.deepcopy(trace), pickle.loads(pickle.dumps(trace))):
        assert (twin.h == trace.h).all()
        assert twin.ranges == trace.ranges


def test_arrays_of_different_lengths_are_refused() -> None:
    with pytest.raises(LstmProbeError, match="do not fit each other"):
        GateTrace({"f": np.zeros((1, 3, 2)), "h": np.zeros((1, 4, 2))}, {"f": None, "h": None})


@pytest.mark.parametrize("content", [b"", b"no zip file", b"PK\x03\x04 but cut off"])
def test_loading_says_what_is_wrong_when_the_file_is_not_a_trace(
    tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "x.npz"
    path.write_bytes(content)
    with pytest.raises(LstmProbeError, match="is not a trace"):
        GateTrace.load(path)


def test_loading_runs_no_code_when_the_file_holds_a_pickle(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (Path.touch, (tmp_path / "was_run",))  # type: ignore[return-value]

    np.savez(tmp_path / "x.npz", header=np.array([Evil()], dtype=object))
    with pytest.raises(LstmProbeError, match="is not a trace"):
        GateTrace.load(tmp_path / "x.npz")
    assert not (tmp_path / "was_run").exists()


def test_a_missing_file_is_called_missing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        GateTrace.load(tmp_path / "x.npz")


def test_a_trace_of_a_newer_version_is_refused_with_advice(
    trace: GateTrace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lstm_probe.core.trace_files._FORMAT", 99)
    trace.save(tmp_path / "x.npz")
    monkeypatch.undo()
    with pytest.raises(LstmProbeError, match="Upgrade lstm_probe"):
        GateTrace.load(tmp_path / "x.npz")


WORDS = (("a", "good", "film", "", "", "", ""), ("a", "very", "bad", "film", ",", "isn't", "it"))


def test_labels_come_back_when_a_trace_is_saved(trace: GateTrace, tmp_path: Path) -> None:
    labelled = replace(trace, labels=WORDS, sequence_names=("praise", "blame"))
    for each in (labelled, trace):
        each.save(tmp_path / "trace.npz")
        loaded = GateTrace.load(tmp_path / "trace.npz")
        assert loaded.labels == each.labels
        assert loaded.sequence_names == each.sequence_names


def test_labels_turn_with_the_time_of_a_trace(trace: GateTrace) -> None:
    turned = replace(trace, labels=WORDS).reversed_in_time()
    assert turned.labels == tuple(row[::-1] for row in WORDS)
    assert (turned.f[1, 0] == trace.f[1, 6]).all()


@pytest.mark.parametrize(
    "fields",
    [{"labels": WORDS[:1]}, {"labels": (WORDS[0], WORDS[1][1:])}, {"sequence_names": ("one",)}],
)
def test_labels_of_another_number_are_refused(trace: GateTrace, fields: dict[str, Any]) -> None:
    with pytest.raises(LstmProbeError, match=r"labels of a trace do not fit.*2 sequences"):
        replace(trace, **fields)
